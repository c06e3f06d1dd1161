"""AWS's Price List service: products of EC2 in us-east-1, in the shape of real entries. No HTTP in here.

Sources: the entries' shape is from AWS's guide "Using the AWS Price List Query API", the prices from the public price
list of us-east-1. It has only the fields that distinguish products. Beside each product are others that AWS lists under
the same type with a different price, or none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from tests.fleet.market import ON_DEMAND_PRICES
from tests.fleet.simulated_fleets import Json, Refused, page

REGION = "us-east-1"
REGIONS = ("us-east-1", "eu-central-1", "ap-south-1")
"""The regions that run the service, for all regions."""
PLAIN = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}
OTHERS: tuple[tuple[dict[str, str], float], ...] = (
    ({"operatingSystem": "Windows"}, 1.35),
    ({"tenancy": "Dedicated"}, 1.1),
    ({"preInstalledSw": "SQL Std"}, 2.0),
    ({"capacitystatus": "AllocatedCapacityReservation"}, 0.0),
)
"""Other ways to run a type, and how many times the plain price they cost."""
GP3 = (
    ("Storage", "GB-Mo", 0.08),
    ("System Operation", "IOPS-Mo", 0.005),
    ("Provisioned Throughput", "GiBps-mo", 40.96),
)
"""What is paid for a gp3 disk: product family, unit, dollars."""
PROCESSING_PRICES = {"ml.g4dn.xlarge": 0.7364, "ml.m5.large": 0.115, "ml.m5.xlarge": 0.23}
"""Dollars an hour of SageMaker Processing."""
TERM, DIMENSION = "JRTCKXETXF", "6YS6EN2CT7"


def products(wish: Json, region: str) -> Json:
    """GetProducts."""
    if region not in REGIONS:
        raise Refused("UnrecognizedClientException", f"There is no price list service in {region}.")
    if wish.get("ServiceCode") not in ("AmazonEC2", "AmazonSageMaker"):
        raise Refused("NotFoundException", "Service code not found")
    wanted = {each["Field"]: each["Value"] for each in wish.get("Filters", []) if each["Type"] == "TERM_MATCH"}
    entries = _entries() if wish["ServiceCode"] == "AmazonEC2" else _processing()
    rows = [entry for about, entry in entries if all(about.get(name) == value for name, value in wanted.items())]
    return {"FormatVersion": "aws_v1", **page("PriceList", [json.dumps(row) for row in rows], wish, 100)}


def _entries() -> Iterator[tuple[dict[str, str], Json]]:
    """Each entry behind the fields that it is found by."""
    for kind, price in ON_DEMAND_PRICES.items():
        for other, factor in (({}, 1.0), *OTHERS):
            about = {"instanceType": kind, **PLAIN, **other, "marketoption": "OnDemand"}
            yield _entry("Compute Instance", about, "Hrs", price * factor)
    for family, unit, price in GP3:
        yield _entry(family, {"volumeApiName": "gp3"}, unit, price)


def _processing() -> Iterator[tuple[dict[str, str], Json]]:
    """SageMaker's entries: of processing, and of training with the same types."""
    for kind, price in PROCESSING_PRICES.items():
        for component, factor in (("Processing", 1.0), ("Training", 1.1)):
            about = {"instanceType": f"{kind}-{component}", "component": component, "instanceName": kind}
            yield _entry("ML Instance", about, "Hrs", price * factor)


def _entry(family: str, about: dict[str, str], unit: str, dollars: float) -> tuple[dict[str, str], Json]:
    attributes = {**about, "servicecode": "AmazonEC2", "regionCode": REGION, "location": "US East (N. Virginia)"}
    sku = hashlib.sha256(json.dumps([family, attributes]).encode()).hexdigest()[:16].upper()
    code = f"{sku}.{TERM}"
    dimension = {
        "unit": unit,
        "beginRange": "0",
        "endRange": "Inf",
        "description": f"${dollars:g} per {unit}",
        "appliesTo": [],
        "rateCode": f"{code}.{DIMENSION}",
        "pricePerUnit": {"USD": f"{dollars:.10f}"},
    }
    term = {
        "sku": sku,
        "offerTermCode": TERM,
        "effectiveDate": "2026-11-01T00:00:00Z",
        "termAttributes": {},
        "priceDimensions": {dimension["rateCode"]: dimension},
    }
    product = {"productFamily": family, "sku": sku, "attributes": attributes}
    entry = {"product": product, "serviceCode": "AmazonEC2", "terms": {"OnDemand": {code: term}}}
    return {**attributes, "productFamily": family}, entry

"""AWS's published prices of a region: on-demand instances and disks.

The Price List service answers in a few regions only, for all of them. Source: AWS, "Using the AWS Price List Query
API".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from pdfbatch import aws
from pdfbatch.fleet.clients import Clients


class ListPrices(BaseModel):
    """What AWS publishes for a region."""

    model_config = ConfigDict(frozen=True)
    on_demand: dict[str, float] = {}
    """Dollars an hour of an instance alone, by type."""
    gib_month: float | None = None
    """Dollars a month for a GiB of gp3 disk; None: not told."""


def ask(clients: Clients, types: Sequence[str]) -> ListPrices:
    """What AWS publishes for these types in the clients' region.

    Raises:
        PdfbatchError: it may not be asked, or does not answer.
    """
    linux = {
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    found = {kind: list(_products(clients, {"instanceType": kind, **linux})) for kind in types}
    disks = list(_products(clients, {"volumeApiName": "gp3", "productFamily": "Storage"}))
    return ListPrices(
        on_demand={kind: min(prices) for kind, prices in found.items() if prices}, gib_month=min(disks, default=None)
    )


def _products(clients: Clients, wanted: dict[str, str]) -> Iterator[float]:
    fields = {"regionCode": clients.region, **wanted}
    filters: list[Any] = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in fields.items()]
    answer = aws.call(
        "ask for AWS's published prices",
        lambda: clients.price_list.get_products(ServiceCode="AmazonEC2", Filters=filters),
    )
    for product in answer["PriceList"]:
        yield from dollars(json.loads(product))


def dollars(product: Any) -> Iterator[float]:
    """The on-demand prices in one entry of the price list, above zero."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term.get("priceDimensions", {}).values():
            price = float(dimension.get("pricePerUnit", {}).get("USD", 0))
            if price > 0:
                yield price

"""Looks up a region's list prices: on-demand instances and disks.

The Price List service runs in a few regions, which answer for all. Source: AWS, "Using the AWS Price List Query API".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from pdfbatch import aws
from pdfbatch.fleet.clients import Clients


class ListPrices(BaseModel):
    """The list prices of a region."""

    model_config = ConfigDict(frozen=True)
    on_demand: dict[str, float] = {}
    """Dollars per instance-hour by type, without disk and address."""
    gib_month: float | None = None
    """Dollars per GiB-month of gp3; None: unknown."""


def ask(clients: Clients, types: Sequence[str]) -> ListPrices:
    """Looks up the list prices of these types in the clients' region.

    Raises:
        PdfbatchError: access is denied, or the service does not answer.
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
        "look up AWS's list prices",
        lambda: clients.price_list.get_products(ServiceCode="AmazonEC2", Filters=filters),
    )
    for product in answer["PriceList"]:
        yield from dollars(json.loads(product))


def dollars(product: Any) -> Iterator[float]:
    """Yields the on-demand prices above zero in one entry of the price list."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term.get("priceDimensions", {}).values():
            price = float(dimension.get("pricePerUnit", {}).get("USD", 0))
            if price > 0:
                yield price

"""What machines cost and whether they are to be had, by type and zone: what moto has no behaviour for. No HTTP in here.

The prices are of the order of those in the project's facts on Spot (section 2.7).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

from tests.fleet.simulated_fleets import Json

BASE_PRICES = {
    "g4dn.xlarge": 0.19,
    "g4dn.2xlarge": 0.29,
    "g4dn.4xlarge": 0.39,
    "g5.xlarge": 0.41,
    "g5.2xlarge": 0.51,
    "g6.xlarge": 0.41,
    "g6.2xlarge": 0.41,
}
DOLLARS_A_VCPU = 0.03
"""Of types that have no base price."""
ZONE_FACTORS = {"a": 1.0, "b": 1.06, "c": 0.97, "d": 1.12, "e": 1.2, "f": 1.03}
QUOTA_CODES = {"g": "L-3819A6DF", "vt": "L-3819A6DF", "p": "L-7212CCBC"}
STANDARD_QUOTA = "L-34B43A08"
QUOTA_NAMES = {
    "L-3819A6DF": "All G and VT Spot Instance Requests",
    "L-7212CCBC": "All P4, P3 and P2 Spot Instance Requests",
    STANDARD_QUOTA: "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
}
PRICE_CHANGES = timedelta(hours=6)
PRICES_KEPT = 12


class Market:
    """What tests may order of Spot, by the names of zones and types."""

    def __init__(self) -> None:
        self.prices: dict[str, dict[str, float]] = {}
        """By type and zone; a type that is here is offered in these zones only."""
        self.scores: dict[str, int] = {}
        self.closed: set[str] = set()
        """Zones without capacity."""
        self.quotas: dict[str, float] = {}
        self.default_quotas: dict[str, float] = {}

    def price(self, type_: str, zone: str) -> float | None:
        if type_ in self.prices:
            return self.prices[type_].get(zone)
        offered = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(zone[:-1], [])
        if not any(offer["InstanceType"] == type_ and offer["Location"] == zone for offer in offered):
            return None
        base = BASE_PRICES.get(type_, DOLLARS_A_VCPU * vcpus(type_))
        return round(base * ZONE_FACTORS.get(zone[-1], 1.0), 4)

    def history(self, zones: list[str], wish: Json, now: datetime) -> list[Json]:
        """The rows of DescribeSpotPriceHistory: newest first; with a StartTime also the price in force then."""
        if wish.get("AvailabilityZone"):
            zones = [zone for zone in zones if zone == wish["AvailabilityZone"]]
        types = wish.get("InstanceTypes") or list(self.prices) or list(BASE_PRICES)
        for filter in wish.get("Filters", []):
            if filter["Name"] == "availability-zone":
                zones = [zone for zone in zones if zone in filter["Values"]]
            elif filter["Name"] == "instance-type":
                types = filter["Values"]
        if "Linux/UNIX" not in (wish.get("ProductDescriptions") or ["Linux/UNIX"]):
            zones = []
        return [row for type_ in types for zone in zones for row in self._history(type_, zone, wish, now)]

    def _history(self, type_: str, zone: str, wish: Json, now: datetime) -> list[Json]:
        price, changed, rows = self.price(type_, zone), now - PRICE_CHANGES / 2, list[Json]()
        if price is None:
            return rows
        for number in range(PRICES_KEPT):
            if changed <= (wish.get("EndTime") or now):
                told = f"{price * (1 + 0.02 * (number % 3)):.6f}"
                about = {"InstanceType": type_, "AvailabilityZone": zone, "ProductDescription": "Linux/UNIX"}
                rows.append(about | {"SpotPrice": told, "Timestamp": changed})
            if wish.get("StartTime") and changed <= wish["StartTime"]:
                break
            changed -= PRICE_CHANGES
        return rows


def vcpus(type_: str) -> int:
    return int(INSTANCE_TYPES[type_]["VCpuInfo"]["DefaultVCpus"])


def quota_code(type_: str) -> str:
    family = re.match(r"[a-z]+", type_)
    return QUOTA_CODES.get(family.group() if family else "", STANDARD_QUOTA)

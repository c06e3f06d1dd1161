"""Prices and Spot capacity by type and zone, which moto does not simulate. No HTTP in here.

The prices are of the order of those in the project's facts on Spot (section 2.7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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
    "L-DB2E81BA": "Running On-Demand G and VT instances",
    "L-417A185B": "Running On-Demand P instances",
    "L-1216C47A": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
}
ON_DEMAND_QUOTAS = {"L-3819A6DF": "L-DB2E81BA", "L-7212CCBC": "L-417A185B", STANDARD_QUOTA: "L-1216C47A"}
"""By the Spot quota of the same types."""
ON_DEMAND_PRICES = {"g4dn.xlarge": 0.526, "g5.xlarge": 1.006}
"""In us-east-1."""
ON_DEMAND_FACTOR = 2.5
"""Times the Spot price, of types that have no price above."""
PRICE_CHANGES = timedelta(hours=6)
PRICES_KEPT = 12


class Market:
    """The Spot market as tests set it, by zone and type."""

    def __init__(self) -> None:
        self.prices: dict[str, dict[str, float]] = {}
        """By type and zone; a type that is here is offered in these zones only."""
        self.scores: dict[str, int] = {}
        self._changes: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
        """When ordered prices replaced others, and what had been the price until then."""
        self.closed: dict[str, str] = {}
        """Zones without capacity, and the sub-type of the event that reports it."""
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

    def order(self, prices: dict[str, dict[str, float]], now: datetime) -> None:
        """Sets prices from now on; a type's first ones apply to the past too."""
        for type_, zones in prices.items():
            for zone, before in self.prices.get(type_, {}).items():
                if zones.get(zone, before) != before:
                    self._changes.setdefault((type_, zone), []).append((now, before))
        self.prices.update(prices)

    def on_demand(self, type_: str) -> float:
        base = BASE_PRICES.get(type_, DOLLARS_A_VCPU * vcpus(type_))
        return ON_DEMAND_PRICES.get(type_, round(base * ON_DEMAND_FACTOR, 4))

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
        rows, about = list[Json](), {"InstanceType": type_, "AvailabilityZone": zone}
        for changed, price in self._told(type_, zone, now):
            if changed <= (wish.get("EndTime") or now):
                row = {"ProductDescription": "Linux/UNIX", "SpotPrice": f"{price:.6f}", "Timestamp": changed}
                rows.append(about | row)
            if wish.get("StartTime") and changed <= wish["StartTime"]:
                break
        return rows

    def _told(self, type_: str, zone: str, now: datetime) -> Iterator[tuple[datetime, float]]:
        """The price changes, newest first: those that tests set, and before them small made-up ones."""
        price = self.price(type_, zone)
        if price is None:
            return
        for changed, before in reversed(self._changes.get((type_, zone), [])):
            yield changed, price
            now, price = changed, before
        for number in range(PRICES_KEPT):
            yield now - PRICE_CHANGES * (number + 0.5), price * (1 + 0.02 * (number % 3))


def vcpus(type_: str) -> int:
    return int(INSTANCE_TYPES[type_]["VCpuInfo"]["DefaultVCpus"])


def quota_code(type_: str, on_demand: bool = False) -> str:
    family = re.match(r"[a-z]+", type_)
    code = QUOTA_CODES.get(family.group() if family else "", STANDARD_QUOTA)
    return ON_DEMAND_QUOTAS[code] if on_demand else code

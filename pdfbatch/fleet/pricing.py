"""How long and how dear: the arithmetic of a plan. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from pdfbatch.fleet.values import Account, Pace, Range, Work

IPV4_HOUR = 0.005
"""Dollars an hour for a public address. Source: AWS, VPC pricing, 2024-02 and since."""
GP3_GIB_HOUR = 0.08 / 730
"""Dollars an hour for a GiB of disk, us-east-1. Source: AWS, EBS pricing."""
GP3_MBPS_HOUR = 0.04 / 730
"""Dollars an hour for a MB/s of disk above the 125 that come with it. Source: the same."""
ROOT_MBPS = 250
"""A disk fresh from a snapshot is read slowly at first; an image of some GB is written to it at every boot."""
BOOT_HOURS = 8 / 60
"""From launch to the first page: the machine, the image's pull, the weights; paid, and again by a replacement."""
UNLUCKY = 1.15
"""A fleet that is interrupted a few times takes so much longer at the unlucky end."""
STANDARD_ERRORS = 2.0

DOLPHIN_PAGES_PER_SECOND = (0.5, 1.8)
"""Of one T4. The high end is counted from operations and bytes (README, Measured); the low end leaves room."""
DOLPHIN_SPEED = {"T4": 1.0, "A10G": 2.0, "L4": 2.0, "L40S": 4.0}
"""Against a T4, by memory bandwidth and half-precision throughput; a guess to plan with."""
CPU_PAGES_PER_SECOND = (0.2, 0.9)
"""Of one vCPU: scans at the low end, text layers at the high end (README, Measured; two vCPUs are one core)."""


class Machine(NamedTuple):
    kind: str
    zone: str
    price: float
    """Dollars an hour, all in."""


def machine_hour(spot: float, root_gib: int) -> float:
    """What an hour of one machine costs with its disk and address."""
    return spot + IPV4_HOUR + root_gib * GP3_GIB_HOUR + (ROOT_MBPS - 125) * GP3_MBPS_HOUR


def machines(account: Account, types: Sequence[str]) -> list[Machine]:
    """Every type in every zone that offers it."""
    return [
        Machine(kind, zone.name, machine_hour(zone.prices[kind], account.ami.root_gib))
        for zone in account.zones
        for kind in types
        if kind in zone.prices
    ]


def pages_left(work: Work) -> Range | None:
    """The sample's average, two standard errors to both sides, times the documents that are left."""
    if work.pages_each is None:
        return None
    margin = STANDARD_ERRORS * work.pages_each_error
    return Range(
        low=work.left * max(work.pages_each - margin, min(1.0, work.pages_each)),
        high=work.left * (work.pages_each + margin),
    )


def estimated_pace(engine: str, gpu: str, vcpus: int) -> Pace:
    """What a worker should do where nothing was measured."""
    if engine in ("dolphin", "auto"):
        speed = DOLPHIN_SPEED.get(gpu, 1.0)
        low, high = (speed * end for end in DOLPHIN_PAGES_PER_SECOND)
        if engine == "auto":
            high = max(high, vcpus * CPU_PAGES_PER_SECOND[1])
        return Pace(low=low, high=high, source=f"an estimate for a {gpu or 'GPU'}, not measured")
    low, high = (vcpus * end for end in CPU_PAGES_PER_SECOND)
    return Pace(low=low, high=high, source=f"an estimate for {vcpus} vCPUs, not measured")


def hours_of(pages: Range | None, pace: Pace, workers: int) -> Range | None:
    if pages is None:
        return None
    return Range(
        low=pages.low / (pace.high * workers) / 3600 + BOOT_HOURS,
        high=(pages.high / (pace.low * workers) / 3600 + BOOT_HOURS) * UNLUCKY,
    )


def cost_of(hours: Range | None, price: Range, workers: int, max_hours: float) -> Range | None:
    """No machine lives longer than `max_hours`, so none costs more."""
    if hours is None:
        return None
    return Range(
        low=min(hours.low, max_hours) * workers * price.low, high=min(hours.high, max_hours) * workers * price.high
    )


def affordable_hours(max_cost: float, workers: int, price: Range) -> float:
    """How long so many machines may live until they could have cost this much."""
    return max_cost / (workers * price.high)

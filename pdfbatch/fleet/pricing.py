"""Estimates a plan's time and cost. Pure."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from pdfbatch.fleet.values import DEFAULT_WORKERS, Account, Pace, Quota, Range, Work

IPV4_HOUR = 0.005
"""Dollars per hour for a public IPv4 address. Source: AWS, VPC pricing, since 2024-02."""
GP3_GIB_MONTH = 0.08
"""Dollars per GiB-month of gp3 in us-east-1, used where a region's own price is unknown. Source: AWS, EBS pricing."""
MONTH_HOURS = 730
MBPS_OF_GIB = 0.5
"""Each MB/s of gp3 throughput above the included 125 costs half as much as a GiB, in every region. Source: the same."""
ROOT_MBPS = 250
"""More than the default, because a disk fresh from a snapshot reads slowly and each boot writes an image of some GB."""
BOOT_HOURS = 8 / 60
"""From launch to the first page: boot, image pull, weights. Billed, and again for each replacement."""
UNLUCKY = 1.15
"""How much longer a fleet takes in the worst case, with a few interruptions."""
STANDARD_ERRORS = 2.0

DOLPHIN_PAGES_PER_SECOND = (0.5, 1.7)
"""For one T4. The high end is calculated from operations and bytes (docs/measurements.md); the low end is cautious."""
DOLPHIN_SPEED = {
    **{"M60": 0.5, "K80": 0.5, "T4g": 1.0, "T4": 1.0, "L4": 1.5, "A10G": 1.9, "L40S": 2.7, "V100": 2.8},
    **{"A100": 4.9, "H100": 10.0, "H200": 15.0, "B200": 25.0},
}
"""Relative to a T4, by memory bandwidth, which limits decoding (NVIDIA's data sheets); a planning estimate."""
CEILING = 1.5
"""The price ceiling as a multiple of the most expensive zone's price: allows a drift, not a spike."""
HOURS_ROOM, LEAST_HOURS, MOST_HOURS = 3.0, 2.0, 48.0
"""The default of --max-hours: this multiple of the expected time, within these bounds."""
WORTH_A_BOOT = 1.0
"""Hours of work that a worker should have; with less, its boot is a large part of its bill."""
WORKING_DAY = 8.0
ENDPOINT_PAGES_PER_SECOND = (0.3, 3.0)
"""For one worker with 32 requests under way that take between 10 and 100 s each. A guess: the endpoint decides."""
CPU_PAGES_PER_SECOND = (0.2, 0.9)
"""For one vCPU: scans at the low end, text layers at the high end (docs/measurements.md; two vCPUs are one core)."""
LAYER_PAGES_PER_SECOND = (0.45, 0.9)
"""Pages with a text layer, for one vCPU; the low end is half of what was measured."""
ELEMENTS_WORK = 0.15
"""The model's work on a page with a text layer, as a share of that on a whole page. A guess: most pages have no formula
or table for the model."""


class PricedInstance(NamedTuple):
    kind: str
    zone: str
    price: float
    """Dollars per hour, incl. disk and address."""


def disk_and_address_hour(root_gib: int, gib_month: float | None = None) -> float:
    """Returns the hourly cost of an instance's disk and public address; 0.0 without a disk of its own, as SageMaker's
    prices include both."""
    if not root_gib:
        return 0.0
    gib_hour = (GP3_GIB_MONTH if gib_month is None else gib_month) / MONTH_HOURS
    return IPV4_HOUR + (root_gib + (ROOT_MBPS - 125) * MBPS_OF_GIB) * gib_hour


def instance_hour(bare: float, root_gib: int, gib_month: float | None = None) -> float:
    """Returns the hourly cost of an instance with its disk and address."""
    return bare + disk_and_address_hour(root_gib, gib_month)


def priced_instances(account: Account, types: Sequence[str]) -> list[PricedInstance]:
    """Lists every type in every zone that offers it."""
    return [
        PricedInstance(kind, zone.name, instance_hour(zone.prices[kind], account.ami.root_gib, account.gib_month))
        for zone in account.zones
        for kind in types
        if kind in zone.prices
    ]


def pages_left(work: Work) -> Range | None:
    """Estimates the pages left: the sample's average ± two standard errors, times the documents left to read."""
    if work.pages_each is None:
        return None
    margin = STANDARD_ERRORS * work.pages_each_error
    documents = work.left - work.copies
    return Range(
        low=documents * max(work.pages_each - margin, min(1.0, work.pages_each)),
        high=documents * (work.pages_each + margin),
    )


def estimated_pace(engine: str, gpu: str, vcpus: int, layer_share: float | None = None) -> Pace:
    """Estimates a worker's pace without a measurement. `layer_share`: pages with a healthy text layer, 0 to 1."""
    if engine in ("dolphin", "auto"):
        speed = DOLPHIN_SPEED.get(gpu, 1.0)
        like = "" if gpu in DOLPHIN_SPEED else " like a T4"
        low, high = (speed * end for end in DOLPHIN_PAGES_PER_SECOND)
        if engine == "auto" and layer_share is None:
            high = max(high, vcpus * CPU_PAGES_PER_SECOND[1])
        elif engine == "auto" and layer_share is not None:
            low, high = auto_pace(low, high, vcpus, layer_share)
            like += f", {100 * layer_share:.0f} % of the sampled pages with a good text layer"
        return Pace(low=low, high=high, source=f"an estimate for a {gpu or 'GPU'}{like}, not measured")
    if engine == "endpoint":
        low, high = ENDPOINT_PAGES_PER_SECOND
        return Pace(low=low, high=high, source="a guess, because the endpoint decides; see --pages-per-second")
    low, high = (vcpus * end for end in CPU_PAGES_PER_SECOND)
    return Pace(low=low, high=high, source=f"an estimate for {vcpus} vCPUs, not measured")


def auto_pace(low: float, high: float, vcpus: int, layer_share: float) -> tuple[float, float]:
    """Estimates the pages per second of `auto`, where the model alone reads `low` to `high`. Model and CPU work in
    parallel, so the busier one sets the pace."""
    of_model = 1 - layer_share * (1 - ELEMENTS_WORK)
    of_cpu = max(layer_share, 1e-9)
    slow, fast = LAYER_PAGES_PER_SECOND
    return min(low / of_model, vcpus * slow / of_cpu), min(high / of_model, vcpus * fast / of_cpu)


def hours_of(pages: Range | None, pace: Pace, workers: int) -> Range | None:
    if pages is None:
        return None
    return Range(
        low=pages.low / (pace.high * workers) / 3600 + BOOT_HOURS,
        high=(pages.high / (pace.low * workers) / 3600 + BOOT_HOURS) * UNLUCKY,
    )


def cost_of(hours: Range | None, price: Range, workers: int, max_hours: float) -> Range | None:
    """Estimates the cost; no instance runs longer than `max_hours`."""
    if hours is None:
        return None
    return Range(
        low=min(hours.low, max_hours) * workers * price.low, high=min(hours.high, max_hours) * workers * price.high
    )


def max_prices(account: Account, types: Sequence[str], max_price: float | None) -> dict[str, float]:
    """Sets each type's Spot price ceiling, without disk and address; a type without a price has none."""
    highest = {
        kind: max((zone.prices[kind] for zone in account.zones if kind in zone.prices), default=0.0) for kind in types
    }
    if max_price is not None:
        return dict.fromkeys(types, max_price)
    return {kind: round(CEILING * price, 4) for kind, price in highest.items() if price}


def affordable_hours(max_cost: float, workers: int, ceiling: float) -> float:
    """Returns the hours after which the workers could have cost `max_cost` at the price ceiling."""
    return max_cost / (workers * ceiling)


def default_hours(hours: Range | None) -> float:
    """Returns the default of --max-hours: several times the expected time."""
    if hours is None:
        return MOST_HOURS
    return min(MOST_HOURS, max(LEAST_HOURS, float(math.ceil(HOURS_ROOM * hours.high))))


def suggested_workers(pages: Range | None, pace: Pace) -> int | None:
    """Suggests a number of workers: each has enough work to justify its boot, and the run ends within a working day."""
    if pages is None:
        return None
    hours = (pages.low + pages.high) / (pace.low + pace.high) / 3600
    enough, worthwhile = math.ceil(hours / WORKING_DAY), int(hours / WORTH_A_BOOT)
    return max(1, enough, min(DEFAULT_WORKERS, worthwhile))


def room(quota: Quota, vcpus: int) -> int | None:
    """Returns how many more instances with this many vCPUs fit into the quota; None: its limit is unknown."""
    return None if quota.limit is None else int(max(0.0, quota.limit - quota.used) // quota.of_one(vcpus))


def quota_request(code: str, wanted: float, region: str, service: str = "ec2") -> str:
    """Returns the command that requests a higher limit from AWS."""
    return (
        f"aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} "
        f"--desired-value {wanted:g} --region {region}"
    )

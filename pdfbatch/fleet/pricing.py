"""How long and how dear: the arithmetic of a plan. Pure."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from pdfbatch.fleet.values import DEFAULT_WORKERS, Account, Pace, Quota, Range, Work

IPV4_HOUR = 0.005
"""Dollars an hour for a public address. Source: AWS, VPC pricing, 2024-02 and since."""
GP3_GIB_MONTH = 0.08
"""Dollars a month for a GiB of gp3 disk in us-east-1; where a region's own price could not be asked. Source: AWS, EBS
pricing."""
MONTH_HOURS = 730
MBPS_OF_GIB = 0.5
"""A MB/s of disk above the 125 that come with it costs half of what a GiB does, in every region. Source: the same."""
ROOT_MBPS = 250
"""A disk fresh from a snapshot is read slowly at first; an image of some GB is written to it at every boot."""
BOOT_HOURS = 8 / 60
"""From launch to the first page: the machine, the image's pull, the weights; paid, and again by a replacement."""
UNLUCKY = 1.15
"""A fleet that is interrupted a few times takes so much longer at the unlucky end."""
STANDARD_ERRORS = 2.0

DOLPHIN_PAGES_PER_SECOND = (0.5, 1.8)
"""Of one T4. The high end is counted from operations and bytes (docs/measurements.md); the low end leaves room."""
DOLPHIN_SPEED = {
    **{"M60": 0.5, "K80": 0.5, "T4g": 1.0, "T4": 1.0, "L4": 1.5, "A10G": 1.9, "L40S": 2.7, "V100": 2.8},
    **{"A100": 4.9, "H100": 10.0, "H200": 15.0, "B200": 25.0},
}
"""Against a T4, by memory bandwidth, which bounds the decoding (NVIDIA's data sheets); a guess to plan with."""
CEILING = 1.5
"""Times the dearest zone's price today: room for a price that drifts, none for one that runs away."""
HOURS_ROOM, LEAST_HOURS, MOST_HOURS = 3.0, 2.0, 48.0
"""Without --max-hours a run may take so many times the time that is expected at most, within these bounds."""
WORTH_A_BOOT = 1.0
"""Hours of work that a worker should have, else its boot is a large part of its bill."""
WORKING_DAY = 8.0
CPU_PAGES_PER_SECOND = (0.2, 0.9)
"""Of one vCPU: scans at the low end, text layers at the high end (docs/measurements.md; two vCPUs are one core)."""


LAYER_PAGES_PER_SECOND = (0.45, 0.9)
"""Text layers by one vCPU; half of what was measured at the low end."""
ELEMENTS_WORK = 0.15
"""Of the model's work on a whole page: what the elements of a page with a text layer take, on average; a guess, as most
pages have neither a formula nor a table to be read."""


class PricedInstance(NamedTuple):
    kind: str
    zone: str
    price: float
    """Dollars an hour, all in."""


def disk_and_address_hour(root_gib: int, gib_month: float | None = None) -> float:
    """What an hour of an instance costs beside the instance itself."""
    gib_hour = (GP3_GIB_MONTH if gib_month is None else gib_month) / MONTH_HOURS
    return IPV4_HOUR + (root_gib + (ROOT_MBPS - 125) * MBPS_OF_GIB) * gib_hour


def machine_hour(bare: float, root_gib: int, gib_month: float | None = None) -> float:
    """What an hour of one instance costs with its disk and address."""
    return bare + disk_and_address_hour(root_gib, gib_month)


def machines(account: Account, types: Sequence[str]) -> list[PricedInstance]:
    """Every type in every zone that offers it."""
    return [
        PricedInstance(kind, zone.name, machine_hour(zone.prices[kind], account.ami.root_gib, account.gib_month))
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


def estimated_pace(engine: str, gpu: str, vcpus: int, layer_share: float | None = None) -> Pace:
    """What a worker should do where nothing was measured. `layer_share`: pages with a healthy text layer, 0 to 1."""
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
    low, high = (vcpus * end for end in CPU_PAGES_PER_SECOND)
    return Pace(low=low, high=high, source=f"an estimate for {vcpus} vCPUs, not measured")


def auto_pace(low: float, high: float, vcpus: int, layer_share: float) -> tuple[float, float]:
    """Pages a second of `auto`, where the model alone reads `low` to `high`: the model and the CPU work at once, so
    whichever has the more to do decides."""
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
    """No machine lives longer than `max_hours`, so none costs more."""
    if hours is None:
        return None
    return Range(
        low=min(hours.low, max_hours) * workers * price.low, high=min(hours.high, max_hours) * workers * price.high
    )


def max_prices(account: Account, types: Sequence[str], max_price: float | None) -> dict[str, float]:
    """The Spot price ceiling of each type, for the instance alone; a type without a price in any zone has none."""
    dearest = {
        kind: max((zone.prices[kind] for zone in account.zones if kind in zone.prices), default=0.0) for kind in types
    }
    if max_price is not None:
        return dict.fromkeys(types, max_price)
    return {kind: round(CEILING * price, 4) for kind, price in dearest.items() if price}


def affordable_hours(max_cost: float, workers: int, ceiling: float) -> float:
    """How long so many instances may live until they could have cost this much."""
    return max_cost / (workers * ceiling)


def default_hours(hours: Range | None) -> float:
    """How long a run may take at most where nobody said: several times what is expected."""
    if hours is None:
        return MOST_HOURS
    return min(MOST_HOURS, max(LEAST_HOURS, float(math.ceil(HOURS_ROOM * hours.high))))


def suggested_workers(pages: Range | None, pace: Pace) -> int | None:
    """So many that each has work worth its boot, and that the run ends within a working day."""
    if pages is None:
        return None
    hours = (pages.low + pages.high) / (pace.low + pace.high) / 3600
    enough, worthwhile = math.ceil(hours / WORKING_DAY), int(hours / WORTH_A_BOOT)
    return max(1, enough, min(DEFAULT_WORKERS, worthwhile))


def room(quota: Quota, vcpus: int) -> int | None:
    """How many more instances of so many vCPUs the quota has room for; None: its limit could not be asked."""
    return None if quota.limit is None else int(max(0.0, quota.limit - quota.used) // vcpus)


def quota_request(code: str, vcpus: float, region: str) -> str:
    """The command that asks AWS for a higher limit."""
    return (
        f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code} "
        f"--desired-value {vcpus:g} --region {region}"
    )

"""Decides whether a run must stop because its cost cap is reached. Pure.

Every worker decides for itself, from its own meter and the other workers' heartbeats. An instance that may still be
running counts as running: the sum tends to be too high, as in `pdfbatch.runs.machines`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pdfbatch.records import Boot, FleetRecord, Heartbeat, Machine
from pdfbatch.runs.machines import BOOT_SECONDS, END_SECONDS, FAILURE_SECONDS, NOTICE_SECONDS

LOOK_SECONDS = 300.0
"""How often a worker checks the cost of the run."""
DRAIN_SECONDS = 600.0
"""The time that money is reserved for: half until a worker's next check, half to drain and terminate the instance."""
_PAID_AFTER = {"done": END_SECONDS, "interrupted": NOTICE_SECONDS, "failed": FAILURE_SECONDS}
"""The longest time in seconds that an instance is billed after its last heartbeat, by state; others have no limit."""


class Use(NamedTuple):
    """The cost of a slice so far, and the hourly price of its running instance (0.0: none is running), both with the
    answers of an endpoint."""

    dollars: float
    price: float


def over_budget(uses: Iterable[Use], max_cost: float) -> str:
    """Returns why the workers must stop now, in one sentence; "" to continue."""
    known = list(uses)
    spent = sum(use.dollars for use in known)
    living = sum(use.price > 0 for use in known)
    drain = sum(use.price for use in known) * DRAIN_SECONDS / 3600
    if spent + drain < max_cost:
        return ""
    return (
        f"About ${spent:,.2f} of ${max_cost:,.2f} is spent, and stopping {living} "
        f"{'instance' if living == 1 else 'instances'} may cost ${drain:,.2f} more."
    )


def use_of(beat: Heartbeat | None, boots: Sequence[Boot], fleet: FleetRecord, now: datetime) -> Use:
    """Returns the use of another worker's slice, from its last heartbeat and the boots of its instances."""
    ceiling = fleet.price_ceiling or fleet.worst_price
    if beat is None:
        return Use(ceiling * _hours(now - fleet.launched), ceiling)
    price = beat.price or (first_price(fleet, beat.machine) if beat.machine else ceiling)
    at, known = beat.at, beat.dollars + beat.counts.model_use.endpoint.dollars
    booted = _replaced(beat, boots)
    if beat.state in _PAID_AFTER:
        spent = known + price * _PAID_AFTER[beat.state] / 3600
    else:
        spent = known + price * _hours((booted or now) - at)
    if booted is not None:
        return Use(spent + ceiling * _hours(now - booted), ceiling + answers_an_hour(beat))
    return Use(spent, 0.0 if beat.state in _PAID_AFTER else price + answers_an_hour(beat))


def answers_an_hour(beat: Heartbeat) -> float:
    """Returns what an endpoint's answers for a slice cost in an hour, at the pace so far. Those of its earlier
    processes count as if this one had asked for them: rather too much is reserved."""
    return beat.counts.model_use.endpoint.dollars * 3600 / beat.seconds if beat.seconds else 0.0


def first_price(fleet: FleetRecord, machine: Machine) -> float:
    """Returns an instance's price at launch in dollars per hour, all included."""
    if fleet.market == "on-demand":
        return fleet.on_demand_prices.get(machine.type, fleet.price(machine))
    return fleet.price(machine)


def _replaced(beat: Heartbeat, boots: Sequence[Boot]) -> datetime | None:
    """Returns when the billing of the first instance after the heartbeat's began; None if there is none. After `done`
    no instance counts: it finds the done mark and shuts down."""
    if beat.state == "done":
        return None
    own = beat.machine.instance if beat.machine else ""
    later = [
        boot.machine.booted
        for boot in boots
        if boot.worker == beat.worker and boot.machine.instance != own and boot.machine.booted > beat.at
    ]
    return min(later) - timedelta(seconds=BOOT_SECONDS) if later else None


def _hours(span: timedelta) -> float:
    return max(0.0, span.total_seconds() / 3600)

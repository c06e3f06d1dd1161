"""Whether a run must stop because its money is spent. Pure.

Every worker decides for itself, from its own meter and what the others' heartbeats tell. A slice whose instance may
live counts as if it did: the sum is rather too high than too low, as in `pdfbatch.runs.machines`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pdfbatch.records import Boot, FleetRecord, Heartbeat, Machine
from pdfbatch.runs.liveness import moment
from pdfbatch.runs.machines import BOOT_SECONDS, END_SECONDS, FAILURE_SECONDS, NOTICE_SECONDS

LOOK_SECONDS = 300.0
"""How often a worker looks at what the run has cost."""
DRAIN_SECONDS = 600.0
"""What is kept back for: half of it may pass until a worker looks, the rest is for its drain and its instance's end."""
_PAID_AFTER = {"done": END_SECONDS, "interrupted": NOTICE_SECONDS, "failed": FAILURE_SECONDS}
"""Seconds that an instance is paid for at most after the last heartbeat, by its state; all others may live on."""


class Use(NamedTuple):
    """What a slice has cost so far, and what an hour of its living instance costs (0.0: none lives)."""

    dollars: float
    price: float


def over_budget(uses: Iterable[Use], max_cost: float) -> str:
    """Why the workers must stop now, one sentence; "" to go on."""
    known = list(uses)
    spent = sum(use.dollars for use in known)
    living = sum(use.price > 0 for use in known)
    drain = sum(use.price for use in known) * DRAIN_SECONDS / 3600
    if spent + drain < max_cost:
        return ""
    return (
        f"About ${spent:,.2f} of ${max_cost:,.2f} are spent, and to end {living} "
        f"{'instance' if living == 1 else 'instances'} may cost ${drain:,.2f} more."
    )


def use_of(beat: Heartbeat | None, boots: Sequence[Boot], fleet: FleetRecord, now: datetime) -> Use:
    """A slice of which only its records are known: its last heartbeat, and the boots of its instances."""
    ceiling = fleet.price_ceiling or fleet.worst_price
    if beat is None:
        return Use(ceiling * _hours(now - moment(fleet.launched)), ceiling)
    price = beat.price or (first_price(fleet, beat.machine) if beat.machine else ceiling)
    at = moment(beat.at)
    booted = _replaced(beat, boots)
    if beat.state in _PAID_AFTER:
        spent = beat.dollars + price * _PAID_AFTER[beat.state] / 3600
    else:
        spent = beat.dollars + price * _hours((booted or now) - at)
    if booted is not None:
        return Use(spent + ceiling * _hours(now - booted), ceiling)
    return Use(spent, 0.0 if beat.state in _PAID_AFTER else price)


def first_price(fleet: FleetRecord, machine: Machine) -> float:
    """Dollars an hour of an instance, all in, as the launch knew it."""
    if fleet.market == "on-demand":
        return fleet.on_demand_prices.get(machine.type, fleet.price(machine))
    return fleet.price(machine)


def _replaced(beat: Heartbeat, boots: Sequence[Boot]) -> datetime | None:
    """When the first instance after the heartbeat's began to be paid for; None if there is none. After `done` none
    stays: it finds the done mark and ends itself."""
    if beat.state == "done":
        return None
    own = beat.machine.instance if beat.machine else ""
    later = [
        moment(boot.machine.booted)
        for boot in boots
        if boot.worker == beat.worker and boot.machine.instance != own and moment(boot.machine.booted) > moment(beat.at)
    ]
    return min(later) - timedelta(seconds=BOOT_SECONDS) if later else None


def _hours(span: timedelta) -> float:
    return max(0.0, span.total_seconds() / 3600)

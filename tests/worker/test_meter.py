"""The cost of a slice's instances: from boot, at the current price, over replacements and restarts."""

from __future__ import annotations

from datetime import datetime

import pytest

from pdfbatch.records import Counts, Heartbeat, Machine, WorkerState
from pdfbatch.worker.meter import Meter
from tests.runs.fleets import minute

HERE = Machine(instance="i-2", type="g4dn.xlarge", zone="us-east-1a", booted=minute(61))
BEFORE = Machine(instance="i-1", type="g4dn.xlarge", zone="us-east-1a", booted=minute(1))


class Clock:
    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return minute(self.at)


def metered(at: float, price: float = 6.0) -> tuple[Meter, Clock]:
    """A cent is six seconds: $6 an hour, ten cents a minute."""
    clock = Clock(at)
    return Meter(HERE, price, clock), clock


def last_beat(machine: Machine, at: float, state: WorkerState = "running", notice: float | None = None) -> Heartbeat:
    return Heartbeat(
        worker=0,
        state=state,
        counts=Counts(),
        started=minute(0),
        at=minute(at),
        machine=machine,
        dollars=1.0,
        notice=None if notice is None else minute(notice),
    )


def test_an_instance_costs_from_a_minute_before_its_boot_script() -> None:
    meter, clock = metered(at=70)
    assert meter.dollars() == pytest.approx(1.0)
    clock.at = 80
    assert meter.dollars() == pytest.approx(2.0)


def test_a_clock_that_goes_back_takes_no_money_back() -> None:
    meter, clock = metered(at=70)
    meter.dollars()
    clock.at = 65
    assert meter.dollars() == pytest.approx(1.0)
    clock.at = 71
    assert meter.dollars() == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("prices", "dollars"),
    [
        ([6.0], 2.0),
        ([3.0], 1.5),
        ([18.0], 6.0),
        ([18.0, 6.0], 4.0),
        ([3.0, 6.0], 2.0),
    ],
    ids=[
        "it holds",
        "it falls: from now on",
        "it rises: since the last was known",
        "up and down",
        "down and up at once",
    ],
)
def test_the_cost_of_ten_minutes_before_and_ten_after_a_price_change(prices: list[float], dollars: float) -> None:
    meter, clock = metered(at=70)
    for price in prices:
        meter.set_price(price)
    clock.at = 80
    assert meter.dollars() == pytest.approx(dollars)


@pytest.mark.parametrize(
    ("last", "dollars"),
    [
        (last_beat(BEFORE, 50, "interrupted"), 1.0 + 0.2 + 1.0),
        (last_beat(BEFORE, 50, notice=49), 1.0 + 0.2 + 1.0),
        (last_beat(BEFORE, 45, "failed"), 1.0 + 1.0 + 1.0),
        (last_beat(BEFORE, 50), 1.0 + 1.0 + 1.0),
        (last_beat(BEFORE, 59, "interrupted"), 1.0 + 0.1 + 1.0),
        (last_beat(BEFORE, 65), 1.0 + 1.0),
        (last_beat(HERE, 68), 1.0 + 0.2),
    ],
    ids=[
        "two minutes after an interruption",
        "two minutes after a notice",
        "ten minutes after a failure",
        "a silent one until the next boots",
        "no longer than until the next boots",
        "clocks differ: no negative time",
        "a restart on the same instance goes on",
    ],
)
def test_a_meter_goes_on_from_the_heartbeat_before(last: Heartbeat, dollars: float) -> None:
    meter, _ = metered(at=70)
    meter.dollars()
    meter.inherit(last)
    assert meter.dollars() == pytest.approx(dollars)


def test_a_rise_is_not_counted_over_time_that_an_earlier_process_counted() -> None:
    meter, _ = metered(at=70)
    meter.inherit(last_beat(HERE, 70))
    meter.set_price(600.0)
    assert meter.dollars() == pytest.approx(1.0)

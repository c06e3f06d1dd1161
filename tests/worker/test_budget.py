"""The cost cap: workers drain before the run exceeds it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.errors import StoreError
from pdfbatch.records import (
    Boot,
    Counts,
    DoneMark,
    EndpointUse,
    FleetRecord,
    Heartbeat,
    Machine,
    ModelUse,
    ReadOptions,
    WorkerState,
)
from pdfbatch.runs.partition import Slice
from pdfbatch.store import open_store
from pdfbatch.worker.budget import DRAIN_SECONDS, LOOK_SECONDS, Use, first_price, over_budget, use_of
from pdfbatch.worker.budget_watch import BudgetSources, BudgetWatch, Peers, read_peers
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.meter import Meter
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.stop import Stop
from samples.many import many_pdfs
from tests.runs.fleets import LAUNCH, fleet, minute
from tests.worker import page_tasks
from tests.worker.begun import begin_at
from tests.worker.page_tasks import engine

CEILING = 6.0


class Clock:
    def __init__(self) -> None:
        self.minutes = 0.0

    def __call__(self) -> datetime:
        return LAUNCH + timedelta(minutes=self.minutes)


def capped(max_cost: float, market: str = "spot") -> FleetRecord:
    known = {"max_cost": max_cost, "price_ceiling": CEILING, "market": market, "on_demand_prices": {"g4dn.xlarge": 4.0}}
    return FleetRecord.model_validate(fleet(hours=100).model_dump() | known)


def machine(number: int = 0, booted: float = 1, zone: str = "us-east-1a") -> Machine:
    return Machine(instance=f"i-{number}", type="g4dn.xlarge", zone=zone, booted=minute(booted))


def beat(at: float, state: WorkerState = "running", price: float = 3.0, worker: int = 0) -> Heartbeat:
    return Heartbeat(
        worker=worker,
        state=state,
        counts=Counts(),
        started=minute(0),
        at=minute(at),
        machine=machine(),
        dollars=1.0,
        price=price,
    )


@pytest.mark.parametrize(
    ("uses", "stops"),
    [
        ([Use(9.4, 3.0)], False),
        ([Use(9.5, 3.0)], True),
        ([Use(9.4, 9.0)], True),
        ([Use(4.7, 1.5), Use(4.7, 1.5)], False),
        ([Use(4.7, 3.0), Use(4.7, 3.0)], True),
        ([Use(4.7, 3.0), Use(4.7, 0.0)], False),
        ([Use(5.0, 0.0), Use(5.0, 0.0)], True),
        ([], False),
    ],
    ids=[
        "room for the drain",
        "no room for the drain",
        "the price tripled",
        "two workers with room",
        "two drains cost more",
        "one of them has ended",
        "all is spent",
        "nobody",
    ],
)
def test_a_run_stops_when_its_cost_and_its_drain_reach_the_cap(uses: list[Use], stops: bool) -> None:
    assert bool(over_budget(uses, 10.0)) == stops


def test_answers_of_an_endpoint_count_and_their_pace_is_reserved_for() -> None:
    paid = ModelUse(endpoint=EndpointUse(answers=90, dollars=4.0))
    working = beat(10).model_copy(update={"counts": Counts(model_use=paid), "seconds": 7200.0})
    record = fleet().model_copy(update={"max_cost": 10.0})
    bare = use_of(beat(10), [], record, minute(10))
    assert use_of(working, [], record, minute(10)) == Use(bare.dollars + 4.0, bare.price + 2.0)
    ended = working.model_copy(update={"state": "done"})
    assert use_of(ended, [], record, minute(10)).price == 0.0


def test_the_sentence_names_the_dollars() -> None:
    assert over_budget([Use(9.5, 3.0), Use(0.25, 3.0)], 10.0) == (
        "About $9.75 of $10.00 is spent, and stopping 2 instances may cost $1.00 more."
    )


@pytest.mark.parametrize(
    ("last", "booted", "use"),
    [
        (None, None, Use(6.0, CEILING)),
        (beat(40), None, Use(1.0 + 1.0, 3.0)),
        (beat(40, "draining"), None, Use(1.0 + 1.0, 3.0)),
        (beat(40, price=0.0), None, Use(1.0 + 1.0 / 3, 1.0)),
        (beat(40, "done"), None, Use(1.0 + 0.05, 0.0)),
        (beat(40, "interrupted"), None, Use(1.0 + 0.1, 0.0)),
        (beat(40, "failed"), None, Use(1.0 + 0.5, 0.0)),
        (beat(40, "interrupted"), 51, Use(1.0 + 0.1 + 1.0, CEILING)),
        (beat(40), 51, Use(1.0 + 0.5 + 1.0, CEILING)),
        (beat(40, "done"), 51, Use(1.0 + 0.05, 0.0)),
        (beat(55), 51, Use(1.0 + 0.25, 3.0)),
        (beat(70), None, Use(1.0, 3.0)),
    ],
    ids=[
        "no heartbeat: from launch at the ceiling",
        "alive",
        "draining",
        "no price told: the one at launch",
        "done",
        "interrupted",
        "failed",
        "its replacement boots, at the ceiling",
        "silent, and another boots",
        "done, and another boots",
        "an older boot",
        "clocks differ",
    ],
)
def test_the_cost_of_another_slice_at_minute_60(last: Heartbeat | None, booted: float | None, use: Use) -> None:
    boots = [] if booted is None else [Boot(0, machine(9, booted)), Boot(1, machine(8, booted))]
    found = use_of(last, boots, capped(10.0), minute(60))
    assert found == (pytest.approx(use.dollars), use.price)


def test_without_a_ceiling_the_worst_price_counts() -> None:
    known = capped(10.0).model_copy(update={"price_ceiling": 0.0})
    assert use_of(None, [], known, minute(60)) == (pytest.approx(3.0), 3.0)


@pytest.mark.parametrize(("market", "price"), [("spot", 2.0), ("on-demand", 4.0)])
def test_the_first_price_is_that_of_the_launch(market: str, price: float) -> None:
    assert first_price(capped(10.0, market), machine(zone="us-east-1b")) == price


class Simulated:
    """A worker that looks every five minutes, and ends five minutes after it has decided to stop."""

    def __init__(self, number: int, price: float, first_look: int) -> None:
        self.number, self.price, self.first_look = number, price, first_look
        self.dollars = 0.0
        self.ends: int | None = None

    def lives(self, now: int) -> bool:
        return self.ends is None or now < self.ends

    def beat(self, now: int) -> Heartbeat:
        state: WorkerState = "running" if self.ends is None else "draining" if self.lives(now) else "interrupted"
        at = now if self.ends is None else min(now, self.ends)
        return beat(at, state, self.price, self.number).model_copy(update={"dollars": self.dollars})

    def passes(self, others: list[Heartbeat], record: FleetRecord, now: int) -> None:
        """One minute of it."""
        if self.ends is None and now % (LOOK_SECONDS / 60) == self.first_look:
            uses = [use_of(each, [], record, minute(now)) for each in others]
            if over_budget([Use(self.dollars, self.price), *uses], record.max_cost or 0.0):
                self.ends = now + int((DRAIN_SECONDS - LOOK_SECONDS) / 60)
        if self.lives(now):
            self.dollars += self.price / 60


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 10), st.integers(0, 4)), min_size=1, max_size=4), st.floats(1.0, 5.0))
def test_workers_that_look_at_different_times_never_exceed_the_cap(drawn: list[tuple[float, int]], room: float) -> None:
    """While prices hold, and where the cap is no smaller than what the first look and a drain cost."""
    workers = [Simulated(number, price, first_look) for number, (price, first_look) in enumerate(drawn)]
    record = capped(sum(price for price, _ in drawn) * 2 * DRAIN_SECONDS / 3600 * room)
    now = 0
    while any(worker.lives(now) for worker in workers):
        beats = [worker.beat(now) for worker in workers]
        for worker in workers:
            worker.passes([each for each in beats if each.worker != worker.number], record, now)
        now += 1
        assert now < 10_000, "all of them stop"
    assert sum(worker.dollars for worker in workers) <= (record.max_cost or 0.0) + 1e-9


def watch(
    record: FleetRecord, clock: Clock, peers: Callable[[], Peers], price: Callable[[], float | None], workers: int = 2
) -> tuple[BudgetWatch, Meter, Stop]:
    meter, stop = Meter(machine(), first_price(record, machine()), clock), Stop()
    return BudgetWatch(record, 0, workers, meter, stop, BudgetSources(peers, price, clock)), meter, stop


def refuse() -> float:
    raise StoreError("EC2 cannot be reached.", "Wait.")


def test_the_price_is_asked_every_ten_minutes_and_the_last_known_holds() -> None:
    clock, asked = Clock(), [0]

    def price() -> float:
        asked[0] += 1
        return 5.0 if asked[0] == 1 else refuse()

    looking, meter, stop = watch(capped(1000.0), clock, Peers, price)
    for clock.minutes in (0, 5, 10, 15, 20):
        looking.look()
    assert asked == [3] and meter.price == 5.0 and not stop.asked


def test_an_on_demand_price_is_never_asked() -> None:
    looking, meter, _ = watch(capped(1000.0, "on-demand"), Clock(), Peers, refuse)
    looking.look()
    assert meter.price == 4.0


def test_heartbeats_that_cannot_be_read_count_on_from_the_last_ones() -> None:
    clock = Clock()
    answers = [Peers([beat(0, worker=1)])]

    def peers() -> Peers:
        if not answers:
            raise StoreError("S3 cannot be reached.", "Wait.")
        return answers.pop()

    looking, _, stop = watch(capped(5.0), clock, peers, lambda: 1.0)
    looking.look()
    assert not stop.asked
    clock.minutes = 30
    looking.look()
    assert not stop.asked, "$1 + $1.50 + $0.50, and $0.67 for the drain"
    clock.minutes = 55
    looking.look()
    assert stop.why == "over_budget" and "of $5.00" in stop.detail


def test_a_heartbeat_of_the_slices_last_instance_counts_until_its_count_is_inherited() -> None:
    last = beat(0).model_copy(update={"dollars": 4.9})
    looking, _, stop = watch(capped(5.0), Clock(), lambda: Peers([last]), lambda: 1.0, workers=1)
    looking.look()
    assert stop.why == "over_budget"


TRIPLES_AT = 60.0
PRICE = 0.6


def run_capped(pdfs: Path, out: Path, max_cost: float, triples: bool) -> tuple[DoneMark, Heartbeat, float]:
    """The real loop over many documents, five minutes of a run in each twentieth of a second; and when it ended."""
    many_pdfs(pdfs, 150)
    source, output = open_store(str(pdfs)), open_store(str(out))
    begun = begin_at(source, output, "note_slowly", ReadOptions(), Slice(0, 1))
    clock, stop = Clock(), Stop()
    clock.minutes = 1
    record = capped(max_cost).model_copy(
        update={"run": begun.manifest.run, "prices": {"g4dn.xlarge@us-east-1a": PRICE}}
    )
    meter = Meter(machine(), first_price(record, machine()), clock)
    reads = engine(page_tasks.note_slowly)
    job = SliceConfig(begun.manifest, begun.documents, 0, source, output, reads, 1, 1.0, clock, machine(), meter)
    run = SliceRun(job, stop)

    def price() -> float:
        return 3 * PRICE if triples and clock.minutes >= TRIPLES_AT else PRICE

    def wait(ended: threading.Event, seconds: float) -> bool:
        if not stop.asked:
            clock.minutes += seconds / 60
        return ended.wait(0.05)

    outside = BudgetSources(lambda: read_peers(output, record.run), price, clock, wait)
    with BudgetWatch(record, 0, 1, meter, stop, outside):
        mark = run.run()
    return mark, run.heartbeat(), clock.minutes


def test_a_run_whose_price_triples_in_the_middle_drains_before_the_cap(pdfs: Path, out: Path) -> None:
    mark, last, ended = run_capped(pdfs, out, max_cost=2.0, triples=True)
    assert mark.why == "over_budget" and "of $2.00 is spent" in mark.detail
    assert mark.counts.done < mark.counts.total, "the rest is left to the next launch"
    assert 1.0 < last.dollars <= 2.0
    assert last.price == pytest.approx(3 * PRICE)
    assert TRIPLES_AT < ended < 60 * 2.0 / PRICE / 1.5, "much earlier than at the price of the launch"


@pytest.mark.slow
def test_a_run_within_its_cap_reads_everything(pdfs: Path, out: Path) -> None:
    mark, last, _ = run_capped(pdfs, out, max_cost=1e6, triples=True)
    assert mark.why == "done" and last.dollars > 0

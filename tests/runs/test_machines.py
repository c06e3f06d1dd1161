"""A worker's state and the cost of its instances at each moment, from a fleet's records."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from pdfbatch.records import FleetRecord
from pdfbatch.runs.machines import Standing, dollars, intervals, machines, standing
from pdfbatch.runs.sessions import sessions_of
from tests.runs.fleets import Story, fleet, minute


class Moment(NamedTuple):
    story: Story
    at: float
    """Minutes since the launch."""
    state: str
    stale: bool = False
    final: bool = False
    record: FleetRecord = fleet()


def first_machine() -> Story:
    return Story().boots_at(3)


def working() -> Story:
    return first_machine().beats(6, 20)


def noticed() -> Story:
    return first_machine().beats(6, 21, "draining", notice=20)


def taken() -> Story:
    return first_machine().beats(6, 21, "interrupted", notice=20).marks(21, "interrupted")


MOMENTS = {
    "nothing has booted yet": Moment(Story(), 2, "waiting"),
    "the first machine has booted, no worker has spoken": Moment(first_machine(), 5, "booting"),
    "a boot that takes very long is suspicious": Moment(first_machine(), 19, "booting", stale=True),
    "the worker looks where it stands": Moment(first_machine().beats(6, 6, "starting"), 6.1, "starting"),
    "it works": Moment(working(), 20.2, "running"),
    "it is silent for two minutes": Moment(working(), 22, "running", stale=True),
    "it is silent for six minutes: its machine is gone": Moment(working(), 26, "waiting", stale=True),
    "it was asked to stop": Moment(first_machine().beats(6, 20, "draining"), 20.1, "draining"),
    "AWS gave notice": Moment(noticed(), 21.1, "draining"),
    "AWS gave notice and the worker fell silent before its mark": Moment(noticed(), 22.5, "interrupted"),
    "it drained and left its mark": Moment(taken(), 22, "interrupted"),
    "AWS took the machine and has no other": Moment(taken(), 24, "waiting"),
    "the replacement boots": Moment(taken().boots_at(25), 26, "booting"),
    "the replacement boots at once, within the silence": Moment(taken().boots_at(22), 22.5, "booting"),
    "the replacement has spoken": Moment(taken().boots_at(25).beats(28, 30), 30.1, "running"),
    "the replacement is silent": Moment(taken().boots_at(25).beats(28, 30), 32, "running", stale=True),
    "a machine gone without notice, and its replacement boots": Moment(working().boots_at(27), 28, "booting"),
    "another machine boots while the worker still speaks": Moment(
        first_machine().boots_at(19).beats(6, 20, machine=0), 20.2, "running"
    ),
    "it failed, its boot script tries again": Moment(working().marks(20, "failed"), 22, "failed"),
    "it failed and works again on the same machine": Moment(
        working().marks(20, "failed").beats(21, 25), 25.1, "running"
    ),
    "it failed for good, its machine is gone": Moment(working().marks(20, "failed"), 35, "waiting"),
    "it is done": Moment(working().marks(20, "done"), 40, "done", final=True),
    "it is done, and AWS had begun to replace its machine": Moment(
        working().marks(20, "done").boots_at(20.5), 21, "done", final=True
    ),
    "the deadline came": Moment(working().marks(20, "deadline"), 40, "expired", final=True),
    "the money is spent": Moment(working().marks(20, "over_budget"), 40, "over_budget", final=True),
    "it gave up after a few lives": Moment(taken().boots_at(25).marks(26, "gave_up"), 27, "failed", final=True),
    "it gave up and no worker ever spoke": Moment(first_machine().marks(4, "gave_up"), 27, "failed", final=True),
    "AWS ended the fleet before the worker could": Moment(working(), 120, "expired", final=True),
    "AWS ended the fleet while it waited": Moment(Story(), 121, "expired", final=True),
    "`down` ended it": Moment(working(), 31, "ended", final=True, record=fleet(ended=30)),
    "`down` ended it, a while ago": Moment(working(), 999, "ended", final=True, record=fleet(ended=30)),
    "`down` came after it was done": Moment(
        working().marks(20, "done"), 31, "done", final=True, record=fleet(ended=30)
    ),
}


@pytest.mark.parametrize("what", MOMENTS)
def test_a_worker_has_the_right_state_at_each_moment(what: str) -> None:
    then = MOMENTS[what]
    told = standing(then.story.history, then.record, minute(then.at))
    assert told == Standing(then.state, then.stale, then.final)


class Bill(NamedTuple):
    story: Story
    at: float
    minutes: list[float]
    """What each machine counts."""
    record: FleetRecord = fleet()


BILLS = {
    "nothing booted": Bill(Story(), 10, []),
    "a machine counts from a minute before its first line, until now": Bill(first_machine(), 5, [3]),
    "and never from before the launch": Bill(Story().boots_at(0.5), 5, [5]),
    "a living one counts until now": Bill(working(), 20.2, [18.2]),
    "so does one that went silent without a word": Bill(working(), 50, [48]),
    "until another one takes its place": Bill(working().boots_at(60), 62, [57, 3]),
    "after its notice it has two minutes": Bill(taken(), 60, [20]),
    "before those are over it counts until now": Bill(taken(), 21.5, [19.5]),
    "with a replacement both count": Bill(taken().boots_at(25).beats(28, 30), 30, [20, 6]),
    "a third one knows what the first two gave": Bill(
        taken()
        .boots_at(25)
        .beats(28, 41, "interrupted", notice=40)
        .marks(41, "interrupted")
        .boots_at(51)
        .beats(54, 60),
        60,
        [20, 18, 10],
    ),
    "one that was stopped without notice waits ten minutes to be taken": Bill(
        working().marks(20, "interrupted"), 90, [28]
    ),
    "one whose worker failed tries for ten minutes": Bill(working().marks(20, "failed"), 90, [28]),
    "and counts on when it works again": Bill(working().marks(20, "failed").beats(21, 50), 50, [48]),
    "after the slice's end it needs a minute to end itself": Bill(working().marks(20, "done"), 90, [19]),
    "the deadline is such an end": Bill(working().marks(20, "deadline"), 90, [19]),
    "spent money too": Bill(working().marks(20, "over_budget"), 90, [19]),
    "one that boots after that ends at once": Bill(working().marks(20, "done").boots_at(21.5), 90, [18.5, 2]),
    "one that gave up had no worker": Bill(taken().boots_at(25).marks(26, "gave_up"), 90, [20, 3]),
    "those on which no worker ever spoke count until the next": Bill(
        Story().boots_at(3).boots_at(13).boots_at(23).marks(24, "gave_up"), 90, [10, 10, 3]
    ),
    "nothing counts after the expiry": Bill(working(), 500, [118]),
    "nothing counts after `down`": Bill(working(), 90, [28], fleet(ended=30)),
    "a machine that spoke longer than its successor's boot allows did live": Bill(
        first_machine().boots_at(19).beats(6, 20, machine=0), 20, [18, 2]
    ),
}


@pytest.mark.parametrize("what", BILLS)
def test_the_billed_interval_of_each_instance(what: str) -> None:
    bill = BILLS[what]
    found = intervals(bill.story.history, bill.record, minute(bill.at))
    assert [round(60 * stay.hours, 6) for stay in found] == bill.minutes


def test_each_instance_costs_its_zones_price_and_an_unknown_one_the_worst_price() -> None:
    story = Story().boots_at(1, zone="us-east-1a").boots_at(31, zone="us-east-1b").boots_at(61, zone="us-east-1f")
    assert dollars(story.history, fleet(), minute(90)) == pytest.approx(0.5 * 1 + 0.5 * 2 + 0.5 * 3)


def test_the_cost_never_falls_while_a_worker_runs() -> None:
    """The whole life of a worker with three machines, looked at every half minute."""
    chapters = [
        (0.0, Story()),
        (3.0, first_machine()),
        *((at, first_machine().beats(6, at)) for at in (6.0, 10.0, 15.0, 20.0)),
        (21.0, noticed()),
        (21.5, taken()),
        (27.0, taken().boots_at(27)),
        (30.0, taken().boots_at(27).beats(30, 30)),
        (50.0, taken().boots_at(27).beats(30, 30).boots_at(50)),
        (53.0, taken().boots_at(27).beats(30, 30).boots_at(50).beats(53, 53)),
        (60.0, taken().boots_at(27).beats(30, 30).boots_at(50).beats(53, 60, "done").marks(60, "done")),
    ]
    spent = []
    for half_minutes in range(140):
        now = half_minutes / 2
        story = [story for at, story in chapters if at <= now][-1]
        spent.append(dollars(story.history, fleet(), minute(now)))
    assert spent == sorted(spent)
    assert spent[-1] == pytest.approx((20 + 23 + 12) / 60)


def test_a_worker_that_does_not_know_its_instance_is_on_the_one_that_booted_before_it() -> None:
    story = taken().boots_at(25).beats(28, 30)
    assert story.beat is not None
    story.beat = story.beat.model_copy(update={"machine": None})
    assert standing(story.history, fleet(), minute(30.1)).state == "running"
    assert [machine.instance for machine in machines(story.history)] == ["i-0", "i-1"]


def test_an_instance_without_a_boot_record_is_known_by_its_heartbeat() -> None:
    story = working()
    story.boots = []
    assert [machine.instance for machine in machines(story.history)] == ["i-0"]
    assert dollars(story.history, fleet(), minute(20)) == pytest.approx(18 / 60)


def test_a_worker_restarted_on_its_instance_has_one_session_there() -> None:
    again = working().marks(20, "failed").beats(21, 25)
    assert again.beat is not None
    earlier = sessions_of(first_machine().beats(6, 20, done=3).beat or again.beat)
    found = sessions_of(again.beat.model_copy(update={"past": earlier}))
    assert [(life.started, life.until, life.pages) for life in found] == [(minute(6), minute(25), 30)]


def test_on_your_own_machine_there_are_no_sessions() -> None:
    beat = working().beat
    assert beat is not None
    assert sessions_of(beat.model_copy(update={"machine": None})) == []


def test_a_worker_resumed_by_hand_after_the_expiry_is_shown_by_its_heartbeats() -> None:
    story = working().marks(110, "deadline").beats(130, 140)
    assert standing(story.history, fleet(), minute(140.1)).state == "running"

"""Delivery from the ledger, whatever happens to the ledger, the sink and the process: none is lost, in order."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pdfbatch.delivery.courier import Courier, deliver_end
from pdfbatch.delivery.pending import Place, has_gap, pending
from pdfbatch.delivery.sink import NotDelivered
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import Counts, DoneMark, Outcome, Position, RunKeys
from pdfbatch.runs.ledger import LedgerWriter, Segment, compact, segments
from pdfbatch.store import Store
from tests.delivery.stores import NOW, RUN, WEBHOOK, MemoryStore, Taker, route

KEYS = RunKeys(RUN)


class Ledger:
    """A worker's ledger in memory, with a process that writes it and others that should have ended."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        self.store = cast(Store, self.memory)
        self.written: list[str] = []
        """Documents of the process that is believed alive, in order."""
        self.late: list[str] = []

    def write(self, lines: int = 1) -> None:
        parts = segments(self.store, KEYS.ledger_of(0))
        self.written += self._write(lines, parts[-1].number + 1 if parts else 1, f"{len(self.written):04}")

    def write_late(self, number: int) -> None:
        """A process writes that believes that the next number is this one."""
        parts = segments(self.store, KEYS.ledger_of(0))
        last = max((part.number for part in parts), default=0)
        self.late += self._write(1, min(number, last + 1), f"late-{len(self.late)}")

    def _write(self, lines: int, number: int, name: str) -> list[str]:
        writer = LedgerWriter(self.store, KEYS, 0, number)
        keys = [f"{name}-{line}.pdf" for line in range(lines)]
        for key in keys:
            writer.add(Outcome(key=key, outcome="ok", etag="e", at=NOW))
        writer.flush()
        return keys

    def join(self, lives: int | None = None) -> None:
        self.memory.lives = lives
        with suppress(KeyboardInterrupt):
            compact(self.store, KEYS, 0)
        self.memory.lives = None

    def position(self) -> Position:
        return Position.model_validate_json(self.memory.get(KEYS.position(WEBHOOK.name, 0)))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 4)),
        st.tuples(st.just("late"), st.integers(1, 6)),
        st.tuples(st.just("join"), st.none() | st.integers(0, 4)),
        st.tuples(st.just("deliver"), st.integers(0, 2)),
        st.tuples(st.just("deliver while the store fails"), st.integers(0, 8)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=150)
@example([("write", 1), ("write", 1), ("write", 1), ("join", 1)], 1, 1)
@example([("write", 1), ("write", 1), ("join", None), ("late", 1)], 1, 1)
@example([("write", 1), ("write", 1), ("join", 0), ("deliver", 0), ("join", None), ("late", 1)], 1, 1)
@given(STEPS, st.sampled_from([1, 3, 100]), st.sampled_from([1, 2]))
def test_no_event_is_lost_and_a_slice_stays_in_order(steps: list[tuple[str, int]], most: int, step: int) -> None:
    ledger, sink = Ledger(), Taker(most, step)
    courier = Courier(route(ledger.store, sink), 0)
    for what, how in steps:
        if what == "write":
            ledger.write(how)
        elif what == "late":
            ledger.write_late(how)
        elif what == "join":
            ledger.join(how)
        elif what == "restart":
            courier = Courier(route(ledger.store, sink), 0)
        elif what == "deliver":
            sink.failures = how
            with suppress(NotDelivered):
                courier.deliver()
        else:
            ledger.memory.answers = how
            with suppress(PdfbatchError):
                courier.deliver()
            ledger.memory.answers = None
    sink.failures = 0
    courier.deliver()
    assert set(sink.keys) == {*ledger.written, *ledger.late}
    if step == 1:
        assert [key for key in sink.keys if not key.startswith("late")] == ledger.written
    assert courier.waiting == 0
    before = len(sink.taken)
    Courier(route(ledger.store, sink), 0).deliver()
    assert len(sink.taken) == before, "what was delivered is not sent again"


def test_repeated_events_have_equal_ids() -> None:
    ledger, sink = Ledger(), Taker()
    ledger.write(5)
    for _ in range(2):
        Courier(route(ledger.store, sink), 0).deliver()
        ledger.memory.delete([KEYS.position(WEBHOOK.name, 0)])
    ids = Counter(event.id for event in sink.taken)
    assert len(ids) == 5 and set(ids.values()) == {2}


def test_joining_delivered_segments_sends_nothing_again() -> None:
    ledger, sink = Ledger(), Taker()
    for _ in range(5):
        ledger.write()
    Courier(route(ledger.store, sink), 0).deliver()
    for lives in (2, None):
        ledger.join(lives)
        Courier(route(ledger.store, sink), 0).deliver()
    assert len(sink.taken) == 5


def test_a_segment_that_came_late_under_a_joined_number_is_delivered_once() -> None:
    ledger, sink = Ledger(), Taker()
    for _ in range(5):
        ledger.write()
    Courier(route(ledger.store, sink), 0).deliver()
    ledger.join()
    ledger.write_late(3)
    for _ in range(2):
        Courier(route(ledger.store, sink), 0).deliver()
    assert Counter(event.data["key"] for event in sink.taken)[ledger.late[0]] == 1
    assert [each.partition(":")[0] for each in ledger.position().late] == ["000003"]
    ledger.join()
    Courier(route(ledger.store, sink), 0).deliver()
    assert len(sink.taken) == 6


def test_a_part_that_was_taken_is_not_sent_again_by_the_same_process() -> None:
    ledger, sink = Ledger(), Taker(most=4)
    ledger.write(4)
    courier = Courier(route(ledger.store, sink), 0)
    sink.failures = 1
    with pytest.raises(NotDelivered):
        courier.deliver()
    assert (courier.delivered, courier.waiting, courier.trouble) == (2, 2, "It is down.")
    assert ledger.position().waiting == 2 and ledger.position().sent == 0
    courier.deliver()
    assert len(sink.taken) == 4 and ledger.position().trouble == ""


class JoinedWhileRead(MemoryStore):
    """A store whose ledger is joined as soon as one of its segments is read."""

    def get(self, key: str) -> bytes:
        if "/ledger/" in key and "-0000" not in key:
            compact(cast(Store, self.bare()), KEYS, 0)
        return super().get(key)

    def bare(self) -> MemoryStore:
        bare = MemoryStore()
        bare.objects = self.objects
        return bare


def test_segments_that_are_joined_after_they_were_listed_are_delivered() -> None:
    ledger, sink, memory = Ledger(), Taker(), JoinedWhileRead()
    for _ in range(5):
        ledger.write()
    memory.objects = ledger.memory.objects
    Courier(route(memory, sink), 0).deliver()
    assert sink.keys == ledger.written


def test_a_damaged_segment_is_named_and_holds_the_place() -> None:
    ledger, sink = Ledger(), Taker()
    ledger.write()
    ledger.memory.put(KEYS.ledger_segment(0, 2), b"{broken\n")
    with pytest.raises(PdfbatchError, match=r"000002\.jsonl"):
        Courier(route(ledger.store, sink), 0).deliver()
    assert (ledger.position().sent, ledger.position().waiting) == (1, 1)
    assert sink.keys == ledger.written, "what is before it is delivered"
    ledger.memory.delete([KEYS.ledger_segment(0, 2)])
    ledger.write()
    Courier(route(ledger.store, sink), 0).deliver()
    assert sink.keys == ledger.written


def part(first: int, number: int = 0) -> Segment:
    name = f"{first:06}-{number:06}-d" if number else f"{first:06}"
    return Segment(RUN, 0, first, number or first, f"x/{name}.jsonl", 1, "e")


@pytest.mark.parametrize(
    ("parts", "place", "left"),
    [
        ([part(1), part(2)], Place(), ["000001", "000002"]),
        ([part(1), part(2)], Place(1), ["000002"]),
        ([part(1, 5), part(6)], Place(5), ["000006"]),
        ([part(1, 5), part(6)], Place(3), ["000001-000005-d", "000006"]),
        ([part(1, 5), part(3)], Place(5), ["000003"]),
        ([part(1, 5), part(3)], Place(5, frozenset({"000003:e"})), []),
        ([part(1, 5), part(3)], Place(5, frozenset({"000003:other"})), ["000003"]),
        ([part(1, 5), part(3, 4)], Place(5), ["000003-000004-d"]),
    ],
)
def test_what_is_left_follows_from_the_names(parts: list[Segment], place: Place, left: list[str]) -> None:
    assert [each.name for each in pending(parts, place)] == left


@pytest.mark.parametrize(
    ("parts", "place", "is_gap"),
    [
        ([], Place(), False),
        ([part(1), part(2)], Place(), False),
        ([part(2)], Place(), True),
        ([part(1, 5), part(6)], Place(3), False),
        ([part(1, 5), part(9)], Place(3), True),
        ([part(1, 5), part(9)], Place(9), False),
    ],
)
def test_missing_numbers_are_noticed(parts: list[Segment], place: Place, is_gap: bool) -> None:
    assert has_gap(parts, place) is is_gap


def test_the_end_of_a_run_is_delivered_once_when_every_slice_has_ended() -> None:
    ledger, sink = Ledger(), Taker()
    way = route(ledger.store, sink)
    assert deliver_end(way) is None
    mark = DoneMark(worker=0, why="interrupted", at=NOW, counts=Counts(total=2, ok=1))
    ledger.memory.put(KEYS.done_mark(0), mark.model_dump_json().encode())
    assert deliver_end(way) is None and not sink.taken
    done = mark.model_copy(update={"why": "done"})
    ledger.memory.put(KEYS.done_mark(0), done.model_dump_json().encode())
    assert [deliver_end(way), deliver_end(way)] == [True, False]
    assert [event.type for event in sink.taken] == ["pdfbatch.run.finished"]

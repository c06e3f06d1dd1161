"""Which job is in which row of the cache, and how large the cache is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pdfbatch.engines.dolphin.draft_policy import DraftPolicy
from pdfbatch.engines.dolphin.graphs import Graphs
from pdfbatch.engines.dolphin.jobs import DecodeJob
from pdfbatch.engines.dolphin.memory import FIRST_LENGTH, BatchPlan, grown
from pdfbatch.engines.dolphin.network import Network
from pdfbatch.engines.dolphin.slots import Heard, SlotEntry, Slots
from pdfbatch.engines.dolphin.step_shape import DRAFTED, StepShape, drafting_choices, rounded_rows, rounded_split

LONG = 352
"""Tokens above which a row counts as long: most elements and layouts are shorter, tables run to a thousand."""


@dataclass(eq=False)
class Row:
    """A job in a row. `owed`: tokens at most that were computed for it but not heard yet."""

    job: DecodeJob
    place: int
    owed: int = 0
    has_ended: bool = False

    @property
    def length(self) -> int:
        """Tokens in the row at most, the prompt included."""
        return self.job.length + self.owed

    @property
    def has_draft(self) -> bool:
        return bool(self.job.draft) and self.job.penalty == 1.0


class Rows:
    """The rows of one network, created when the first job comes. `put_back` gets jobs for which there is no row any
    more."""

    def __init__(
        self,
        network: Network,
        plan: BatchPlan,
        put_back: Callable[[DecodeJob], None],
        graphs: Graphs | None = None,
        banned_token: int | None = None,
    ) -> None:
        self.plan = plan
        self._network = network
        self._put_back = put_back
        self._graphs = graphs
        self._banned_token = banned_token
        self._rows: list[Row | None] = []
        self._slots: Slots | None = None

    @property
    def live(self) -> list[Row]:
        """The rows in use, from the first to the last."""
        return [row for row in self._rows if row is not None]

    @property
    def capacity(self) -> int:
        return self.plan.rows if self._slots is None else self._slots.rows

    @property
    def free(self) -> int:
        return self.capacity - len(self.live)

    @property
    def longest(self) -> int:
        """Tokens of the longest row, at most."""
        return max((row.length for row in self.live), default=0)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and length of the cache."""
        return self._cache.rows, self._cache.length

    @property
    def room_left(self) -> int:
        """By how many tokens the longest row may grow."""
        return self._cache.length - self.longest

    def by_place(self, rows: int) -> list[Row | None]:
        """Returns the first `rows` rows, None for free ones."""
        return self._rows[:rows]

    @property
    def _cache(self) -> Slots:
        assert self._slots is not None
        return self._slots

    # ── the cache's size ─────────────────────────────────────────────────────────────────────────────────────────

    def make_room(self, length: int) -> None:
        """Creates the cache or grows it to `length` tokens; rows that no longer fit are put back."""
        most = self._network.max_positions
        length = min(length, most)
        if self._slots is None:
            size = grown(self._first_length, length, most)
            rows = self.plan.rows_at(size)
            self._slots = Slots(self._network, rows, size, self._graphs, self._banned_token)
            self._rows = [None] * rows
        elif length > self._slots.length:
            size = grown(self._slots.length, length, most)
            self._resize(self.plan.rows_at(size), size)

    def shrink(self, needed: int) -> None:
        """Shortens the rows to what they and another of `needed` tokens need, if more of them fit then."""
        slots = self._slots
        if slots is None or slots.rows >= self.plan.rows or slots.length <= FIRST_LENGTH:
            return
        half = max(FIRST_LENGTH, slots.length // 2)
        if 2 * max(self.longest, needed) <= half and self.plan.rows_at(half) > slots.rows:
            self._resize(self.plan.rows_at(half), half)

    def replan(self, plan: BatchPlan) -> None:
        """Changes to another plan; the cache gets as many rows as that allows."""
        self.plan = plan
        if self._slots is not None:
            self._resize(plan.rows_at(self._slots.length), self._slots.length)

    def clear(self, plan: BatchPlan) -> list[DecodeJob]:
        """Frees the cache, and changes to another plan; returns the jobs that were in it."""
        jobs = [row.job for row in self.live]
        for row in self.live:
            row.has_ended = True
        self.plan, self._rows, self._slots = plan, [], None
        if self._graphs is not None:
            self._graphs.forget()
        return jobs

    @property
    def _first_length(self) -> int:
        """As long as all planned rows may be, if each new size has to be recorded; otherwise short."""
        most = self._network.max_positions
        length = min(FIRST_LENGTH, most)
        if self._graphs is None or not self._graphs.are_on:
            return length
        while length < most and self.plan.rows_at(min(2 * length, most)) == self.plan.rows:
            length = min(2 * length, most)
        return length

    def _resize(self, rows: int, length: int) -> None:
        # The jobs with the fewest tokens go back: they are the cheapest to decode again.
        running = sorted(self.live, key=lambda row: len(row.job.tokens))
        for row in running[: max(0, len(running) - rows)]:
            self.end(row)
            self._put_back(row.job)
        self._close_up()
        self._cache.resize(rows, length)
        self._rows = (self._rows + [None] * rows)[:rows]

    # ── which row holds what ─────────────────────────────────────────────────────────────────────────────────────

    def admit(self, jobs: Sequence[DecodeJob]) -> tuple[list[Row], Heard]:
        """Puts jobs into free rows, long ones first, because long rows belong in front."""
        free = [place for place, row in enumerate(self._rows) if row is None]
        ordered = sorted(jobs, key=lambda job: max(job.expected, job.length) <= LONG)
        rows = [Row(job, place) for place, job in zip(free, ordered, strict=False)]
        heard = self._cache.admit([row.place for row in rows], [_entry(row.job) for row in rows])
        for row in rows:
            self._rows[row.place] = row
        return rows, heard

    def end(self, row: Row) -> None:
        """Frees a row; results for it that come later are void."""
        self._cache.free(row.place)
        self._rows[row.place] = None
        row.has_ended = True

    def arranged(self, more: int, drafts: DraftPolicy | None) -> StepShape:
        """Brings the rows in use together, long ones in front and those with drafts behind, where that makes steps
        smaller; returns the shape of steps, `more` of them. `drafts` decides how many rows use their draft; None: none.
        """
        rows = self._together()
        split = self._long_ones_first()
        drafting = [row for row in self.live if row.has_draft and row.place >= split]
        chosen = self._chosen(rows, drafting, drafts) if drafts is not None and drafting else 0
        first = rows - max(0, min(chosen, rows - split))
        self._last_ones_drafting(drafting, first, rows)
        ends = {row.place: row.length + more * (1 + (DRAFTED if row.place >= first else 0)) for row in self.live}
        short = max((end for place, end in ends.items() if place >= split), default=0)
        return StepShape(rows, max(ends.values()), split if split < first else 0, short, rows - first)

    def _chosen(self, rows: int, drafting: Sequence[Row], drafts: DraftPolicy) -> int:
        choices = drafting_choices(rows, len(drafting), self._cache.uses_graphs)
        return drafts.best(rows, [row.job.kind for row in drafting], choices)

    def step(self, shape: StepShape, count: int) -> Heard:
        """Starts `count` steps, see Slots.step."""
        return self._cache.step(shape, count)

    def _together(self) -> int:
        """Moves rows down into free ones if that makes steps smaller; returns the rows of a step."""
        used, slots = self.live, self._cache
        now, then = used[-1].place + 1, len(used)
        if not slots.uses_graphs:
            if now * 3 < then * 4:
                return now
            self._close_up()
            return self.live[-1].place + 1
        smallest = rounded_rows(then, slots.rows)
        if smallest < rounded_rows(now, slots.rows):
            self._close_up()
        return smallest

    def _close_up(self) -> None:
        used = self.live
        free = [place for place in range(len(used)) if self._rows[place] is None]
        for target, row in zip(free, reversed(used), strict=False):
            self._move(row, target)

    def _long_ones_first(self) -> int:
        """Moves long rows to the front; returns from which row on all are short, 0 if all are."""
        long = [row for row in self.live if row.length > LONG]
        if not long:
            return 0
        split = rounded_split(len(long), len(self._rows), self._cache.uses_graphs)
        others = (place for place in range(split) if not self._is_long(place))
        for row in long:
            if row.place >= split:
                self._exchange(row, next(others))
        return split

    def _last_ones_drafting(self, drafting: Sequence[Row], first: int, rows: int) -> None:
        """Moves as many as fit of the rows with drafts to the places from `first` to `rows` (exclusive)."""
        places = {row.place for row in drafting}
        others = (place for place in range(rows - 1, first - 1, -1) if place not in places)
        for row in drafting:
            if row.place < first and (place := next(others, None)) is not None:
                self._exchange(row, place)

    def _is_long(self, place: int) -> bool:
        row = self._rows[place]
        return row is not None and row.length > LONG

    def _exchange(self, row: Row, place: int) -> None:
        other = self._rows[place]
        if other is None:
            self._move(row, place)
            return
        self._cache.swap(row.place, place, max(row.length, other.length))
        other.place, row.place = row.place, place
        self._rows[row.place], self._rows[other.place] = row, other

    def _move(self, row: Row, place: int) -> None:
        self._cache.move(row.place, place, row.length)
        self._rows[row.place], self._rows[place] = None, row
        row.place = place


def _entry(job: DecodeJob) -> SlotEntry:
    assert job.hidden is not None
    draft = job.draft[max(0, len(job.tokens) - _REWOUND) :]
    return SlotEntry(job.hidden, [*job.prompt, *job.tokens], job.penalty, draft)


_REWOUND = 16
"""Tokens of the draft before the place where a job that was put back goes on: its answer may be behind the draft."""

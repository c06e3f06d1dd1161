"""Continuous batching: pictures and prompts in, tokens out. Rows are refilled from a pool of jobs as they finish.

A turn encodes a batch of waiting pictures if rows could soon run empty, fills free rows, and takes a few decoding
steps. A job's `ended` callback gets its result. No job starves: pages are taken in groups, and no job of a group starts
while one of an earlier group waits. Within a group layouts go first (they create more jobs), then the longest jobs, so
that no long table is left alone at the end.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from pdfbatch.engines.dolphin.device import empty_cache, is_out_of_memory
from pdfbatch.engines.dolphin.loops import LOOK_EVERY, MIN_SPAN, loop_start
from pdfbatch.engines.dolphin.memory import FIRST_LENGTH, BatchPlan, grown
from pdfbatch.engines.dolphin.network import Network
from pdfbatch.engines.dolphin.slots import Said, SlotEntry, Slots

if TYPE_CHECKING:
    from torch import Tensor

Pixels = npt.NDArray[np.uint8]
Ending = Literal["whole", "truncated", "looped", "nan", "memory"]

PENALTY = 1.1
"""Repetition penalty for the second try of a job that looped; Dolphin 1.0's demo applies it to every job."""
MEMORY_TRIES = 8
"""How often a job may run out of memory alone before it fails; other programs may use the device too."""
_FREE_SHARE = 8
"""Rows are refilled when one in this many is free: each refill costs a separate pass."""
LONG = 256
"""Tokens above which a row counts as long: most elements are shorter, tables run to a thousand."""
_CALM_TURNS = 256
"""After this many turns without an out-of-memory error a halved batch is doubled again."""


@dataclass(eq=False)
class DecodeJob:
    """One picture and one prompt. `page_group` and `expected` (tokens) decide the order in which jobs start."""

    picture: Pixels
    """Height x width x 3, each at most the encoder's side; it is padded with black."""
    prompt: Sequence[int]
    page_group: int
    expected: int
    ended: Callable[[Read], None]
    limit: int | None = None
    """Tokens at most, without the prompt; None: as many as the model has positions."""
    loop_span: int = MIN_SPAN
    hidden: Tensor | None = None
    tokens: list[int] = field(default_factory=list)
    penalty: float = 1.0
    first_try: list[int] | None = None
    """The tokens before the loop, where the first try looped."""
    memory_tries: int = 0
    """How often in a row it ran out of memory as the only job, without decoding a token in between."""
    memory_tokens: int = 0

    @property
    def length(self) -> int:
        """Tokens in its row so far, the prompt included."""
        return len(self.prompt) + len(self.tokens)

    @property
    def kept(self) -> list[int]:
        """The longer result of two tries that did not finish."""
        return max(self.first_try or [], self.tokens, key=len)

    @property
    def is_begun(self) -> bool:
        """Whether decoding has started, even if the job is back in the pool."""
        return bool(self.tokens) or self.first_try is not None


@dataclass(frozen=True)
class Read:
    """The result of one job: the tokens without prompt and end token, and how decoding ended. A `looped` result is cut
    where it began to repeat itself; `retried` means that there was a second try."""

    tokens: list[int]
    ending: Ending
    retried: bool = False


@dataclass
class DecodeMeter:
    """Seconds of computing, and the work done in them."""

    computing: float = 0.0
    steps: int = 0
    tokens: int = 0
    pictures: int = 0
    out_of_memory: int = 0


class Decoder:
    """Drives one network. Not thread-safe; `turn` does the work.

    `prepare` turns pictures into the encoder's input (E x 3 x side x side). `stride` is the number of steps between two
    reads of the tokens (each read waits for the device). `banned_token` is never chosen.
    """

    def __init__(
        self,
        network: Network,
        plan: BatchPlan,
        prepare: Callable[[Sequence[Pixels]], Tensor],
        end_token: int,
        graphs: bool = False,
        stride: int = 1,
        banned_token: int | None = None,
    ) -> None:
        self.meter = DecodeMeter()
        self._network = network
        self._plan = self._whole_plan = plan
        self._calm_turns = 0
        self._prepare = prepare
        self._end = end_token
        self._graphs = graphs
        self._stride = stride
        self._banned_token = banned_token
        self._order = itertools.count()
        self._waiting: list[tuple[int, float, int, DecodeJob]] = []
        self._encoded: list[tuple[int, float, int, DecodeJob]] = []
        self._rows: list[DecodeJob | None] = []
        self._slots: Slots | None = None

    @property
    def busy(self) -> bool:
        return bool(self._waiting or self._encoded or any(self._rows))

    def add(self, job: DecodeJob) -> None:
        self._queue(job)

    def discard(self, unwanted: Callable[[DecodeJob], bool]) -> list[DecodeJob]:
        """Removes and returns the unwanted jobs that have not started; their `ended` is not called."""
        discarded: list[DecodeJob] = []
        for pool in (self._waiting, self._encoded):
            discarded += [entry[-1] for entry in pool if not entry[-1].is_begun and unwanted(entry[-1])]
            pool[:] = [entry for entry in pool if entry[-1] not in discarded]
            heapq.heapify(pool)
        return discarded

    def turn(self) -> None:
        """Does one round of encoding, filling and stepping. Running out of memory halves the batch; no job is lost."""
        began = time.perf_counter()
        if self.busy and not self._has_memory_for_turn():
            self._retreat()  # outside the handler, because the error's traceback keeps tensors alive
        self.meter.computing += time.perf_counter() - began

    def _has_memory_for_turn(self) -> bool:
        try:
            if self._wants_pictures():
                self._encode()
            if self._wants_rows():
                self._fill()
            if any(self._rows):
                self._advance()
            self._calm_turns += 1
            if self._calm_turns >= _CALM_TURNS and self._plan != self._whole_plan:
                self._regain()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    # ── the pool ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _queue(self, job: DecodeJob) -> None:
        # A job that had started (and was put back to free memory) goes before all others of its group.
        urgency = -float("inf") if job.is_begun else -float(job.expected)
        pool = self._waiting if job.hidden is None else self._encoded
        heapq.heappush(pool, (job.page_group, urgency, next(self._order), job))

    @property
    def _capacity(self) -> int:
        return self._plan.rows if self._slots is None else self._slots.rows

    @property
    def _free(self) -> int:
        return self._capacity - sum(job is not None for job in self._rows)

    def _wants_pictures(self) -> bool:
        """Whether to encode now: a whole batch waits and rows will soon need it, or rows are empty. Never while the
        only row that fits into memory is in use."""
        if self._plan.rows == 1 and any(self._rows):
            return False
        if len(self._waiting) >= self._plan.pictures and len(self._encoded) < self._plan.pictures:
            return True
        return bool(self._waiting) and len(self._encoded) < self._free

    def _wants_rows(self) -> bool:
        waits = len(self._encoded)
        return waits > 0 and self._free > 0 and (self._free * _FREE_SHARE >= self._capacity or waits <= self._free)

    # ── encode, fill, step ───────────────────────────────────────────────────────────────────────────────────────

    def _encode(self) -> None:
        batch = [heapq.heappop(self._waiting)[-1] for _ in range(min(self._plan.pictures, len(self._waiting)))]
        try:
            hidden = self._network.encode(self._prepare([job.picture for job in batch]))
        except Exception as error:
            self._put_back(batch, error)
            raise
        self.meter.pictures += len(batch)
        for job, encoded in zip(batch, hidden, strict=True):
            job.hidden = encoded.clone()  # a view would keep the whole batch in memory until its last job ends
            self._queue(job)

    def _fill(self) -> None:
        self._shorten()
        count = min(self._free, len(self._encoded))
        batch = [heapq.heappop(self._encoded)[-1] for _ in range(count)]
        try:
            slots = self._room_for(max(job.length for job in batch) + self._stride)
            rows = [row for row, job in enumerate(self._rows) if job is None][: len(batch)]
            for job in batch[len(rows) :]:
                self._queue(job)
            batch = batch[: len(rows)]
            if not batch:  # fewer rows fit when they are longer, so all remaining ones may be in use
                return
            said = slots.admit(rows, [self._entry(job) for job in batch])
        except Exception as error:
            self._put_back(batch, error)
            raise
        for row, job, word in zip(rows, batch, said, strict=True):
            self._rows[row] = job
            self._hear(row, [word])

    def _put_back(self, batch: Sequence[DecodeJob], error: Exception) -> None:
        """Puts a batch back into the pool; a job that ran out of memory alone too often fails instead."""
        alone = len(batch) == 1 and is_out_of_memory(error) and not any(self._rows)
        for job in batch:
            if not (alone and self._is_hopeless(job)):
                self._queue(job)

    def _is_hopeless(self, job: DecodeJob) -> bool:
        job.memory_tries = 1 if len(job.tokens) > job.memory_tokens else job.memory_tries + 1
        job.memory_tokens = len(job.tokens)
        if job.memory_tries >= MEMORY_TRIES:
            self._finish(job, Read(job.kept, "memory"))
        return job.memory_tries >= MEMORY_TRIES

    def _entry(self, job: DecodeJob) -> SlotEntry:
        assert job.hidden is not None
        return SlotEntry(job.hidden, [*job.prompt, *job.tokens], job.penalty)

    def _advance(self) -> None:
        slots = self._room_for(self._longest() + self._stride)
        self._compact(slots)
        if not any(self._rows):
            return
        rows = 1 + max(row for row, job in enumerate(self._rows) if job is not None)
        longest = self._longest()
        count = min(self._stride, slots.length - longest)
        split = self._long_ones_first(slots)
        short = max((job.length for job in self._rows[split:] if job is not None), default=0)
        steps = slots.step(rows, longest + count, count, split, short + count)
        self.meter.steps += count
        for row in range(rows):
            if self._rows[row] is not None:
                self._hear(row, [step[row] for step in steps])

    def _longest(self) -> int:
        return max((job.length for job in self._rows if job is not None), default=0)

    def _room_for(self, length: int) -> Slots:
        """Creates the slots or grows them to `length` tokens; rows that no longer fit go back into the pool."""
        length = min(length, self._network.max_positions)
        if self._slots is None:
            size = grown(min(FIRST_LENGTH, self._network.max_positions), length, self._network.max_positions)
            self._slots = Slots(self._network, self._plan.rows_at(size), size, self._graphs, self._banned_token)
            self._rows = [None] * self._slots.rows
        if length > self._slots.length:
            size = grown(self._slots.length, length, self._network.max_positions)
            self._resize(self._slots, self._plan.rows_at(size), size)
        return self._slots

    def _shorten(self) -> None:
        """Shrinks the row length again once the long rows have ended, so that more rows fit."""
        slots = self._slots
        if slots is None or slots.rows >= self._plan.rows or slots.length <= FIRST_LENGTH:
            return
        needed = max(self._longest(), *(entry[-1].length for entry in self._encoded))
        half = max(FIRST_LENGTH, slots.length // 2)
        if 2 * needed <= half and self._plan.rows_at(half) > slots.rows:
            self._resize(slots, self._plan.rows_at(half), half)

    def _resize(self, slots: Slots, rows: int, length: int) -> None:
        # The jobs with the fewest tokens go back: they are the cheapest to decode again.
        running = sorted((job for job in self._rows if job is not None), key=lambda job: len(job.tokens))
        for job in running[: max(0, len(running) - rows)]:
            row = self._rows.index(job)
            slots.free(row)
            self._rows[row] = None
            self._queue(job)
        self._compact(slots, always=True)
        slots.resize(rows, length)
        self._rows = (self._rows + [None] * rows)[:rows]

    def _compact(self, slots: Slots, always: bool = False) -> None:
        """Moves rows down into free ones if that makes the steps much smaller."""
        used = [row for row, job in enumerate(self._rows) if job is not None]
        if not used or (not always and (used[-1] + 1) * 3 < len(used) * 4):
            return
        free = [row for row in range(len(used)) if self._rows[row] is None]
        for target, source in zip(free, reversed(used), strict=False):
            slots.move(source, target)
            self._rows[target], self._rows[source] = self._rows[source], None

    def _long_ones_first(self, slots: Slots) -> int:
        """Moves long rows to the front and returns how many there are."""
        split = 0
        for row, job in enumerate(self._rows):
            if job is None or job.length <= LONG:
                continue
            other = self._rows[split]
            if other is None:
                slots.move(row, split)
            elif row != split:
                slots.swap(row, split)
            self._rows[split], self._rows[row] = job, other
            split += 1
        return split

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _hear(self, row: int, words: Sequence[Said]) -> None:
        """Adds a row's new tokens to its job; ends the row at an end token, a limit or a NaN."""
        job = self._rows[row]
        assert job is not None
        for word in words:
            ending = self._ending_with(job, word)
            if ending is not None:
                # Steps taken after the end, up to the next read, have written to the row's cache too.
                self._end_row(row, job, ending, spoilt=not all(word.sound for word in words))
                return
            job.tokens.append(word.token)
            self.meter.tokens += 1
        if len(job.tokens) // LOOK_EVERY != (len(job.tokens) - len(words)) // LOOK_EVERY:
            self._look_for_loop(row, job)

    def _ending_with(self, job: DecodeJob, word: Said) -> Ending | None:
        if not word.sound:
            return "nan"
        if word.token == self._end:
            return "whole"
        # The last position is for the end token, as in transformers' generate.
        most = self._network.max_positions - len(job.prompt) - 1
        most = most if job.limit is None else min(most, job.limit)
        return "truncated" if len(job.tokens) >= most else None

    def _look_for_loop(self, row: int, job: DecodeJob) -> None:
        start = loop_start(job.tokens, job.loop_span)
        if start is not None:
            job.tokens = job.tokens[:start]
            self._end_row(row, job, "looped")

    def _end_row(self, row: int, job: DecodeJob, ending: Ending, spoilt: bool = False) -> None:
        assert self._slots is not None
        self._slots.free(row, wipe=spoilt)
        self._rows[row] = None
        retried = job.first_try is not None
        if ending == "looped" and not retried:
            job.first_try, job.tokens, job.penalty = job.tokens, [], PENALTY
            self._queue(job)
            return
        self._finish(job, Read(job.tokens if ending == "whole" else job.kept, ending, retried))

    def _finish(self, job: DecodeJob, read: Read) -> None:
        job.hidden = None
        job.ended(read)

    def _retreat(self) -> None:
        """Puts all running jobs back into the pool with their tokens, and halves the batch for the next turn."""
        self.meter.out_of_memory += 1
        running = [job for job in self._rows if job is not None]
        self._rows, self._slots = [], None
        for job in running:
            if not (len(running) == 1 and self._is_hopeless(job)):
                self._queue(job)
        self._plan = self._plan.halved()
        self._calm_turns = 0
        empty_cache(self._network.device)

    def _regain(self) -> None:
        """Doubles a halved batch again."""
        self._calm_turns = 0
        self._plan = self._plan.doubled(self._whole_plan)
        if self._slots is not None:
            self._resize(self._slots, self._plan.rows_at(self._slots.length), self._slots.length)

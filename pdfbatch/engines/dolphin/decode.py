"""Continuous batching: pictures and prompts in, tokens out. Rows are refilled from a pool of jobs as they finish.

A turn encodes a batch of waiting pictures if rows could soon run empty, fills free rows, and starts a few decoding
steps. A job's `ended` callback gets its result.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pdfbatch.engines.answers.loops import LOOK_EVERY, Flags, loop_start
from pdfbatch.engines.dolphin.device import empty_cache, is_out_of_memory
from pdfbatch.engines.dolphin.draft_policy import DraftPolicy
from pdfbatch.engines.dolphin.graphs import Graphs
from pdfbatch.engines.dolphin.job_pool import JobPool
from pdfbatch.engines.dolphin.jobs import DecodeJob, DecodeMeter, Ending, Pixels, Read
from pdfbatch.engines.dolphin.memory import BatchPlan
from pdfbatch.engines.dolphin.network import Network
from pdfbatch.engines.dolphin.rows import Row, Rows
from pdfbatch.engines.dolphin.slots import Heard, Said
from pdfbatch.engines.dolphin.step_shape import DRAFTED, StepShape

if TYPE_CHECKING:
    from torch import Tensor

PENALTY = 1.1
"""Repetition penalty for the second try of a job that looped; Dolphin 1.0's demo applies it to every job."""
MEMORY_TRIES = 8
"""How often a job may run out of memory alone before it fails; other programs may use the device too."""
_FREE_SHARE = 8
"""Rows are refilled when one in this many is free: each refill costs a separate pass."""
_CALM_TURNS = 256
"""After this many turns without an out-of-memory error a halved batch is doubled again."""


class SpecialTokens(NamedTuple):
    """`end` ends an answer, `banned` is never chosen, and `fillers` count less in a loop, see loops.py."""

    end: int
    banned: int | None = None
    fillers: Flags | None = None


class Decoding(NamedTuple):
    """How a decoder works; none of it changes a token.

    `stride`: steps between two reads of the tokens, each of which waits for the device. `ahead`: the next steps are
    started before the last ones are heard, so that the device never waits for Python; rows that have ended meanwhile
    are computed in vain. `drafts` decides when drafts are used; None: never.
    """

    graphs: Graphs | None = None
    stride: int = 1
    ahead: bool = False
    drafts: DraftPolicy | None = None


_STEP_BY_STEP = Decoding()


class _Pending(NamedTuple):
    """Results that were not heard yet, for rows by their place at that time, and how many tokens at most are `owed` to
    each. `shape` is None for the first tokens of new rows."""

    rows: list[Row | None]
    heard: Heard
    owed: Sequence[int]
    shape: StepShape | None
    steps: int
    started: float


class Decoder:
    """Drives one network. Not thread-safe; `turn` does the work.

    `prepare` turns pictures into the encoder's input (E x 3 x side x side).
    """

    def __init__(
        self,
        network: Network,
        plan: BatchPlan,
        prepare: Callable[[Sequence[Pixels]], Tensor],
        special: SpecialTokens,
        how: Decoding = _STEP_BY_STEP,
    ) -> None:
        self.meter = DecodeMeter()
        self._network = network
        self._whole_plan = plan
        self._calm_turns = 0
        self._prepare = prepare
        self._special = special
        self._how = how
        self._pool = JobPool()
        self._rows = Rows(network, plan, self._pool.add, how.graphs, special.banned)
        self._pending: deque[_Pending] = deque()
        self._last_heard = 0.0

    @property
    def busy(self) -> bool:
        return bool(self._pool.waiting or self._pool.encoded or self._rows.live)

    @property
    def running(self) -> list[DecodeJob]:
        """The jobs that are in rows."""
        return [row.job for row in self._rows.live]

    @property
    def plan(self) -> BatchPlan:
        """The plan in use, smaller than the first one after memory has run out."""
        return self._rows.plan

    def add(self, job: DecodeJob) -> None:
        self._pool.add(job)

    def discard(self, unwanted: Callable[[DecodeJob], bool]) -> list[DecodeJob]:
        """Removes and returns the unwanted jobs that have not started; their `ended` is not called."""
        return self._pool.discard(unwanted)

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
            if self._rows.live:
                self._advance()
            self._calm_turns += 1
            if self._calm_turns >= _CALM_TURNS and self._rows.plan != self._whole_plan:
                self._regain()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return False
        return True

    # ── encode and fill ──────────────────────────────────────────────────────────────────────────────────────────

    def _wants_pictures(self) -> bool:
        """Whether to encode now: a whole batch waits and rows will soon need it, or rows are empty. Never while the
        only row that fits into memory is in use."""
        pool, plan = self._pool, self._rows.plan
        if plan.rows == 1 and self._rows.live:
            return False
        if pool.waiting >= plan.pictures and pool.encoded < plan.pictures:
            return True
        return pool.waiting > 0 and pool.encoded < self._rows.free

    def _wants_rows(self) -> bool:
        waits, free = self._pool.encoded, self._rows.free
        return waits > 0 and free > 0 and (free * _FREE_SHARE >= self._rows.capacity or waits <= free)

    def _encode(self) -> None:
        batch = self._pool.next_waiting(self._rows.plan.pictures)
        try:
            hidden = self._network.encode(self._prepare([job.picture for job in batch]))
        except Exception as error:
            self._put_back(batch, error)
            raise
        self.meter.pictures += len(batch)
        for job, encoded in zip(batch, hidden, strict=True):
            job.hidden = encoded.clone()  # a view would keep the whole batch in memory until its last job ends
            self._pool.add(job)

    def _fill(self) -> None:
        self._rows.shrink(self._pool.longest_encoded())
        batch = self._pool.next_encoded(self._rows.free)
        try:
            self._rows.make_room(max(job.length for job in batch) + self._how.stride)
            for job in batch[self._rows.free :]:  # fewer rows fit when they are longer
                self._pool.add(job)
            batch = batch[: self._rows.free]
            if not batch:
                return
            rows, heard = self._rows.admit(batch)
        except Exception as error:
            self._put_back(batch, error)
            raise
        self._expect([*rows], heard, [1] * len(rows))

    def _put_back(self, batch: Sequence[DecodeJob], error: Exception) -> None:
        """Puts a batch back into the pool; a job that ran out of memory alone too often fails instead."""
        alone = len(batch) == 1 and is_out_of_memory(error) and not self._rows.live
        for job in batch:
            if not (alone and self._is_hopeless(job)):
                self._pool.add(job)

    def _is_hopeless(self, job: DecodeJob) -> bool:
        job.memory_tries = 1 if len(job.tokens) > job.memory_tokens else job.memory_tries + 1
        job.memory_tokens = len(job.tokens)
        if job.memory_tries >= MEMORY_TRIES:
            self._finish(job, Read(job.kept, "memory"))
        return job.memory_tries >= MEMORY_TRIES

    # ── step and hear ────────────────────────────────────────────────────────────────────────────────────────────

    def _advance(self) -> None:
        """Starts steps and hears what was started before them; without `ahead`, them too."""
        self._start()
        self._hear_all(but=1 if self._how.ahead else 0)

    def _start(self) -> None:
        """Starts the next steps over the rows in use."""
        rows, drafts = self._rows, self._how.drafts
        each = 1 if drafts is None else 1 + DRAFTED
        rows.make_room(rows.longest + self._how.stride * each)
        if rows.room_left < each:  # at the model's last positions
            self._hear_all()
            if not rows.live:
                return
            each = 1
        count = min(self._how.stride, rows.room_left // each)
        shape = rows.arranged(count, drafts if each > 1 else None)
        owed = [count * (1 + DRAFTED if place >= shape.plain else 1) for place in range(shape.rows)]
        self._expect(rows.by_place(shape.rows), self._steps(shape, count), owed, shape, count)
        self.meter.steps += count
        self.meter.drafted += count * (shape.drafting > 0)

    def _steps(self, shape: StepShape, count: int) -> Heard:
        return self._rows.step(shape, count)

    def _expect(
        self,
        rows: list[Row | None],
        heard: Heard,
        owed: Sequence[int],
        shape: StepShape | None = None,
        steps: int = 1,
    ) -> None:
        for row, tokens in zip(rows, owed, strict=True):
            if row is not None:
                row.owed += tokens
        self._pending.append(_Pending(rows, heard, owed, shape, steps, time.perf_counter()))

    def _hear_all(self, but: int = 0) -> None:
        while len(self._pending) > but:
            self._hear_oldest()

    def _hear_oldest(self) -> None:
        pending = self._pending.popleft()
        steps = pending.heard()
        self._learn_seconds(pending)
        for place, (row, owed) in enumerate(zip(pending.rows, pending.owed, strict=True)):
            if row is not None:
                row.owed -= owed
                if not row.has_ended:
                    self._hear(row, [step[place] for step in steps], drafted=owed > pending.steps)

    def _learn_seconds(self, pending: _Pending) -> None:
        now = time.perf_counter()
        if self._how.drafts is not None and pending.shape is not None:
            seconds = now - max(self._last_heard, pending.started)
            self._how.drafts.took(pending.shape.rows, pending.shape.drafting, seconds / pending.steps)
        self._last_heard = now

    def _hear(self, row: Row, words: Sequence[Said], drafted: bool) -> None:
        """Adds a row's new tokens to its job; ends the row at an end token, a limit or a NaN."""
        job = row.job
        before = len(job.tokens)
        for word in words:
            if not word.sound:
                self._end_row(row, "nan")
                return
            for token in word.tokens:
                ending = self._ending_with(job, token)
                if ending is not None:
                    self._end_row(row, ending)
                    return
                job.tokens.append(token)
                self.meter.tokens += 1
        if self._how.drafts is not None and drafted and row.has_draft:
            self._how.drafts.heard(job.kind, len(words), len(job.tokens) - before)
        if len(job.tokens) // LOOK_EVERY != before // LOOK_EVERY:
            self._look_for_loop(row)

    def _ending_with(self, job: DecodeJob, token: int) -> Ending | None:
        if token == self._special.end:
            return "whole"
        # The last position is for the end token, as in transformers' generate.
        most = self._network.max_positions - len(job.prompt) - 1
        most = most if job.limit is None else min(most, job.limit)
        return "truncated" if len(job.tokens) >= most else None

    def _look_for_loop(self, row: Row) -> None:
        start = loop_start(row.job.tokens, row.job.loop_span, self._special.fillers)
        if start is not None:
            row.job.tokens = row.job.tokens[:start]
            self._end_row(row, "looped")

    def _end_row(self, row: Row, ending: Ending) -> None:
        self._rows.end(row)
        job = row.job
        retried = job.first_try is not None
        if ending == "looped" and not retried:
            job.first_try, job.tokens, job.penalty = job.tokens, [], PENALTY
            self._pool.add(job)
            return
        self._finish(job, Read(job.tokens if ending == "whole" else job.kept, ending, retried))

    def _finish(self, job: DecodeJob, read: Read) -> None:
        job.hidden = None
        job.ended(read)

    # ── too little memory ────────────────────────────────────────────────────────────────────────────────────────

    def _retreat(self) -> None:
        """Puts all running jobs back into the pool with their tokens, and halves the batch for the next turn."""
        self.meter.out_of_memory += 1
        self._hear_what_is_left()
        running = self._rows.clear(self._rows.plan.halved())
        for job in running:
            if not (len(running) == 1 and self._is_hopeless(job)):
                self._pool.add(job)
        self._calm_turns = 0
        empty_cache(self._network.device)

    def _hear_what_is_left(self) -> None:
        """Hears the steps that were started before memory ran out."""
        try:
            self._hear_all()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        self._pending.clear()

    def _regain(self) -> None:
        """Doubles a halved batch again."""
        self._calm_turns = 0
        self._rows.replan(self._rows.plan.doubled(self._whole_plan))

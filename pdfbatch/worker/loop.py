"""Runs one slice of a manifest, from what is left of it to its done mark; used by the fleet and by `local-run`."""

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from pdfbatch.documents.sandbox.children import Children
from pdfbatch.documents.sandbox.confinement import Bounds, is_wide
from pdfbatch.documents.sandbox.passwords import Passwords
from pdfbatch.engines import Engine
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import (
    DoneMark,
    Ending,
    Heartbeat,
    Machine,
    Manifest,
    Outcome,
    RunKeys,
    SourceDocument,
    WorkerSession,
    WorkerState,
)
from pdfbatch.runs.lease import birth_of
from pdfbatch.runs.partition import work_of
from pdfbatch.runs.progress import timestamp
from pdfbatch.runs.sessions import sessions_of
from pdfbatch.store import LocalStore, Store
from pdfbatch.worker.brake import Brake
from pdfbatch.worker.checkpoint import Checkpoints
from pdfbatch.worker.heartbeat import HeartbeatLease
from pdfbatch.worker.journal import LedgerJournal
from pdfbatch.worker.meter import Meter
from pdfbatch.worker.pipeline import Pipeline, Places
from pdfbatch.worker.resume import outcome_from_output, standing
from pdfbatch.worker.scratch import scratch_folder
from pdfbatch.worker.spot import Notice
from pdfbatch.worker.stop import Stop, Why
from pdfbatch.worker.tally import Tally
from pdfbatch.worker.threads import in_thread
from pdfbatch.worker.work import MadeBy

T = TypeVar("T")

FLUSH_SECONDS = 4.0
"""How long one access to the store may take after a stop."""
_LOOK_SECONDS = 0.25

_STATE_AFTER: dict[Ending, WorkerState] = {"done": "done", "failed": "failed", "failing": "failed"}
"""The state of the last heartbeat; after every other ending there is work left: `interrupted`."""


class SliceConfig(NamedTuple):
    """A slice to run, and everything it needs from outside."""

    manifest: Manifest
    documents: Sequence[SourceDocument]
    """The documents of the slice."""
    worker: int
    source: Store
    output: Store
    engine: Engine
    processes: int
    heartbeat_seconds: float
    clock: Callable[[], datetime]
    machine: Machine | None = None
    """The fleet's instance that this is; None on your own machine."""
    meter: Meter | None = None
    """Counts the slice's cost, if the run has a cap."""
    passwords: Passwords = Passwords()
    """Passwords of encrypted documents."""


class SliceRun:
    """A running slice. `run` blocks until it ends; meanwhile `heartbeat`, `noticed` and `save_pages` may be called from
    other threads."""

    def __init__(self, job: SliceConfig, stop: Stop) -> None:
        self._job = job
        self._stop = stop
        self._keys = RunKeys(job.manifest.run)
        self._documents = job.documents
        self._tally = Tally(sum(document.documents for document in self._documents))
        self._state: WorkerState = "starting"
        self._started = self._stamp()
        self._pipeline: Pipeline | None = None
        self.checkpoints: Checkpoints | None = None
        self._children: Children | None = None
        self._past: list[WorkerSession] = []
        self._notice: str | None = None
        self._has_strikes = job.machine is not None
        self._brake = Brake(job.manifest.options.failures_in_a_row)
        self.store_hangs = False
        """Whether the store did not answer after a stop. It is not asked again; what was not saved is done again by the
        next process."""

    def run(self) -> DoneMark:
        """Runs the slice to its end and returns its done mark.

        Raises:
            PdfbatchError: the output cannot be read or written any more; published documents stay.
        """
        job = self._job
        beats = job.heartbeat_seconds
        heart = HeartbeatLease(job.output, self._keys, job.worker, beats, self.heartbeat, self._inherit, job.clock)
        self._unless_hung(heart.start)
        why: Why | Literal["done", "failed"] = "failed"
        try:
            if resumed := self._unless_hung(self._resume):
                journal, left = resumed
                self._tally.expect(sum(map(work_of, left)))
                self._state = "running"
                self._work(left, journal)
            why = self._stop.why if self._stop.why and not self._all_done() else "done"
        finally:
            self._state = _STATE_AFTER.get(why, "interrupted")
            mark = self._mark(why)
            self._unless_hung(heart.end)
        return mark

    def _unless_hung(self, access: Callable[[], T]) -> T | None:
        """Returns what an access to the store returns; None if it takes longer than `FLUSH_SECONDS` after a stop."""
        if self.store_hangs:
            return None
        done = in_thread(access, "store access")
        left = FLUSH_SECONDS
        while left > 0:
            if wait([done], _LOOK_SECONDS).done:
                return done.result()
            left -= _LOOK_SECONDS if self._stop.asked else 0.0
        self.store_hangs = True
        return None

    def heartbeat(self) -> Heartbeat:
        return Heartbeat(
            worker=self._job.worker,
            state="draining" if self._stop.asked and self._state == "running" else self._state,
            counts=self._tally.counts(),
            pages_per_second=self._tally.pages_per_second(),
            eta_seconds=self._tally.eta_seconds(),
            seconds=self._tally.seconds(),
            started=self._started,
            at=self._stamp(),
            host=socket.gethostname(),
            pid=os.getpid(),
            born=birth_of(os.getpid()),
            reading=self._pipeline.reading() if self._pipeline else [],
            machine=self._job.machine,
            notice=self._notice,
            past=self._past,
            dollars=round(self._job.meter.dollars(), 6) if self._job.meter else 0.0,
            price=self._job.meter.price if self._job.meter else 0.0,
        )

    def noticed(self, _notice: Notice) -> None:
        """Call after a Spot interruption notice: reports it in the heartbeat, and drains."""
        self._notice = self._stamp()
        self._stop.ask("interrupted")

    def save_pages(self) -> None:
        """Checkpoints the read pages of open documents, in case an interruption comes without notice."""
        if self._pipeline is not None:
            self._pipeline.save_pages()

    def kill_children(self) -> None:
        if self._children is not None:
            self._children.kill()

    def _inherit(self, last: Heartbeat) -> None:
        self._past = sessions_of(last)
        if self._job.meter is not None:
            self._job.meter.inherit(last)

    def _resume(self) -> tuple[LedgerJournal, list[SourceDocument]]:
        job = self._job
        found = standing(job.manifest, self._documents, job.worker, job.output)
        journal = LedgerJournal(job.output, self._keys, job.worker, found.next_segment, found.recalled)
        self._tally.recall(found.recalled, found.skipped)
        for document in found.unrecorded:
            outcome = outcome_from_output(
                document, job.output, job.engine.name, job.worker, self._stamp(), job.manifest.options.pages
            )
            journal.enter(outcome)
            self._tally.recall([outcome], found.skipped)
        return journal, found.left

    def _work(self, left: Sequence[SourceDocument], journal: LedgerJournal) -> None:
        try:
            with scratch_folder() as scratch:
                for outcome in self._outcomes(left, scratch):
                    if outcome is not None:
                        journal.enter(outcome)
                        self._tally.document(outcome)
                        self._watch_failures(outcome)
                    now = time.monotonic()
                    has_written = journal.is_due(now) and self._unless_hung(partial(journal.keep, now))
                    if has_written or self._has_saved():
                        self._clear_strikes()
        finally:
            if self._unless_hung(journal.close) or self._has_saved():
                self._clear_strikes()

    def _watch_failures(self, outcome: Outcome) -> None:
        if detail := self._brake.after(outcome):
            self._stop.ask("failing", detail)

    def _has_saved(self) -> bool:
        return self._pipeline is not None and self._pipeline.has_saved

    def _outcomes(self, left: Sequence[SourceDocument], scratch: Path) -> Iterator[Outcome | None]:
        if not left:
            return
        job = self._job
        before = RunKeys(job.manifest.follows) if job.manifest.follows else None
        self.checkpoints = self._unless_hung(lambda: Checkpoints(job.output, self._keys, before))
        if self.checkpoints is None:
            return
        bounds = _bounds(job.source, scratch, job.engine)
        places = Places(job.source, job.output, self.checkpoints, scratch, bounds)
        options = job.manifest.options
        made_by = MadeBy(job.engine.name, job.manifest.model, job.worker)
        with (
            Children(
                job.processes, options.memory_mib, job.passwords, job.engine.preload, bounds=bounds
            ) as self._children,
            job.engine.reader(self._children, options, scratch) as reader,
        ):
            self._pipeline = Pipeline(
                places, self._children, reader, made_by, options, self._stop, self._stamp, self._tally.page
            )
            yield from self._pipeline.run(left)

    def _clear_strikes(self) -> None:
        """Resets the count of fruitless boots once the instance has stored a result. Pages that were only read do not
        count: the next crash would lose them."""
        if not self._has_strikes:
            return
        self._has_strikes = False
        output, prefix = self._job.output, self._keys.strikes_of(self._job.worker)
        with suppress(PdfbatchError):
            self._unless_hung(lambda: output.delete([entry.key for entry in output.list(prefix)]))

    def _all_done(self) -> bool:
        counts = self._tally.counts()
        return counts.done >= counts.total

    def _mark(self, why: Ending) -> DoneMark:
        mark = DoneMark(worker=self._job.worker, why=why, at=self._stamp(), counts=self._tally.counts())
        if why == self._stop.why:
            mark = mark.model_copy(update={"detail": self._stop.detail})
        try:
            data = mark.model_dump_json().encode()
            self._unless_hung(lambda: self._job.output.put(self._keys.done_mark(self._job.worker), data))
        except PdfbatchError:
            if why != "failed":  # the error that ended the run says more
                raise
        return mark

    def _stamp(self) -> str:
        return timestamp(self._job.clock())


def _bounds(source: Store, scratch: Path, engine: Engine) -> Bounds:
    """Returns what children may touch: the input if it is a folder of its own, and the scratch folder."""
    reads = (source.root,) if isinstance(source, LocalStore) and not is_wide(source.root) else ()
    return Bounds(reads, (scratch, *engine.places))

"""Runs one slice of a manifest, from what is left of it to its done mark; used by the fleet and by `local-run`."""

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Set
from concurrent.futures import wait
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal, TypeVar

from pdfbatch.documents.sandbox.children import Children
from pdfbatch.documents.sandbox.confinement import Bounds, is_wide
from pdfbatch.engines import CommandEngine, Engine
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import (
    DoneMark,
    Ending,
    Heartbeat,
    Outcome,
    PageResult,
    RunKeys,
    SourceDocument,
    WorkerSession,
    WorkerState,
    output_key,
)
from pdfbatch.runs.begin import AD_HOC_RUN
from pdfbatch.runs.lease import birth_of, last_sign
from pdfbatch.runs.ledger import compact
from pdfbatch.runs.liveness import is_alive
from pdfbatch.runs.partition import work_of
from pdfbatch.runs.sessions import sessions_of
from pdfbatch.store import LocalStore, Store
from pdfbatch.store.scratch import scratch_folder
from pdfbatch.worker.block_leases import LeaseTerms
from pdfbatch.worker.brake import Brake
from pdfbatch.worker.checkpoint import Checkpoints
from pdfbatch.worker.claims import Claims
from pdfbatch.worker.command_pipeline import CommandPipeline, Folders
from pdfbatch.worker.fetch import Places
from pdfbatch.worker.heartbeat import HeartbeatLease
from pdfbatch.worker.hooks import Hooks
from pdfbatch.worker.journal import LedgerJournal
from pdfbatch.worker.parts import Parts
from pdfbatch.worker.pipeline import Pipeline
from pdfbatch.worker.pool_workload import PoolHooks, PoolQueues, PoolWorkload
from pdfbatch.worker.resume import Unrecorded, left_of, outcome_from_output, standing
from pdfbatch.worker.resume_parts import ResumingParts
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.slice_workload import SliceWorkload
from pdfbatch.worker.spot import Notice
from pdfbatch.worker.stop import Stop, Why
from pdfbatch.worker.tally import Tally
from pdfbatch.worker.threads import in_thread
from pdfbatch.worker.work import MadeBy, abandoned
from pdfbatch.worker.workload import Offer, Pause, Workload

T = TypeVar("T")

FLUSH_SECONDS = 4.0
"""How long one access to the store may take after a stop."""
_LOOK_SECONDS = 0.25

_STATE_AFTER: dict[Ending, WorkerState] = {"done": "done", "failed": "failed", "failing": "failed"}
"""The state of the last heartbeat; after every other ending there is work left: `interrupted`."""


class SliceRun:
    """A running slice. `run` blocks until it ends; meanwhile `heartbeat`, `noticed` and `save_pages` may be called from
    other threads."""

    def __init__(self, job: SliceConfig, stop: Stop) -> None:
        self._job = job
        self._stop = stop
        self._keys = RunKeys(job.manifest.run)
        self._claims = Claims(job.output, self._keys, job.worker, job.clock)
        self._done: Set[str] = set()
        self._tally = Tally()
        self._state: WorkerState = "starting"
        self._started = self._job.clock()
        self._session = uuid.uuid4().hex
        self._pipeline: Pipeline | CommandPipeline | None = None
        self.checkpoints: Checkpoints | None = None
        self._children: Children | None = None
        self._journal: LedgerJournal | None = None
        self._workload: Workload | None = None
        self._past: list[WorkerSession] = []
        self._is_first = True
        self._is_done = False
        self._notice: datetime | None = None
        self._has_strikes = job.machine is not None
        self._brake = Brake(job.manifest.options.failures_in_a_row)
        self.store_hangs = False
        """Whether the store did not answer after a stop. It is not asked again; what was not saved is done again by the
        next process."""

    def run(self) -> DoneMark:
        """Runs the slice to its end and returns its done mark; `interrupted` if it could not be written.

        Raises:
            PdfbatchError: the output cannot be read or written any more; published documents stay.
        """
        job = self._job
        beats = job.heartbeat_seconds
        heart = HeartbeatLease(
            job.output, self._keys, job.worker, beats, self.heartbeat, self._inherit, job.clock, self._renew
        )
        self._unless_hung(heart.start)
        why: Why | Literal["done", "failed"] = "failed"
        try:
            if offers := self._unless_hung(self._resume):
                self._state = "running"
                self._watch_cost()
                self._work(offers)
                self._is_done = self._pipeline is None or self._pipeline.is_finished
            why = self._stop.why if self._stop.why and not self._is_done else "done"
        finally:
            self._state = _STATE_AFTER.get(why, "interrupted")
            self._give_back()
            mark = self._mark(why)
            if why == "done":
                self._clear_strikes()  # others may have read the whole slice
                self._join_segments()
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
            eta_seconds=None if self._job.queues else self._tally.eta_seconds(),
            seconds=self._tally.seconds(),
            started=self._started,
            at=self._job.clock(),
            host=socket.gethostname(),
            pid=os.getpid(),
            born=birth_of(os.getpid()),
            session=self._session,
            reading=self._pipeline.reading() if self._pipeline else [],
            holding=self._workload.holding if self._workload else 0,
            waited_seconds=self._workload.waited_seconds if self._workload else None,
            machine=self._job.machine,
            notice=self._notice,
            past=self._past,
            dollars=round(self._job.meter.dollars(), 6) if self._job.meter else 0.0,
            price=self._job.meter.price if self._job.meter else 0.0,
        )

    def noticed(self, _notice: Notice) -> None:
        """Call after a Spot interruption notice: reports it in the heartbeat, and drains."""
        self._notice = self._job.clock()
        self._stop.ask("interrupted")

    def save_pages(self) -> None:
        """Checkpoints the read pages of open documents, in case an interruption comes without notice."""
        if self._pipeline is not None:
            self._pipeline.save_pages()

    def kill_children(self) -> None:
        if self._children is not None:
            self._children.kill()

    def _inherit(self, last: Heartbeat) -> None:
        self._is_first = False
        self._past = sessions_of(last)
        if self._job.meter is not None:
            self._job.meter.inherit(last)

    def _resume(self) -> Iterator[Offer | Pause]:
        """Finds out what is left, and returns it."""
        job = self._job
        is_ad_hoc = job.manifest.run == AD_HOC_RUN
        workload = self._slice_workload(is_ad_hoc) if job.queues is None else self._pool_workload(job.queues)
        self._workload = workload
        entries = [] if is_ad_hoc or self._is_first else workload.claimed()
        found = standing(self._keys, job.worker, entries, job.output, self._tally.recall)
        journal = LedgerJournal(job.output, self._keys, job.worker, found.next_segment, found.failures)
        self._journal = journal
        before = RunKeys(job.manifest.follows) if job.manifest.follows else None
        self.checkpoints = Checkpoints(job.output, self._keys, before)
        for unrecorded in found.unrecorded:
            self._record(unrecorded)
        self._done = found.done | (self._published_before(found.done) if is_ad_hoc else set())
        return workload.offers(partial(left_of, done=self._done))

    def _slice_workload(self, is_ad_hoc: bool) -> Workload:
        job = self._job
        shares = job.manifest.total_workers > 1 and bool(job.manifest.entries) and not is_ad_hoc
        claims = self._claims if shares else None
        return SliceWorkload(
            job.manifest, job.worker, job.documents, job.output, claims, self._tally, self._may_help, self._answered
        )

    def _pool_workload(self, queues: PoolQueues) -> Workload:
        job, seconds = self._job, queues.pool.process_seconds
        terms = LeaseTerms(job.worker, self._session, seconds, job.clock, time.monotonic)
        hooks = PoolHooks(
            self._next_segment,
            self._record,
            self._abandon,
            self._withdraw,
            partial(self._stop.ask, "retired"),
            self._answered,
        )
        return PoolWorkload(job.manifest, queues, terms, job.source, job.output, self._tally, hooks)

    def _next_segment(self) -> int:
        assert self._journal is not None
        return self._journal.next_segment

    def _renew(self) -> None:
        if self._workload is not None:
            self._workload.renew()

    def _give_back(self) -> None:
        with suppress(PdfbatchError):  # else it is handed out again when its time is over
            if self._workload is not None:
                self._unless_hung(self._workload.give_back)

    def _while_store_answers(self, offers: Iterator[Offer | Pause]) -> Iterator[Offer | Pause]:
        while (offer := self._unless_hung(lambda: next(offers, None))) is not None:
            yield offer

    def _answered(self, ask: Callable[[], bool]) -> bool:
        return bool(self._unless_hung(ask))

    def _published_before(self, done: Set[str]) -> Set[str]:
        """Returns the documents without an outcome that have Markdown."""
        published = {entry.key for entry in self._job.output.list()}
        found = [
            document
            for document in self._job.documents
            if output_key(document.key) in published and document.key not in done and not document.twin
        ]
        self._tally.skip(len(found), sum(map(work_of, found)))
        return {document.key for document in found}

    def _may_help(self, slice_: int) -> bool:
        """Whether blocks of another slice may be taken over. On a fleet every slice will be read by somebody; on your
        own machines only those of workers that are running: one that was not started may not be meant to."""
        if self._job.machine is not None:
            return True
        beat, mark = last_sign(self._job.output, self._keys, slice_)
        return beat is not None and is_alive(beat, mark, self._job.clock())

    def _record(self, found: Unrecorded) -> None:
        """Records a document that an earlier process published."""
        job = self._job
        outcome = outcome_from_output(
            found, job.output, job.engine.name, job.worker, self._job.clock(), job.manifest.options.pages
        )
        assert self._journal is not None and self.checkpoints is not None
        self._journal.enter(outcome)
        self._tally.recall(outcome)
        self.checkpoints.drop(found.document)  # it died before that, too

    def _abandon(self, entry: SourceDocument, why: str) -> None:
        """Fails the documents of an entry without trying them."""
        job = self._job
        assert self._journal is not None
        for document in (entry, *entry.copies):
            outcome = abandoned(document, MadeBy(job.engine.name, job.manifest.model, job.worker), job.clock(), why)
            self._journal.enter(outcome)
            self._tally.document(outcome)

    def _work(self, offers: Iterator[Offer | Pause]) -> None:
        journal, workload = self._journal, self._workload
        assert journal is not None and workload is not None
        try:
            with scratch_folder() as scratch:
                for outcome in self._outcomes(offers, scratch):
                    if not workload.may_enter(outcome):
                        self._tally.forget_pages_of(outcome)
                        continue
                    journal.enter(outcome)
                    workload.entered(outcome)
                    self._tally.document(outcome)
                    self._watch_failures(outcome)
        finally:
            self._withdraw()
            if self._unless_hung(journal.close):
                self._ledger_is_written()

    def _keep_journal(self) -> None:
        journal, now = self._journal, time.monotonic()
        urgent = self._workload is not None and self._workload.waits_for_ledger
        if journal is None or not journal.is_due(now, is_urgent=urgent):
            return
        self._withdraw()
        if self._unless_hung(partial(journal.keep, now, is_urgent=urgent)):
            self._ledger_is_written()

    def _withdraw(self) -> None:
        """Takes back outcomes that another worker records: this process was stopped for so long that it lost them."""
        assert self._journal is not None and self._workload is not None
        for outcome in self._journal.withdraw(self._workload.lost_keys()):
            self._tally.forget(outcome)

    def _ledger_is_written(self) -> None:
        self._clear_strikes()
        if self._workload is not None:
            self._unless_hung(self._workload.settle)

    def _page_done(self, page: PageResult, share: float, resumed: bool) -> None:
        self._tally.page(page, share, resumed)
        self._watch_cost()

    def _watch_cost(self) -> None:
        cap, spent = self._job.max_cost, self._tally.endpoint_dollars()
        if cap is not None and spent >= cap:
            detail = f"The endpoint's answers cost ${spent:,.4g}, and --max-cost is ${cap:,.4g}."
            self._stop.ask("over_budget", detail)

    def _watch_failures(self, outcome: Outcome) -> None:
        if detail := self._brake.after(outcome):
            self._stop.ask("failing", detail)

    def _outcomes(self, offers: Iterator[Offer | Pause], scratch: Path) -> Iterator[Outcome]:
        first = self._unless_hung(lambda: next(offers, None))
        if first is None:
            return
        job, options = self._job, self._job.manifest.options
        assert self.checkpoints is not None
        parts = Parts(job.output, self._keys, self.checkpoints, self._claims)
        bounds = _bounds(job.source, scratch, job.engine)
        places = Places(job.source, job.output, self.checkpoints, parts, scratch, bounds)
        made_by = MadeBy(job.engine.name, job.manifest.model, job.worker)
        tally = self._tally
        hooks = Hooks(job.clock, self._page_done, tally.expect, self._keep_journal, self._clear_strikes)
        resuming = ResumingParts(parts, job.worker, job.output, self._done, tally, self._record)
        left = self._while_store_answers(resuming.offers(chain([first], offers)))
        if isinstance(job.engine, CommandEngine):
            folders = Folders(job.source, job.output, scratch)
            self._pipeline = CommandPipeline(folders, made_by, options, self._stop, hooks, job.processes)
            yield from self._pipeline.run(left)
            return
        modules = [each.module for each in job.processors]
        pool = Children(
            job.processes, options.memory_mib, job.passwords, job.engine.preload, bounds=bounds, modules=modules
        )
        with (
            pool as self._children,
            job.engine.reader(self._children, options, scratch) as reader,
        ):
            self._pipeline = Pipeline(places, pool, reader, made_by, options, self._stop, hooks, job.processors)
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

    def _mark(self, why: Ending) -> DoneMark:
        mark = DoneMark(
            worker=self._job.worker, why=why, at=self._job.clock(), session=self._session, counts=self._tally.counts()
        )
        if why == self._stop.why:
            mark = mark.model_copy(update={"detail": self._stop.detail})
        try:
            data = mark.model_dump_json().encode()
            if self._unless_hung(lambda: self._job.output.put(self._keys.done_mark(self._job.worker), data)) is None:
                return mark.model_copy(update={"why": "interrupted"})  # nobody would know that the slice is done
        except PdfbatchError:
            if why != "failed":  # the error that ended the run says more
                raise
        return mark

    def _join_segments(self) -> None:
        with suppress(PdfbatchError):  # many small ones are as good, only slower to read
            self._unless_hung(lambda: compact(self._job.output, self._keys, self._job.worker))


def _bounds(source: Store, scratch: Path, engine: Engine) -> Bounds:
    """Returns what children may touch: the input if it is a folder of its own, and the scratch folder."""
    reads = (source.root,) if isinstance(source, LocalStore) and not is_wide(source.root) else ()
    return Bounds(reads, (scratch, *engine.places))

"""One slice of a manifest, from what is left of it to its done mark: what the fleet runs, and `local-run` too."""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pdfbatch.documents.children import Children
from pdfbatch.engines import Engine
from pdfbatch.errors import StoreError
from pdfbatch.records import (
    STATE_PREFIX,
    DoneMark,
    Ending,
    Heartbeat,
    Manifest,
    Outcome,
    RunKeys,
    SourceDocument,
    WorkerState,
    output_key,
)
from pdfbatch.runs import ledger
from pdfbatch.runs.ledger import LedgerWriter, dump_failures
from pdfbatch.runs.markdown import anchors, main_reason
from pdfbatch.runs.partition import Slice, is_left, slice_of
from pdfbatch.runs.progress import eta_seconds, timestamp
from pdfbatch.store import Store
from pdfbatch.worker.checkpoint import Checkpoints
from pdfbatch.worker.heartbeat import Heart
from pdfbatch.worker.pipeline import Pipeline, Places
from pdfbatch.worker.stop import Stop
from pdfbatch.worker.tally import Tally

FLUSH_SECONDS = 5.0
FLUSH_LINES = 500
FAILURES_SECONDS = 30.0


class Job(NamedTuple):
    """A slice to work on and everything it needs from outside."""

    manifest: Manifest
    worker: int
    source: Store
    output: Store
    engine: Engine
    processes: int
    heartbeat_seconds: float
    clock: Callable[[], datetime]


class SliceRun:
    """One slice at work. `run` blocks until its end; the rest may be read from other threads meanwhile."""

    def __init__(self, job: Job, stop: Stop) -> None:
        self._job = job
        self._stop = stop
        self._keys = RunKeys(job.manifest.run)
        self._documents = slice_of(job.manifest.documents, Slice(job.worker, job.manifest.total_workers))
        self.tally = Tally(len(self._documents))
        self.state: WorkerState = "starting"
        self._started = self._stamp()
        self._pipeline: Pipeline | None = None
        self._children: Children | None = None
        self._failures: dict[str, Outcome] = {}

    def kill_children(self) -> None:
        if self._children is not None:
            self._children.kill()

    def heartbeat(self) -> Heartbeat:
        counts, seconds = self.tally.counts(), self.tally.seconds()
        return Heartbeat(
            worker=self._job.worker,
            state="draining" if self._stop.asked and self.state == "running" else self.state,
            counts=counts,
            pages_per_second=self.tally.pages_per_second(),
            eta_seconds=eta_seconds(counts, self.tally.finished_here, seconds),
            seconds=seconds,
            started=self._started,
            at=self._stamp(),
            host=socket.gethostname(),
            pid=os.getpid(),
            reading=self._pipeline.reading() if self._pipeline else [],
        )

    def run(self) -> DoneMark:
        """
        Raises:
            StoreError: the output cannot be read or written any more; what was published stays.
        """
        job = self._job
        heart = Heart(job.output, self._keys.heartbeat(job.worker), job.heartbeat_seconds, self.heartbeat)
        heart.start()
        why: Ending = "failed"
        try:
            todo = self._what_is_left()
            self.state = "running"
            self._work(todo)
            why = self._stop.why if self._stop.why and not self._all_done() else "done"
        finally:
            self.state = "interrupted" if why == "deadline" else why
            mark = self._mark(why)
            heart.end()
        return mark

    def _all_done(self) -> bool:
        counts = self.tally.counts()
        return counts.done >= counts.total

    def _mark(self, why: Ending) -> DoneMark:
        mark = DoneMark(worker=self._job.worker, why=why, at=self._stamp(), counts=self.tally.counts())
        try:
            self._job.output.put(self._keys.done_mark(self._job.worker), mark.model_dump_json().encode())
        except StoreError:
            if why != "failed":
                raise
        return mark

    # ── what is left ─────────────────────────────────────────────────────────────────────────────────────────────

    def _what_is_left(self) -> list[SourceDocument]:
        """The documents of the slice that no earlier process of it has finished, by the ledger and one listing."""
        wanted = {output_key(document.key) for document in self._documents}
        outputs = {
            entry.key: entry.etag
            for entry in self._job.output.list()
            if entry.key in wanted and not entry.key.startswith(STATE_PREFIX)
        }
        told = self._told()
        left: list[SourceDocument] = []
        recalled: list[Outcome] = []
        unrecorded: list[SourceDocument] = []
        skipped = 0
        for document in self._documents:
            line = told.get(document.key)
            if is_left(document, outputs):
                if line is not None and line.outcome == "failed":
                    recalled.append(line)
                else:
                    left.append(document)
            elif line is not None:
                recalled.append(line)
            elif self._is_ad_hoc:
                skipped += 1
            else:
                unrecorded.append(document)
        self._failures = {line.key: line for line in recalled if line.outcome != "ok"}
        self.tally.recall(recalled, skipped)
        self._writer = LedgerWriter(self._job.output, self._keys, self._job.worker, self._next_segment)
        self._record_published(unrecorded)
        return left

    @property
    def _is_ad_hoc(self) -> bool:
        return self._job.manifest.run.endswith("-adhoc")

    def _told(self) -> dict[str, Outcome]:
        parts = ledger.segments(self._job.output, self._keys.ledger_of(self._job.worker))
        self._next_segment = parts[-1].number + 1 if parts else 1
        return {line.key: line for _, line in ledger.outcomes(self._job.output, parts)}

    def _record_published(self, documents: Iterable[SourceDocument]) -> None:
        """Documents that were published by a process that died before its ledger line: the Markdown tells the rest."""
        for document in documents:
            key = output_key(document.key)
            found = anchors(self._job.output.get(key).decode("utf-8", "replace"))
            bad = [(anchor.number, anchor.reason) for anchor in found if anchor.reason is not None]
            outcome = Outcome(
                key=document.key,
                outcome="partial" if bad else "ok",
                reason=main_reason([reason for _, reason in bad]) if bad else None,
                pages=len(found),
                failed_pages=bad,
                engine=self._job.engine.name,
                output=key,
                etag=document.etag,
                attempt=document.attempt,
                worker=self._job.worker,
                at=self._stamp(),
                detail="published by a process that ended before it could write this line",
            )
            self._writer.add(outcome)
            self.tally.recall([outcome], self.tally.counts().skipped)
            if bad:
                self._failures[document.key] = outcome

    # ── work ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _work(self, todo: list[SourceDocument]) -> None:
        scratch = Path(tempfile.mkdtemp(prefix="pdfbatch-"))
        flushed = failures_written = time.monotonic()
        try:
            for outcome in self._outcomes(todo, scratch):
                if outcome is not None:
                    self._take(outcome)
                now = time.monotonic()
                if self._writer.pending >= FLUSH_LINES or now - flushed > FLUSH_SECONDS:
                    self._writer.flush()
                    flushed = now
                if now - failures_written > FAILURES_SECONDS:
                    self._write_failures()
                    failures_written = now
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            self._writer.flush()
            self._write_failures()

    def _outcomes(self, todo: list[SourceDocument], scratch: Path) -> Iterable[Outcome | None]:
        if not todo:
            return
        job = self._job
        checkpoints = Checkpoints(job.output, self._keys)
        with Children(job.processes, job.manifest.options.memory_mib) as self._children:
            self._pipeline = Pipeline(
                Places(job.source, job.output, checkpoints, scratch),
                self._children,
                job.engine,
                job.manifest.options,
                job.worker,
                self._stop,
                self._stamp,
                self.tally.page,
            )
            yield from self._pipeline.run(todo)

    def _take(self, outcome: Outcome) -> None:
        self._writer.add(outcome)
        self.tally.document(outcome)
        if outcome.outcome != "ok":
            self._failures[outcome.key] = outcome

    def _write_failures(self) -> None:
        data = dump_failures(self._job.worker, self._job.manifest.run, self._failures.values())
        self._job.output.put(self._keys.failure_list(self._job.worker), data)

    def _stamp(self) -> str:
        return timestamp(self._job.clock())

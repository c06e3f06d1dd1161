"""The stage between reading and publishing: processors make files of each document that was read.

Its tasks run in the children, no more at once than there are children, and their files are published as each ends, so
that neither memory nor disk grows with the length of a document. All but the tasks and the store accesses runs in the
pipeline's deciding thread.
"""

from __future__ import annotations

import shutil
import uuid
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pdfbatch.documents.sandbox.children import Children, failure_of
from pdfbatch.errors import AccessDenied, NotReady, PdfbatchError, StoreError, StoreFull
from pdfbatch.processors.base import ReadDocument
from pdfbatch.processors.registry import ReadyProcessor
from pdfbatch.processors.task import TaskEnd, run_processor
from pdfbatch.records import Outcome, ProcessorResults, ReadOptions, Reason, SourceDocument
from pdfbatch.worker.events import Events
from pdfbatch.worker.processor_files import PagesOnDisk, ProcessorFiles
from pdfbatch.worker.stop import Stop
from pdfbatch.worker.work import SliceWork

_STOPS_EVERYTHING = (StoreFull, AccessDenied, NotReady)


@dataclass(eq=False)
class _Task:
    processor: ReadyProcessor
    document: ReadDocument
    tries: int = 0

    @property
    def name(self) -> str:
        return self.processor.spec.folder


@dataclass(eq=False)
class _Job:
    """The processors of one document; `rest` are copies of it that come afterwards."""

    work: SliceWork
    document: SourceDocument
    rest: deque[SourceDocument]
    place: Path
    then: Callable[[], None]
    waiting: deque[_Task] = field(default_factory=deque)
    running: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Why, by processor."""


class Processing:
    """Runs the processors of documents, one after the other, in the order in which they were read."""

    def __init__(
        self,
        processors: Sequence[ReadyProcessor],
        children: Children,
        events: Events,
        files: ProcessorFiles,
        options: ReadOptions,
        stop: Stop,
        on_error: Callable[[PdfbatchError], None],
    ) -> None:
        """`on_error` gets an error that ends the run."""
        self._processors = processors
        self._children = children
        self._events = events
        self._files = files
        self._options = options
        self._stop = stop
        self._on_error = on_error
        self._jobs: deque[_Job] = deque()
        self._running: dict[_Task, str] = {}
        """Tasks that children have, with the keys of their documents."""
        self._in_a_row: Counter[str] = Counter()
        """How many documents each processor has failed since the start; one that has ever succeeded is not counted."""
        self._works: set[str] = set()

    @property
    def is_busy(self) -> bool:
        """Whether a child works on a task."""
        return bool(self._running)

    def reading(self) -> list[str]:
        """Returns what is being processed, for display. May be called from any thread."""
        return [f"{key} {task.name}" for task, key in list(self._running.items())]

    def takes(self, work: SliceWork, outcome: Outcome) -> bool:
        """Whether a document has to be processed before it is published."""
        return bool(self._processors) and work.processing == "" and outcome.output is not None

    def start(self, work: SliceWork, then: Callable[[], None]) -> None:
        """Processes a document and its copies. `then` is called at the end, when `work.results_of` has the results; not
        after a stop, if it came first."""
        work.processing = "running"
        self._next(_Job(work, work.document, deque(work.document.copies), self._files.scratch, then))

    # ── one document ─────────────────────────────────────────────────────────────────────────────────────────────

    def _next(self, job: _Job) -> None:
        """Puts the pages of the job's document on disk."""
        job.place = self._files.scratch / f"processing-{uuid.uuid4().hex}"
        task = partial(self._files.prepare, job.work, job.document, job.place)
        self._events.write(task, partial(self._prepared, job))

    def _prepared(self, job: _Job, done: Future[PagesOnDisk]) -> None:
        try:
            pages = done.result()
        except _STOPS_EVERYTHING as error:
            self._on_error(error)
            return
        except (StoreError, OSError) as error:
            job.failed = {each.spec.folder: f"cannot begin: {error}" for each in self._wanted(job)}
            self._end(job)
            return
        for processor in self._wanted(job):
            job.waiting.extend(_Task(processor, part) for part in pages.parts(processor, job.work, job.document))
        self._jobs.append(job)
        self._submit()

    def _wanted(self, job: _Job) -> list[ReadyProcessor]:
        """Returns the processors that have not made these very files already."""
        before = job.work.before.processed
        return [each for each in self._processors if before.get(each.spec.folder) != each.spec.stamp]

    def _given_up(self, name: str) -> str:
        """Returns why a processor is no longer tried in this process; "" to try it."""
        limit = self._options.failures_in_a_row
        if not limit or name in self._works or self._in_a_row[name] < limit:
            return ""
        return f"not tried, because it failed for the first {limit} documents of this worker"

    def _submit(self) -> None:
        for job in list(self._jobs):
            while job.waiting and len(self._running) < self._children.processes and not self._stop.asked:
                task = job.waiting.popleft()
                if why := self._given_up(task.name):
                    job.failed.setdefault(task.name, why)
                if task.name not in job.failed:
                    job.running += 1
                    self._run(job, task)
            self._end_if_done(job)

    def _run(self, job: _Job, task: _Task) -> None:
        task.tries += 1
        self._running[task] = job.document.key
        spec, seconds = task.processor.spec, self._options.also_seconds
        task.document.folder.mkdir(parents=True, exist_ok=True)
        future = self._children.submit(seconds, run_processor, task.processor.target, spec.options, task.document)
        self._events.when_done(future, partial(self._ended, job, task))

    def _ended(self, job: _Job, task: _Task, done: Future[TaskEnd]) -> None:
        del self._running[task]
        try:
            end = done.result()
        except PdfbatchError as error:
            self._on_error(error)
            return
        except (Exception, CancelledError) as error:
            failure = failure_of(error)
            if self._stop.asked:
                return  # the stop may have killed the child: the resuming process runs this task
            if failure.stopped or (failure.reason is Reason.CRASHED and task.tries <= self._options.max_retries):
                task.tries -= failure.stopped
                self._again(job, task)
                return
            end = TaskEnd(failure.detail)
        if end.why:
            self._fail(job, task, end)
            return
        publish = partial(self._files.publish, job.work, job.document, task.name, task.document.folder)
        self._events.write(publish, partial(self._published, job, task))
        self._submit()

    def _again(self, job: _Job, task: _Task) -> None:
        shutil.rmtree(task.document.folder, ignore_errors=True)
        self._run(job, task)

    def _published(self, job: _Job, task: _Task, done: Future[None]) -> None:
        try:
            done.result()
        except _STOPS_EVERYTHING as error:
            self._on_error(error)
            return
        except (StoreError, OSError) as error:
            self._fail(job, task, TaskEnd(str(error)))
            return
        job.running -= 1
        self._end_if_done(job)

    def _fail(self, job: _Job, task: _Task, end: TaskEnd) -> None:
        """Notes that a processor failed; its other tasks for this document are not run."""
        if task.name not in job.failed and not end.is_unfit:
            self._in_a_row[task.name] += 1
        job.failed.setdefault(task.name, end.why)
        job.running -= 1
        self._submit()

    # ── its end ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _end_if_done(self, job: _Job) -> None:
        if job in self._jobs and not job.running and all(task.name in job.failed for task in job.waiting):
            self._jobs.remove(job)
            self._end(job)

    def _end(self, job: _Job) -> None:
        wanted = self._wanted(job)
        done = {each.spec.folder: each.spec.stamp for each in wanted if each.spec.folder not in job.failed}
        self._works |= done.keys()
        results = ProcessorResults(done, job.failed)
        asked = {each.spec.folder for each in wanted}
        job.work.results_of[job.document.key] = results.after(job.work.before, asked)
        self._events.write(partial(shutil.rmtree, job.place, ignore_errors=True), lambda _: self._cleaned(job))

    def _cleaned(self, job: _Job) -> None:
        if job.rest:
            job.document = job.rest.popleft()
            job.failed = {}
            job.waiting.clear()
            self._next(job)
            return
        job.work.processing = "done"
        job.then()

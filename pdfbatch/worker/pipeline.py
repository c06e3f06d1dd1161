"""The pipeline fetch → judge → read → assemble → publish, with every stage bounded.

One thread makes all decisions: the one that iterates `run`. Fetching, publishing and checkpointing run in threads, all
PDF work in child processes that can be killed. Every finished task posts an event, and the deciding thread handles one
event at a time, so no state is shared. Memory is bounded by the number of open documents and submitted pages, not by
the size of a PDF or the number of PDFs.
"""

import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from pdfbatch.documents.judgement import Judgement
from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import Children, Failure, failure_of
from pdfbatch.documents.sandbox.confinement import Bounds
from pdfbatch.documents.tasks import judge_file
from pdfbatch.engines.base import PageOrder, Reader
from pdfbatch.errors import AccessDenied, NotFound, NotReady, PdfbatchError, StoreError, StoreFull
from pdfbatch.records import (
    Outcome,
    PageResult,
    PageSet,
    ReadOptions,
    Reason,
    SourceDocument,
)
from pdfbatch.runs.inputs import bad_name
from pdfbatch.store import Store
from pdfbatch.worker.checkpoint import EVERY_PAGES, Checkpoints
from pdfbatch.worker.publish import Publisher, patiently
from pdfbatch.worker.scratch import copied
from pdfbatch.worker.stop import Stop
from pdfbatch.worker.threads import DaemonPool
from pdfbatch.worker.work import PLAINER_HELPS, PLAINEST, MadeBy, SliceWork

T = TypeVar("T")

JUDGE_SECONDS = 30.0
DRAIN_SECONDS = 90.0
"""How long pages that are being read may continue after a stop; a Spot interruption notice leaves 120 s in total."""
SAVE_SECONDS = 6.0
"""How long writes may take after that, twice: a working store needs a second, and a broken one is not waited for."""
_TICK_SECONDS = 0.25
_STORE_THREADS = 8
_DOCUMENTS_AHEAD = 4


class Places(NamedTuple):
    """Where a slice reads and writes."""

    source: Store
    output: Store
    checkpoints: Checkpoints
    scratch: Path
    """A local folder for downloaded PDFs."""
    bounds: Bounds
    """What children may touch."""


class Fetched(NamedTuple):
    document: SourceDocument
    digest: str
    path: Path
    resumed: list[PageResult]
    """Pages of this version from a checkpoint."""


class Pipeline:
    """Turns documents into outcomes.

    `page_done` is called with every page, its share of the work, and whether it came from a checkpoint.
    """

    def __init__(
        self,
        places: Places,
        children: Children,
        reader: Reader,
        made_by: MadeBy,
        options: ReadOptions,
        stop: Stop,
        stamp: Callable[[], str],
        page_done: Callable[[PageResult, float, bool], None],
    ) -> None:
        self._places = places
        self._children = children
        self._reader = reader
        self._made_by = made_by
        self._options = options
        self._asked = PageSet.read(options.pages)
        self._publisher = Publisher(places.output, places.checkpoints, made_by.model, options)
        self._stop = stop
        self._stamp = stamp
        self._page_done = page_done
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._open: dict[str, SliceWork] = {}
        self._ready: deque[SliceWork] = deque()
        self._pages_running: dict[tuple[str, int], None] = {}
        self._outcomes: deque[Outcome] = deque()
        self._storing = 0
        self.has_saved = False
        """Whether pages read by this process are in a checkpoint."""
        self._is_late = False
        self._error: PdfbatchError | None = None

    def run(self, documents: Iterable[SourceDocument]) -> Iterator[Outcome | None]:
        """Yields outcomes as they come, and None in between, so that the caller can do timed work.

        After a stop it yields what is still finished, saves the pages of unfinished documents, and ends.

        Raises:
            StoreFull, AccessDenied, NotReady: nothing can be written any more; published documents stay.
        """
        todo = iter(documents)
        self._threads = DaemonPool(_STORE_THREADS, "store")
        self._fetchers = DaemonPool(_STORE_THREADS, "fetch")
        try:
            while self._admit(todo) or self._open or self._outcomes:
                self._next_event()
                self._submit_pages()
                yield from self._take_outcomes()
                if self._stop.asked:
                    yield from self._drain()
                    return
        finally:
            self._fetchers.end()
            self._threads.end(wait=not self._is_late)

    def save_pages(self) -> None:
        """Checkpoints the finished pages of all open documents soon, while the work continues. May be called from any
        thread."""
        self._events.put(self._checkpoint_all)

    def reading(self) -> list[str]:
        """Returns what the children are reading now, for display. May be called from any thread."""
        running = list(self._pages_running)[: self._children.processes]
        return [f"{key} p. {number}" if number else key for key, number in running]

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _next_event(self) -> None:
        try:
            event = self._events.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            return
        event()
        if self._error is not None:
            raise self._error

    def _when_done(self, future: "Future[T]", then: Callable[["Future[T]"], None]) -> None:
        future.add_done_callback(lambda done: self._events.put(partial(then, done)))

    def _take_outcomes(self) -> Iterator[Outcome | None]:
        while self._outcomes:
            yield self._outcomes.popleft()
        yield None

    def _in_thread(self, task: Callable[[], T], then: Callable[["Future[T]"], None]) -> None:
        self._storing += 1

        def stored(done: "Future[T]") -> None:
            self._storing -= 1
            then(done)

        self._when_done(self._threads.submit(task), stored)

    # ── fetch and judge ──────────────────────────────────────────────────────────────────────────────────────────

    def _admit(self, todo: Iterator[SourceDocument]) -> bool:
        """Opens documents up to the limit; False if there are no more."""
        while len(self._open) < self._reader.pages_ahead + _DOCUMENTS_AHEAD:
            document = next(todo, None)
            if document is None:
                return False
            work = SliceWork(document, started=time.monotonic(), asked=self._asked)
            self._open[work.key] = work
            if document.twin:
                self._fail(work, work.name_clash())
                continue
            if fault := bad_name(self._places.output, work.key):
                self._fail(work, Failure(Reason.BAD_NAME, fault))
                continue
            self._when_done(self._fetchers.submit(partial(self._fetch, document)), partial(self._fetched, work))
        return True

    def _fetch(self, document: SourceDocument) -> Fetched:
        """Fetches the current PDF: it may have changed since the manifest was frozen, or since its checkpoints."""
        source, retries = self._places.source, self._options.max_retries
        entry = patiently(lambda: source.head(document.key), retries)
        if entry is None:
            raise NotFound(f"{document.key} is missing.", "Restore it.")
        document = document._replace(size=entry.size, etag=entry.etag)
        digest = patiently(lambda: source.digest(document.key), retries)
        target = self._places.scratch / f"{uuid.uuid4().hex}.pdf"
        path = patiently(lambda: source.fetch(document.key, target), retries)
        if not self._places.bounds.reach(path):  # a link out of the input, or a file named alone
            path = copied(path, target)
        return Fetched(document, digest, path, self._places.checkpoints.load(document, digest))

    def _fetched(self, work: SliceWork, done: "Future[Fetched]") -> None:
        try:
            work.document, work.digest, work.path, resumed = done.result()
        except NotFound:
            self._fail(work, Failure(Reason.MISSING, "is no longer in the input"))
        except (StoreFull, NotReady) as error:
            self._error = error  # no disk space for any download, or no valid credentials
        except StoreError as error:
            self._fail(work, Failure(Reason.STORE_ERROR, error.message))
        else:
            if not self._stop.asked:
                self._judge(work, resumed)

    def _judge(self, work: SliceWork, resumed: list[PageResult]) -> None:
        self._pages_running[work.key, 0] = None
        future = self._children.submit(JUDGE_SECONDS, judge_file, str(work.path))
        self._when_done(future, partial(self._judged, work, resumed))

    def _judged(self, work: SliceWork, resumed: list[PageResult], done: "Future[Judgement]") -> None:
        del self._pages_running[work.key, 0]
        try:
            verdict = done.result()
        except PdfbatchError as error:
            self._error = error  # no child starts
            return
        except Exception as error:
            failure = failure_of(error)
            if self._may_try_again(work, 0, failure):
                self._judge(work, resumed)
            elif not self._stop.asked:
                self._fail(work, failure)
            return
        if verdict.reason is not None:
            self._fail(work, Failure(verdict.reason, verdict.detail))
            return
        work.outline = verdict.outline
        work.resume(verdict.pages, resumed)
        if not work.numbers:
            self._fail(work, work.no_such_page(verdict.pages))
            return
        for number in work.results:
            self._page_done(work.results.bare(number), work.share_of_a_page, True)
        if work.waiting:
            self._ready.append(work)
        else:
            self._publish(work)

    # ── read ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _submit_pages(self) -> None:
        """Keeps the reader busy; earlier documents go first, so that few are unfinished at any time."""
        while self._ready and not self._stop.asked:
            if len(self._pages_running) >= self._reader.pages_ahead:
                return
            work = self._ready[0]
            number = work.waiting.popleft()
            if work.is_stuck:
                self._page_read(work, work.untried(number))
            else:
                self._submit_page(work, number)
            if not work.waiting:
                self._ready.popleft()

    def _submit_page(self, work: SliceWork, number: int) -> None:
        work.running.add(number)
        self._pages_running[work.key, number] = None
        order = PageOrder(str(work.path), number, work.attempt(number))
        self._when_done(self._reader.read(order), partial(self._page_ended, work, number, order.attempt))

    def _page_ended(self, work: SliceWork, number: int, attempt: int, done: "Future[PageRead]") -> None:
        work.running.discard(number)
        self._pages_running.pop((work.key, number), None)
        try:
            page, figures = done.result()
        except PdfbatchError as error:
            self._error = error  # the reader itself cannot go on
            return
        except (Exception, CancelledError) as error:
            failure = failure_of(error)
            work.note_failure(number, failure, attempt)
            if self._may_try_again(work, number, failure, attempt):
                self._submit_page(work, number)
                return
            if self._stop.asked:
                return  # the stop itself may have killed the child: the resuming process reads this page
            page, figures = PageResult(number=number, reason=failure.reason, detail=failure.detail), {}
        page = work.note_end(page, attempt)
        if figures:
            self._in_thread(
                partial(self._publisher.figures, work.key, figures), partial(self._figures_saved, work, page)
            )
        else:
            self._page_read(work, page)

    def _figures_saved(self, work: SliceWork, page: PageResult, done: "Future[None]") -> None:
        """Counts a page as read once its figures are stored, because its checkpoint and its Markdown link to them."""
        try:
            done.result()
        except (StoreFull, AccessDenied, NotReady) as error:
            self._error = error
            return
        except StoreError as error:
            page = PageResult(number=page.number, reason=Reason.STORE_ERROR, detail=error.message)
        self._page_read(work, page)

    def _may_try_again(self, work: SliceWork, number: int, failure: Failure, attempt: int = 0) -> bool:
        """Whether a page is retried: after a crash, which may be bad luck, and after a timeout in a simpler way. A
        child that was stopped on purpose says nothing about the page."""
        if self._stop.asked:
            return False
        if failure.stopped:
            return True
        work.tries[number] += 1
        if work.tries[number] > self._options.max_retries:
            return False
        return failure.reason is Reason.CRASHED or (failure.reason in PLAINER_HELPS and attempt < PLAINEST)

    def _page_read(self, work: SliceWork, page: PageResult) -> None:
        work.results.add(page)
        self._page_done(page, work.share_of_a_page, False)
        if work.is_read:
            self._publish(work)
        elif len(work.results) % EVERY_PAGES == 0:
            self._checkpoint(work)

    def _checkpoint(self, work: SliceWork) -> None:
        pages = work.unsaved()
        if pages:
            work.saved.update(page.number for page in pages)
            self._in_thread(partial(self._places.checkpoints.save, work.document, pages, work.digest), self._stored)

    def _checkpoint_all(self) -> None:
        for work in self._open.values():
            if not work.is_read:
                self._checkpoint(work)

    def _stored(self, done: "Future[None]") -> None:
        error = done.exception()
        if isinstance(error, PdfbatchError):
            self._error = error
        elif error is not None:
            raise error
        else:
            self.has_saved = True

    # ── publish ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _publish(self, work: SliceWork) -> None:
        outcome = work.outcome(self._made_by, time.monotonic() - work.started, self._stamp())
        self._in_thread(partial(self._publisher.document, work, outcome), partial(self._published, work, outcome))

    def _published(self, work: SliceWork, outcome: Outcome, done: "Future[None]") -> None:
        try:
            done.result()
        except (StoreFull, AccessDenied, NotReady) as error:
            self._error = error  # the next document would fail too: end the run, keep the pages
        except StoreError as error:
            self._fail(work, Failure(Reason.STORE_ERROR, error.message))
        else:
            self._close(work, outcome)

    def _fail(self, work: SliceWork, failure: Failure) -> None:
        seconds = time.monotonic() - work.started
        self._close(work, work.failed(failure, self._made_by, seconds, self._stamp()))

    def _close(self, work: SliceWork, outcome: Outcome) -> None:
        del self._open[work.key]
        if work.path is not None and work.path.is_relative_to(self._places.scratch):
            work.path.unlink(missing_ok=True)
        self._outcomes.append(outcome)

    # ── stop ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _drain(self) -> Iterator[Outcome | None]:
        """Saves what is read, lets pages that are being read finish, publishes complete documents, and checkpoints the
        rest. A store that does not answer is not waited for."""
        self._checkpoint_all()
        self._reader.drain()
        yield from self._wait(lambda: bool(self._pages_running), DRAIN_SECONDS)
        yield from self._wait(lambda: self._storing > 0, SAVE_SECONDS)  # figures, before their pages can be saved
        self._checkpoint_all()
        yield from self._wait(lambda: self._storing > 0, SAVE_SECONDS)
        self._children.kill()
        self._is_late = self._storing > 0

    def _wait(self, is_busy: Callable[[], bool], seconds: float) -> Iterator[Outcome | None]:
        deadline = time.monotonic() + seconds
        while is_busy() and time.monotonic() < deadline:
            self._next_event()
            yield from self._take_outcomes()
        yield from self._take_outcomes()

"""The pipeline fetch → judge → read → assemble → publish, with every stage bounded.

One thread makes all decisions: the one that iterates `run`. Fetching, publishing and checkpointing run in threads, all
PDF work in child processes that can be killed. Every finished task posts an event, and the deciding thread handles one
event at a time, so no state is shared. Memory is bounded by the number of open documents and submitted pages, not by
the size of a PDF or the number of PDFs.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from functools import partial

from pdfbatch.documents.judgement import Judgement
from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import Children, Failure, failure_of
from pdfbatch.documents.tasks import judge_file
from pdfbatch.engines.base import PageOrder, Reader
from pdfbatch.errors import AccessDenied, NotFound, NotReady, PdfbatchError, StoreError, StoreFull
from pdfbatch.processors.registry import ReadyProcessor
from pdfbatch.records import Outcome, PageResult, PageSet, ProcessorResults, ReadOptions, Reason, SourceDocument
from pdfbatch.runs.inputs import bad_name
from pdfbatch.runs.partition import work_of
from pdfbatch.worker.checkpoint import EVERY_PAGES
from pdfbatch.worker.events import Events
from pdfbatch.worker.fetch import Fetched, Places, fetch
from pdfbatch.worker.hooks import Hooks
from pdfbatch.worker.processing import Processing
from pdfbatch.worker.processor_files import ProcessorFiles
from pdfbatch.worker.publish import Publisher, copy_of
from pdfbatch.worker.read_before import with_results
from pdfbatch.worker.stop import Stop
from pdfbatch.worker.work import PLAINER_HELPS, PLAINEST, MadeBy, SliceWork
from pdfbatch.worker.workload import Block, Offer, Pause

JUDGE_SECONDS = 30.0
SAVE_SECONDS = 6.0
"""How long writes may take after that, twice: a working store needs a second, and a broken one is not waited for."""
_DOCUMENTS_AHEAD = 4


class Pipeline:
    """Turns documents into outcomes."""

    def __init__(
        self,
        places: Places,
        children: Children,
        reader: Reader,
        made_by: MadeBy,
        options: ReadOptions,
        stop: Stop,
        hooks: Hooks,
        processors: Sequence[ReadyProcessor] = (),
    ) -> None:
        self._places = places
        self._children = children
        self._reader = reader
        self._made_by = made_by
        self._options = options
        self._asked = PageSet.read(options.pages)
        self._publisher = Publisher(places.output, places.checkpoints, made_by.model, options)
        self._stop = stop
        self._hooks = hooks
        self._events = Events()
        self._open: dict[tuple[str, int], SliceWork] = {}
        self._ready: deque[SliceWork] = deque()
        self._pages_running: dict[tuple[str, int, int], None] = {}
        """Key, part and page number of the pages being read; number 0 while a document is being opened."""
        self._more: deque[Offer] = deque()
        """Documents that turned up on the way: assembled from parts, or no longer the same as another."""
        self._outcomes: deque[Outcome] = deque()
        self._is_late = False
        self.is_finished = False
        """Whether `run` ended because nothing is left."""
        self._error: PdfbatchError | None = None
        files = ProcessorFiles(places.output, self._publisher, places.scratch, options.max_retries)
        self._processing = Processing(processors, children, self._events, files, options, stop, self._end_with)

    def run(self, offers: Iterable[Offer | Pause]) -> Iterator[Outcome]:
        """Yields outcomes as they come. After a stop it yields what is still finished, saves the pages of unfinished
        documents, and ends.

        Raises:
            StoreFull, AccessDenied, NotReady: nothing can be written any more; published documents stay.
        """
        todo = iter(offers)
        try:
            while self._admit(todo) or self._open or self._outcomes:
                self._next_event()
                self._submit_pages()
                yield from self._take_outcomes()
                if self._stop.asked:
                    yield from self._drain()
                    self.is_finished = not self._open and not self._more and next(todo, None) is None
                    return
            self.is_finished = True
        finally:
            self._events.end(wait=not self._is_late)

    def save_pages(self) -> None:
        """Checkpoints the finished pages of all open documents soon, while the work continues. May be called from any
        thread."""
        self._events.post(self._checkpoint_all)

    def reading(self) -> list[str]:
        """Returns what the children are reading now, for display. May be called from any thread."""
        running = list(self._pages_running)
        pages = [f"{key} p. {number}" if number else key for key, _, number in running]
        return (self._processing.reading() + pages)[: self._children.processes]

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _end_with(self, error: PdfbatchError) -> None:
        self._error = error

    def _next_event(self) -> None:
        self._events.handle_next()
        if self._error is not None:
            raise self._error

    def _take_outcomes(self) -> Iterator[Outcome]:
        while self._outcomes:
            yield self._outcomes.popleft()
        self._hooks.tick()

    # ── fetch and judge ──────────────────────────────────────────────────────────────────────────────────────────

    def _admit(self, todo: Iterator[Offer | Pause]) -> bool:
        """Opens documents until enough pages wait to be read, or none is there now; False if there are no more."""
        limit = self._reader.pages_ahead + _DOCUMENTS_AHEAD
        while len(self._open) < limit and self._pages_waiting() < limit:
            offer = self._more.popleft() if self._more else next(todo, None)
            if offer is None:
                return False
            if isinstance(offer, Pause):
                return True
            document = offer.document
            work = SliceWork(document, time.monotonic(), offer.block, asked=self._asked)
            self._open[work.name] = work
            work.block.opened()
            if document.twin:
                self._fail(work, work.name_clash())
                continue
            if fault := bad_name(self._places.output, work.key):
                self._fail(work, Failure(Reason.BAD_NAME, fault))
                continue
            task = partial(fetch, document, self._places, self._options.max_retries)
            self._events.fetch(task, partial(self._fetched, work))
        return True

    def _pages_waiting(self) -> int:
        """Returns the number of pages that are known to wait; of a document that is not open yet, one."""
        return sum(len(work.waiting) if work.numbers else 1 for work in self._open.values())

    def _fetched(self, work: SliceWork, done: "Future[Fetched]") -> None:
        try:
            document, work.digest, work.path, resumed, before = done.result()
        except NotFound:
            self._fail(work, Failure(Reason.MISSING, "is no longer in the input"))
        except (StoreFull, NotReady) as error:
            self._error = error  # no disk space for any download, or no valid credentials
        except StoreError as error:
            self._fail(work, Failure(Reason.STORE_ERROR, error.message))
        else:
            if not document.is_part:
                self._read_alone(work, [copy for copy in work.document.copies if copy not in document.copies])
            work.document, work.engine = document, self._made_by.engine
            if before is not None:
                work.engine, work.before = before.engine, before.results
            if not self._stop.asked:
                self._judge(work, resumed)

    def _read_alone(self, work: SliceWork, copies: Iterable[SourceDocument]) -> None:
        """Reads documents that are no longer the same as another."""
        for copy in copies:
            self._hooks.expect(0, work_of(copy))
            self._more.append(Offer(copy, work.block))

    def _judge(self, work: SliceWork, resumed: list[PageResult]) -> None:
        self._pages_running[*work.name, 0] = None
        future = self._children.submit(JUDGE_SECONDS, judge_file, str(work.path))
        self._events.when_done(future, partial(self._judged, work, resumed))

    def _judged(self, work: SliceWork, resumed: list[PageResult], done: "Future[Judgement]") -> None:
        del self._pages_running[*work.name, 0]
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
        if not work.numbers and not work.document.is_part:
            self._fail(work, work.no_such_page(verdict.pages))
            return
        if work.document.is_read and work.waiting:
            self._fail(work, Failure(Reason.STORE_ERROR, "its elements lack some of its pages"))
            return
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
            if not self._is_ours(work):
                self._ready.popleft()
                continue
            self._count_resumed(work)
            number = work.waiting.popleft()
            if work.is_stuck:
                self._page_read(work, work.untried(number))
            else:
                self._submit_page(work, number)
            if not work.waiting:
                self._ready.popleft()

    def _is_ours(self, work: SliceWork) -> bool:
        """Whether this worker is the one that reads the document; closes it if it is not."""
        if work.block.is_mine():
            return True
        work.block.dropped(work.counted_pages())
        self._leave(work)
        return False

    def _count_resumed(self, work: SliceWork) -> None:
        """Counts the pages from a checkpoint, once it is sure that no other worker has the document."""
        for page in work.take_uncounted():
            self._hooks.page_done(page, work.share_of_a_page, True)

    def _submit_page(self, work: SliceWork, number: int) -> None:
        work.running.add(number)
        self._pages_running[*work.name, number] = None
        order = PageOrder(str(work.path), number, work.attempt(number))
        self._events.when_done(self._reader.read(order), partial(self._page_ended, work, number, order.attempt))

    def _page_ended(self, work: SliceWork, number: int, attempt: int, done: "Future[PageRead]") -> None:
        work.running.discard(number)
        self._pages_running.pop((*work.name, number), None)
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
            self._events.write(
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
        self._hooks.page_done(page, work.share_of_a_page, False)
        if work.is_read:
            self._publish_when_saved(work)
        elif self._stop.asked or len(work.results) % EVERY_PAGES == 0:
            self._checkpoint(work)

    def _publish_when_saved(self, work: SliceWork) -> None:
        """Publishes a document that is read, unless a checkpoint is being written: nobody would delete that."""
        if not work.saving and work.processing != "running":
            self._publish(work)

    def _checkpoint(self, work: SliceWork) -> None:
        pages = work.unsaved()
        if pages:
            work.saved.update(page.number for page in pages)
            work.saving += 1
            save = partial(self._places.checkpoints.save, work.document, pages, work.digest)
            self._events.write(save, partial(self._stored, work))

    def _checkpoint_all(self) -> None:
        for work in self._open.values():
            if not work.is_read or work.processing == "running":
                self._checkpoint(work)

    def _stored(self, work: SliceWork, done: "Future[None]") -> None:
        work.saving -= 1
        error = done.exception()
        if isinstance(error, PdfbatchError):
            self._error = error
        elif error is not None:
            raise error
        else:
            self._hooks.on_durable()
            if work.is_read:
                self._publish_when_saved(work)

    # ── publish ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _publish(self, work: SliceWork) -> None:
        if not self._is_ours(work):
            return
        self._count_resumed(work)
        outcome = work.outcome(self._made_by, time.monotonic() - work.started, self._hooks.now())
        if work.document.is_part:
            self._finish_part(work, outcome)
        elif self._processing.takes(work, outcome):
            self._processing.start(work, partial(self._publish_when_saved, work))
        else:
            whole = with_results(outcome, work.results_of.get(work.key, ProcessorResults()))
            self._events.write(partial(self._publisher.document, work, outcome), partial(self._published, work, whole))

    def _published(self, work: SliceWork, outcome: Outcome, done: "Future[list[Outcome]]") -> None:
        try:
            copied = done.result()
        except (StoreFull, AccessDenied, NotReady) as error:
            self._error = error  # the next document would fail too: end the run, keep the pages
        except StoreError as error:
            self._fail(work, Failure(Reason.STORE_ERROR, error.message))
        else:
            self._close(work, outcome, *copied)

    def _finish_part(self, work: SliceWork, outcome: Outcome) -> None:
        part = work.finished_part(outcome)
        task = partial(self._places.parts.finish, work.document, part, work.unsaved())
        self._events.write(task, partial(self._part_finished, work))

    def _part_finished(self, work: SliceWork, done: "Future[bool]") -> None:
        try:
            is_to_assemble = done.result()
        except PdfbatchError as error:
            self._error = error
            return
        self._hooks.on_durable()
        self._leave(work)
        if is_to_assemble:
            whole = work.frozen._replace(part=0)
            self._hooks.expect(whole.documents, 0.0)
            self._more.append(Offer(whole, Block()))

    def _fail(self, work: SliceWork, failure: Failure) -> None:
        if not self._is_ours(work):
            return
        outcome = work.failed(failure, self._made_by, time.monotonic() - work.started, self._hooks.now())
        if work.document.is_part:
            self._finish_part(work, outcome)
            return
        if work.frozen.is_read:
            task = partial(self._publisher.unprocessed, work, failure.detail, self._made_by, self._hooks.now())
            self._events.write(task, partial(self._kept, work, outcome))
            return
        if failure.reason in (Reason.MISSING, Reason.STORE_ERROR):  # says nothing about another key
            self._read_alone(work, work.document.copies)
            self._close(work, outcome)
        else:
            self._close(work, outcome, *(copy_of(outcome, copy) for copy in work.document.copies))

    def _kept(self, work: SliceWork, otherwise: Outcome, done: "Future[Outcome]") -> None:
        """Closes a document that keeps the Markdown of an earlier run."""
        try:
            outcome = done.result()
        except StoreError:
            outcome = otherwise
        self._close(work, outcome)

    def _close(self, work: SliceWork, *outcomes: Outcome) -> None:
        self._leave(work)
        self._outcomes.extend(outcomes)

    def _leave(self, work: SliceWork) -> None:
        del self._open[work.name]
        work.block.closed()
        if work.path is not None and work.path.is_relative_to(self._places.scratch):
            work.path.unlink(missing_ok=True)

    # ── stop ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _drain(self) -> Iterator[Outcome]:
        """Saves what is read, waits for pages being read, each of which is saved at once, publishes complete documents,
        and checkpoints the rest."""
        self._checkpoint_all()
        self._reader.drain()
        yield from self._wait(lambda: bool(self._pages_running) or self._processing.is_busy, self._stop.seconds)
        yield from self._wait(lambda: self._events.writing > 0, SAVE_SECONDS)  # figures before their pages
        self._checkpoint_all()
        yield from self._wait(lambda: self._events.writing > 0, SAVE_SECONDS)
        self._children.kill()
        self._is_late = self._events.writing > 0
        for work in self._open.values():
            work.block.dropped(work.counted_pages())

    def _wait(self, is_busy: Callable[[], bool], seconds: float) -> Iterator[Outcome]:
        deadline = time.monotonic() + seconds
        while is_busy() and time.monotonic() < deadline:
            self._next_event()
            yield from self._take_outcomes()

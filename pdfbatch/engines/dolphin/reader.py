"""Read pages with Dolphin: draw in a child process, lay out with the model, crop in a child, read with the model.

One thread owns the model. It advances each page along its way (`_way`) when what the page waits for has happened, and
decodes in between as long as there is work. Pages of all documents share one pool.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import Children
from pdfbatch.engines.answers.loops import MIN_SPAN, TABLE_SPAN
from pdfbatch.engines.base import PageOrder
from pdfbatch.engines.dolphin.attention import fastest_attention
from pdfbatch.engines.dolphin.decode import Decoder, Decoding, SpecialTokens
from pdfbatch.engines.dolphin.draft_policy import DraftPolicy
from pdfbatch.engines.dolphin.graphs import CudaRecorder, Graphs
from pdfbatch.engines.dolphin.jobs import DecodeJob, Pixels, Read
from pdfbatch.engines.dolphin.layout import LAYOUT_PROMPT, TABLE_PROMPT
from pdfbatch.engines.dolphin.model import Dolphin
from pdfbatch.engines.dolphin.page import Asked, PageWork, expected_tokens
from pdfbatch.engines.dolphin.same_pictures import SamePictures
from pdfbatch.engines.dolphin.tasks import Refine, cut_page, prepare_page
from pdfbatch.engines.parcel import parcelled
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import PageResult, ReadOptions

SMALLEST_DPI = 50
PAGE_GROUP = 16
"""Pages per group: a group's jobs start before those of later groups."""
_LAYOUT = 1 << 20
"""Expected tokens of a layout: large, so that it goes before any element."""
_MOST_HELD = 1 << 30
"""Bytes of pictures waiting to be read, above which no further page is cut up."""
_NOTHING = np.zeros((0, 0, 3), np.uint8)
_CUDA_STRIDE = 2
"""Steps between two reads of the tokens: each read waits for the GPU; surplus steps are discarded."""

Resume = Callable[[Callable[[], Any]], None]
"""Advances a page, given a function that returns what it waited for, or raises. Only on the model's thread."""
Wait = Callable[[Resume], None]
"""Begins to wait for something, after which it resumes the page."""
Way = Generator[Wait, Any, PageRead | None]
"""A page's way to its result; None if the page was left unread."""


def _on_cuda(dolphin: Dolphin) -> Decoding:
    dolphin.network.attention = fastest_attention(dolphin.network, dolphin.plan.rows)
    return Decoding(Graphs(CudaRecorder()), _CUDA_STRIDE, ahead=True, drafts=DraftPolicy())


class DolphinReader:
    """Use as a context manager. With `with_layers`, pages with a healthy text layer are read from it, in the child."""

    def __init__(
        self, dolphin: Dolphin, children: Children, options: ReadOptions, scratch: Path, with_layers: bool
    ) -> None:
        self._dolphin = dolphin
        self._children = children
        self._options = options
        self._scratch = scratch
        self._with_layers = with_layers
        self._side = dolphin.network.side
        self.decoder = Decoder(
            dolphin.network,
            dolphin.plan,
            dolphin.image_processor,
            SpecialTokens(dolphin.tokenizer.end, dolphin.tokenizer.unknown, dolphin.tokenizer.fillers),
            _on_cuda(dolphin) if dolphin.is_cuda else Decoding(drafts=DraftPolicy()),
        )
        self.pages_ahead = max(PAGE_GROUP, 2 * children.processes, dolphin.plan.rows)
        self._tickets = itertools.count()
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._pages: dict[int, PageWork] = {}
        self._ways: dict[int, Way] = {}
        self._lock = threading.Lock()
        self._for_room: deque[Resume] = deque()
        self._same = SamePictures()
        self._held = 0
        self._draining = self._closed = False
        self._error: PdfbatchError | None = None
        self._thread = threading.Thread(target=self._work, name="dolphin", daemon=True)

    def __enter__(self) -> DolphinReader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._events.put(self._close)
        self._thread.join()
        self._abandon(lambda page: page.future.cancel())

    def read(self, order: PageOrder) -> Future[PageRead]:
        ticket = next(self._tickets)
        page = PageWork(ticket, order, self._scratch / f"page-{ticket}.rgb")
        with self._lock:
            if self._error is not None:
                page.future.set_exception(self._error)
                return page.future
            self._pages[page.ticket] = page
        drawn = self._draw(page)
        self._events.put(lambda: self._set_out(page, drawn))
        return page.future

    def drain(self) -> None:
        self._events.put(self._drain)

    # ── the thread that owns the model ───────────────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        import torch

        try:
            with torch.inference_mode():
                while not self._closed:
                    self._take_events()
                    if self.decoder.busy and not self._closed:
                        self.decoder.turn()
        except Exception as error:  # the model or the device failed: no page can be read any more
            self._error = PdfbatchError(
                f"The model failed: {type(error).__name__}: {error}",
                "Start the same command again: finished pages are kept. If it happens again, report it.",
            )
            self._error.__cause__ = error
            with self._lock:
                failed = self._error
            self._abandon(lambda page: page.future.set_exception(failed))

    def _take_events(self) -> None:
        if not self.decoder.busy:
            self._events.get()()
        while not self._events.empty():
            self._events.get()()

    def _close(self) -> None:
        self._closed = True

    def _drain(self) -> None:
        """Gives up pages whose layout has not started: they would take the longest, and the next worker reads them."""
        self._draining = True
        discarded = self.decoder.discard(lambda job: job.expected == _LAYOUT)
        self._held -= sum(job.picture.nbytes for job in discarded)
        for page in list(self._pages.values()):
            if page.layout_job in discarded:
                self._leave(page)
        self._make_room()

    def _abandon(self, end: Callable[[PageWork], object]) -> None:
        with self._lock:
            pages = list(self._pages.values())
            self._pages.clear()
        for page in pages:
            page.forget_file()
            if not page.future.done():
                end(page)

    # ── a page's way ─────────────────────────────────────────────────────────────────────────────────────────────

    def _way(self, page: PageWork, drawing: Wait) -> Way:
        drawn = yield drawing
        if isinstance(drawn, PageRead):
            return drawn
        if self._draining:
            return None
        if isinstance(drawn, Refine):
            self._read_elements(page, page.asked_of_layer(drawn))
            yield page.wait_until_read
            return page.refined(drawn)
        page.prepared = drawn._replace(layout=_NOTHING)
        read = yield self._laid_out(page, drawn.layout)
        if failure := page.layout_failure(read):
            return page.chosen(PageRead(failure))
        layout = self._dolphin.tokenizer.text(read.tokens)
        while not page.is_cut:
            yield self._wait_for_room
            cut = yield self._cut(page, layout)
            self._read_elements(page, page.asked_of(cut))
        yield page.wait_until_read
        return page.chosen(page.result())

    def _set_out(self, page: PageWork, drawing: Wait) -> None:
        if page.ticket in self._pages:
            self._ways[page.ticket] = self._way(page, drawing)
            self._advance(page, lambda: None)

    def _advance(self, page: PageWork, arrived: Callable[[], Any]) -> None:
        """Takes a page's next step. An error in it fails this page alone."""
        way = self._ways.get(page.ticket)
        if way is None:
            return  # it was given up by a drain, or failed
        try:
            wait = _next(way, arrived)
        except StopIteration as ended:
            self._leave(page, ended.value)
        except BaseException as error:  # the future of a killed child raises CancelledError
            self._leave(page, error)
        else:
            wait(partial(self._advance, page))

    def _leave(self, page: PageWork, outcome: PageRead | BaseException | None = None) -> None:
        """Ends a page with its outcome; None: it was not read, and the worker that resumes its document reads it."""
        with self._lock:
            self._pages.pop(page.ticket, None)
        self._ways.pop(page.ticket, None)
        page.forget_file()
        if outcome is None or isinstance(outcome, CancelledError):
            page.future.cancel()
        elif isinstance(outcome, BaseException):
            page.future.set_exception(outcome)
        else:
            page.future.set_result(outcome._replace(page=self._with_seconds(outcome.page)))

    def _with_seconds(self, page: PageResult) -> PageResult:
        meter = self.decoder.meter
        seconds = page.tokens * meter.computing / meter.tokens if meter.tokens else 0.0
        return page.model_copy(update={"model_seconds": round(seconds, 3)}) if page.tokens else page

    # ── what a page waits for ────────────────────────────────────────────────────────────────────────────────────

    def _draw(self, page: PageWork) -> Wait:
        order, options = page.order, self._options
        if order.attempt:  # the same picture would kill its child again
            options = options.model_copy(update={"dpi": max(SMALLEST_DPI, options.dpi >> order.attempt)})
        given = (order.path, order.number, options, self._side, str(page.file), self._with_layers, order.attempt)
        return self._in_child(page, order.seconds(options), prepare_page, *given)

    def _cut(self, page: PageWork, layout: str) -> Wait:
        given = (page.prepared, layout, self._options, self._side, page.pieces_cut)
        return self._in_child(page, self._options.page_seconds, cut_page, *given)

    def _in_child(self, page: PageWork, seconds: float, task: Callable[..., Any], *given: object) -> Wait:
        done = self._children.submit(seconds, parcelled, str(page.parcel), task, *given)

        def wait(resume: Resume) -> None:
            done.add_done_callback(lambda ended: self._events.put(lambda: resume(lambda: ended.result().opened())))

        return wait

    def _laid_out(self, page: PageWork, picture: Pixels) -> Wait:
        def wait(resume: Resume) -> None:
            page.layout_job = self._decode(page, picture, LAYOUT_PROMPT, _LAYOUT, lambda read: resume(lambda: read))

        return wait

    def _wait_for_room(self, resume: Resume) -> None:
        """Waits until there are not too many pictures that wait for the model."""
        self._for_room.append(resume)
        self._make_room()

    def _make_room(self) -> None:
        while self._for_room and self._held < _MOST_HELD:
            self._for_room.popleft()(lambda: None)

    # ── the model's part ─────────────────────────────────────────────────────────────────────────────────────────

    def _read_elements(self, page: PageWork, asked: list[Asked]) -> None:
        """Starts reading elements; one with a picture that is being read, or was read just before, waits for that."""
        for one in asked:
            hear: Callable[[Read], None] | None = partial(self._hear, page, one)
            if one.may_repeat:
                hear = self._same.ask(one.prompt, one.picture, partial(self._hear, page, one))
            if hear is not None:
                self._read_element(page, one, hear)

    def _read_element(self, page: PageWork, asked: Asked, ended: Callable[[Read], None]) -> None:
        expected = expected_tokens(asked.picture, asked.prompt)
        job = self._job(page, asked.picture, asked.prompt, expected, ended)
        job.loop_span = TABLE_SPAN if asked.prompt == TABLE_PROMPT else MIN_SPAN
        job.draft, job.kind = self._dolphin.tokenizer.draft(asked.draft), asked.label
        self.decoder.add(job)

    def _hear(self, page: PageWork, asked: Asked, read: Read) -> None:
        if page.ticket in self._ways:
            page.hear(asked.number, read, self._dolphin.tokenizer.text(read.tokens))

    def _decode(
        self, page: PageWork, picture: Pixels, prompt: str, expected: int, ended: Callable[[Read], None]
    ) -> DecodeJob:
        job = self._job(page, picture, prompt, expected, ended)
        self.decoder.add(job)
        return job

    def _job(
        self, page: PageWork, picture: Pixels, prompt: str, expected: int, ended: Callable[[Read], None]
    ) -> DecodeJob:
        def end(read: Read) -> None:
            self._held -= picture.nbytes
            ended(read)
            self._make_room()

        self._held += picture.nbytes
        tokens = self._dolphin.tokenizer.prompt(prompt)
        return DecodeJob(picture, tokens, page.ticket // PAGE_GROUP, expected, end)


def _next(way: Way, arrived: Callable[[], Any]) -> Wait:
    """Hands a page what it waited for, or the error that came instead; returns what it waits for next."""
    try:
        value = arrived()
    except BaseException as error:
        return way.throw(error)
    return way.send(value)

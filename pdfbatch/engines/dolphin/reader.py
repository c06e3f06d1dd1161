"""Pages on their way through Dolphin: drawn in a child, laid out by the model, cut up in a child, read by the model.

One thread owns the model; whatever the children finish is posted to it, and it takes a turn at decoding whenever there
is something to decode. Pages of all documents are in the pool together.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import Children
from pdfbatch.engines.base import PageOrder
from pdfbatch.engines.dolphin.decode import DecodeJob, Decoder, Pixels, Read
from pdfbatch.engines.dolphin.layout import LAYOUT_PROMPT, TABLE_PROMPT
from pdfbatch.engines.dolphin.loops import MIN_SPAN, TABLE_SPAN
from pdfbatch.engines.dolphin.model import Dolphin
from pdfbatch.engines.dolphin.page import PageWork, expected_tokens
from pdfbatch.engines.dolphin.tasks import Cut, Prepared, Refine, cut_page, prepare_page
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import PageResult, ReadOptions

T = TypeVar("T")

SMALLEST_DPI = 50
PAGE_GROUP = 16
"""Pages that share a turn in the pool."""
_LAYOUT = 1 << 20
"""Tokens expected of a layout, so that it goes before any element."""
_MOST_HELD = 1 << 30
"""Bytes of elements' pictures that may wait to be read, before further pages are cut up."""
_NOTHING = np.zeros((0, 0, 3), np.uint8)
_CUDA_STRIDE = 4
"""Steps between two looks at what was said: a look waits for the GPU, a step too many is thrown away."""


class DolphinReader:
    """Use as a context manager; `with_layers`: pages with a healthy text layer are read by it, in the child."""

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
            dolphin.tokenizer.end,
            graphs=dolphin.is_cuda,
            stride=_CUDA_STRIDE if dolphin.is_cuda else 1,
            banned_token=dolphin.tokenizer.unknown,
        )
        self.pages_ahead = max(PAGE_GROUP, 2 * children.processes, dolphin.plan.rows)
        self._tickets = itertools.count()
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._pages: dict[int, PageWork] = {}
        self._lock = threading.Lock()
        self._laid: deque[PageWork] = deque()
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
        options = self._options
        if order.attempt:  # the same picture would kill its child again
            options = options.model_copy(update={"dpi": max(SMALLEST_DPI, options.dpi >> order.attempt)})
        drawn = self._children.submit(
            order.seconds(options),
            prepare_page,
            order.path,
            order.number,
            options,
            self._side,
            str(page.file),
            self._with_layers,
            order.attempt,
        )
        self._after(page, drawn, self._drawn)
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
        except Exception as error:  # the model or the device is at its end: no page can be read any more
            self._error = PdfbatchError(
                f"The model broke off: {type(error).__name__}: {error}",
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
        """Pages whose layout nobody has begun to read would take the longest: whoever comes next reads them."""
        self._draining = True
        discarded = self.decoder.discard(lambda job: job.expected == _LAYOUT)
        self._held -= sum(job.picture.nbytes for job in discarded)
        for page in list(self._pages.values()):
            if page.layout_job in discarded:
                self._leave(page)
        self._cut_next()

    def _abandon(self, end: Callable[[PageWork], object]) -> None:
        with self._lock:
            pages = list(self._pages.values())
            self._pages.clear()
        for page in pages:
            page.forget_file()
            if not page.future.done():
                end(page)

    # ── a page's way ─────────────────────────────────────────────────────────────────────────────────────────────

    def _go_on(self, page: PageWork, step: Callable[[PageWork, T], None], what: T) -> None:
        """The next step on a page's way. What goes wrong in it costs this page alone."""
        if page.ticket not in self._pages:
            return  # it was left behind by a stop, or failed
        try:
            step(page, what)
        except BaseException as error:  # a child that was killed ends its future with CancelledError
            self._leave(page, error)

    def _after(self, page: PageWork, done: Future[T], step: Callable[[PageWork, T], None]) -> None:
        def follow(ended: Future[T]) -> None:
            self._events.put(lambda: self._go_on(page, lambda page, ended: step(page, ended.result()), ended))

        done.add_done_callback(follow)

    def _drawn(self, page: PageWork, drawn: PageRead | Refine | Prepared) -> None:
        if isinstance(drawn, PageRead):
            self._leave(page, drawn)
            return
        if isinstance(drawn, Refine):
            self._refine(page, drawn)
            return
        page.prepared = drawn._replace(layout=_NOTHING)
        if self._draining:
            self._leave(page)
            return
        page.layout_job = self._decode(page, drawn.layout, LAYOUT_PROMPT, _LAYOUT, self._laid_out)

    def _refine(self, page: PageWork, refine: Refine) -> None:
        if self._draining:
            self._leave(page)
            return
        for index, (asked, image) in enumerate(zip(refine.wanted, refine.images, strict=True)):
            said = partial(self._refined, index=index, refine=refine._replace(images=[]))
            span = TABLE_SPAN if asked.prompt == TABLE_PROMPT else MIN_SPAN
            self._decode(page, image, asked.prompt, expected_tokens(image, asked.prompt), said, span)

    def _refined(self, page: PageWork, read: Read, index: int, refine: Refine) -> None:
        page.hear(index, read, self._dolphin.tokenizer.text(read.tokens))
        if page.heard == len(refine.wanted):
            self._leave(page, page.refined(refine))

    def _laid_out(self, page: PageWork, read: Read) -> None:
        if failure := page.layout_failure(read):
            self._leave(page, PageRead(failure))
            return
        page.layout = self._dolphin.tokenizer.text(read.tokens)
        self._laid.append(page)

    def _cut_next(self) -> None:
        """Cuts up pages as long as the pictures that wait to be read are not too many."""
        while self._laid and self._held < _MOST_HELD:
            page = self._laid.popleft()
            self._go_on(page, self._cut, page.pieces_cut)

    def _cut(self, page: PageWork, first: int) -> None:
        assert page.prepared is not None
        cut = self._children.submit(
            self._options.page_seconds, cut_page, page.prepared, page.layout, self._options, self._side, first
        )
        self._after(page, cut, self._cut_up)

    def _cut_up(self, page: PageWork, cut: Cut) -> None:
        for index, image, prompt in page.take_up(cut):
            span = TABLE_SPAN if prompt == TABLE_PROMPT else MIN_SPAN
            said = partial(self._said, index=index)
            self._decode(page, image, prompt, expected_tokens(image, prompt), said, span)
        if cut.left:
            self._laid.appendleft(page)
            self._cut_next()
        elif page.is_read:
            self._finish(page)

    def _said(self, page: PageWork, read: Read, index: int) -> None:
        page.hear(index, read, self._dolphin.tokenizer.text(read.tokens))
        if page.is_read:
            self._finish(page)

    def _finish(self, page: PageWork) -> None:
        self._leave(page, page.result())

    def _decode(
        self,
        page: PageWork,
        picture: Pixels,
        prompt: str,
        expected: int,
        then: Callable[[PageWork, Read], None],
        span: int = MIN_SPAN,
    ) -> DecodeJob:
        def ended(read: Read) -> None:
            self._held -= picture.nbytes
            self._go_on(page, then, read)
            self._cut_next()

        tokens = self._dolphin.tokenizer.prompt(prompt)
        self._held += picture.nbytes
        job = DecodeJob(picture, tokens, page.ticket // PAGE_GROUP, expected, ended, loop_span=span)
        self.decoder.add(job)
        return job

    def _leave(self, page: PageWork, outcome: PageRead | BaseException | None = None) -> None:
        """The page is at its end here; None: it was not read, and whoever takes its document up reads it."""
        with self._lock:
            self._pages.pop(page.ticket, None)
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

"""Pages on their way through Dolphin: drawn in a child, laid out by the model, cut up in a child, read by the model.

One thread owns the model; whatever the children finish is posted to it, and it takes a turn at decoding whenever there
is something to decode. Pages of all documents are in the pool together.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from pdfbatch.documents.children import Children
from pdfbatch.engines.base import PageOrder, PageRead
from pdfbatch.engines.dolphin.decode import Decoder, Job, Pixels, Read
from pdfbatch.engines.dolphin.layout import LAYOUT_PROMPT, TABLE_PROMPT
from pdfbatch.engines.dolphin.loops import MIN_SPAN, TABLE_SPAN
from pdfbatch.engines.dolphin.model import Dolphin
from pdfbatch.engines.dolphin.page import PageWork, expected_tokens
from pdfbatch.engines.dolphin.tasks import Cut, Prepared, cut_page, prepare_page
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import PageResult, ReadOptions

T = TypeVar("T")

GENERATION = 16
"""Pages that share a turn in the pool."""
_LAYOUT_FIRST = 1 << 20
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
            dolphin.eye,
            dolphin.words.end,
            graphs=dolphin.is_cuda,
            stride=_CUDA_STRIDE if dolphin.is_cuda else 1,
        )
        self.pages_ahead = max(GENERATION, 2 * children.processes, dolphin.plan.rows)
        self._numbers = itertools.count()
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._pages: dict[int, PageWork] = {}
        self._lock = threading.Lock()
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
        page = PageWork(next(self._numbers), order)
        with self._lock:
            if self._error is not None:
                page.future.set_exception(self._error)
                return page.future
            self._pages[page.number] = page
        seconds, scratch = self._options.page_seconds, str(self._scratch)
        drawn = self._children.submit(
            seconds, prepare_page, order.path, order.number, self._options, self._side, scratch, self._with_layers
        )
        drawn.add_done_callback(lambda done: self._events.put(partial(self._drawn, page, done)))
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
        """Pages whose layout is not read yet would take the longest: they are left to whoever comes next."""
        self._draining = True
        self.decoder.discard(lambda job: job.expected == _LAYOUT_FIRST)
        for page in [page for page in self._pages.values() if page.prepared is not None and not page.is_laid_out]:
            self._leave(page)

    def _abandon(self, end: Callable[[PageWork], object]) -> None:
        with self._lock:
            pages = list(self._pages.values())
            self._pages.clear()
        for page in pages:
            page.forget_file()
            if not page.future.done():
                end(page)

    # ── a page's way ─────────────────────────────────────────────────────────────────────────────────────────────

    def _drawn(self, page: PageWork, done: Future[PageResult | Prepared]) -> None:
        drawn = self._result(page, done)
        if isinstance(drawn, PageResult):
            self._leave(page, PageRead(drawn, {}))
        elif drawn is not None:
            page.prepared = drawn._replace(layout=_NOTHING)
            if self._draining:
                self._leave(page)
            else:
                self._decode(page, drawn.layout, LAYOUT_PROMPT, _LAYOUT_FIRST, partial(self._laid_out, page))

    def _laid_out(self, page: PageWork, read: Read) -> None:
        page.is_laid_out = True
        assert page.prepared is not None
        if failure := page.layout_failure(read):
            self._leave(page, PageRead(failure, {}))
            return
        text = self._dolphin.words.text(read.tokens)
        cut = self._children.submit(
            self._options.page_seconds, cut_page, page.prepared, text, self._options, self._side
        )
        cut.add_done_callback(lambda done: self._events.put(partial(self._cut_up, page, done)))

    def _cut_up(self, page: PageWork, done: Future[Cut]) -> None:
        cut = self._result(page, done)
        if cut is None:
            return
        for index, image, prompt in page.take_up(cut):
            span = TABLE_SPAN if prompt == TABLE_PROMPT else MIN_SPAN
            self._decode(page, image, prompt, expected_tokens(image, prompt), partial(self._said, page, index), span)
        if page.is_read:
            self._finish(page)

    def _said(self, page: PageWork, index: int, read: Read) -> None:
        page.hear(index, read, self._dolphin.words.text(read.tokens))
        if page.is_read:
            self._finish(page)

    def _finish(self, page: PageWork) -> None:
        self._leave(page, page.result(self._options))

    def _decode(
        self,
        page: PageWork,
        picture: Pixels,
        prompt: str,
        expected: int,
        ended: Callable[[Read], None],
        span: int = MIN_SPAN,
    ) -> None:
        tokens = self._dolphin.words.prompt(prompt)
        self.decoder.add(Job(picture, tokens, page.number // GENERATION, expected, ended, loop_span=span))

    def _result(self, page: PageWork, done: Future[T]) -> T | None:
        """What a child made; None, and the page leaves with the child's failure, where it made nothing."""
        try:
            return done.result()
        except BaseException as error:  # a child that is killed ends its future with CancelledError
            self._leave(page, error)
            return None

    def _leave(self, page: PageWork, outcome: PageRead | BaseException | None = None) -> None:
        """The page is at its end here; None: it was not read, and whoever takes its document up reads it."""
        with self._lock:
            self._pages.pop(page.number, None)
        page.forget_file()
        if outcome is None or isinstance(outcome, CancelledError):
            page.future.cancel()
        elif isinstance(outcome, BaseException):
            page.future.set_exception(outcome)
        else:
            page.future.set_result(outcome)

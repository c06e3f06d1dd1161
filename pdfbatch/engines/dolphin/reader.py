"""Read pages with Dolphin: draw in a child process, lay out with the model, crop in a child, read with the model.

One thread owns the model. Results of the children are posted to it as events, and between events it decodes as long as
there is work. Pages of all documents share one pool.
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
from pdfbatch.engines.dolphin.attention import fastest_attention
from pdfbatch.engines.dolphin.decode import Decoder, Decoding, SpecialTokens
from pdfbatch.engines.dolphin.draft_policy import DraftPolicy
from pdfbatch.engines.dolphin.graphs import CudaRecorder, Graphs
from pdfbatch.engines.dolphin.jobs import DecodeJob, Pixels, Read
from pdfbatch.engines.dolphin.layout import LAYOUT_PROMPT, TABLE_PROMPT
from pdfbatch.engines.dolphin.loops import MIN_SPAN, TABLE_SPAN
from pdfbatch.engines.dolphin.model import Dolphin
from pdfbatch.engines.dolphin.page import PageWork, expected_tokens
from pdfbatch.engines.dolphin.parcel import Parcel, parcelled
from pdfbatch.engines.dolphin.tasks import Cut, Prepared, Refine, cut_page, prepare_page
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import PageResult, ReadOptions

T = TypeVar("T")

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
            _on_cuda(dolphin) if dolphin.is_cuda else Decoding(),
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
            parcelled,
            str(page.parcel),
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
        self._cut_next()

    def _abandon(self, end: Callable[[PageWork], object]) -> None:
        with self._lock:
            pages = list(self._pages.values())
            self._pages.clear()
        for page in pages:
            page.forget_file()
            if not page.future.done():
                end(page)

    # ── the steps of a page ──────────────────────────────────────────────────────────────────────────────────────

    def _go_on(self, page: PageWork, step: Callable[[PageWork, T], None], what: T) -> None:
        """Runs a page's next step. An error in it fails this page alone."""
        if page.ticket not in self._pages:
            return  # it was given up by a drain, or failed
        try:
            step(page, what)
        except BaseException as error:  # the future of a killed child raises CancelledError
            self._leave(page, error)

    def _after(self, page: PageWork, done: Future[Parcel[T]], step: Callable[[PageWork, T], None]) -> None:
        def follow(ended: Future[Parcel[T]]) -> None:
            self._events.put(lambda: self._go_on(page, lambda page, ended: step(page, ended.result().opened()), ended))

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
            then = partial(self._refined, index=index, refine=refine._replace(images=[]))
            span = TABLE_SPAN if asked.prompt == TABLE_PROMPT else MIN_SPAN
            self._decode(page, image, asked.prompt, expected_tokens(image, asked.prompt), then, span)

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
        """Cuts up pages as long as the waiting pictures stay below the limit."""
        while self._laid and self._held < _MOST_HELD:
            page = self._laid.popleft()
            self._go_on(page, self._cut, page.pieces_cut)

    def _cut(self, page: PageWork, first: int) -> None:
        assert page.prepared is not None
        seconds, parcel = self._options.page_seconds, str(page.parcel)
        cut = self._children.submit(
            seconds, parcelled, parcel, cut_page, page.prepared, page.layout, self._options, self._side, first
        )
        self._after(page, cut, self._cut_up)

    def _cut_up(self, page: PageWork, cut: Cut) -> None:
        for index, image, prompt in page.add_crops(cut):
            span = TABLE_SPAN if prompt == TABLE_PROMPT else MIN_SPAN
            then = partial(self._element_read, index=index)
            self._decode(page, image, prompt, expected_tokens(image, prompt), then, span)
        if cut.left:
            self._laid.appendleft(page)
            self._cut_next()
        elif page.is_read:
            self._finish(page)

    def _element_read(self, page: PageWork, read: Read, index: int) -> None:
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
        """Ends a page with its outcome; None: it was not read, and the worker that resumes its document reads it."""
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

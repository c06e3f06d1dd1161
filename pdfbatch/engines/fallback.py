"""A second engine for the pages that the first could not read, or not well. The better reading is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import Children
from pdfbatch.documents.sandbox.server import READING
from pdfbatch.engines.base import Engine, PageOrder, Reader, pass_on
from pdfbatch.engines.refine import Wanted, wanted
from pdfbatch.engines.second_reading import is_better, marked
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import Element, Label, PageResult, ReadOptions, Reason

Choose = Callable[[PageRead, PageRead], PageRead]
_HOPEFUL = frozenset({Reason.NEEDS_OCR, Reason.REPETITION, Reason.ENGINE_ERROR, Reason.OUT_OF_MEMORY})
"""Why a first reading may fail while another engine reads the page. After a timeout or a crash it is read plainly, as
everywhere."""


_WITHOUT_MODEL = frozenset({"text", "plain", "ocr"})


class RefiningReader(Reader, Protocol):
    def refine(self, order: PageOrder, read: PageRead, asked: Sequence[Wanted]) -> Future[PageRead]:
        """Reads elements of a page that was read, and puts the answers in their places."""


class RefiningEngine(Engine, Protocol):
    def reader(self, children: Children, options: ReadOptions, scratch: Path) -> AbstractContextManager[RefiningReader]:
        """As in `Engine`."""


class FallbackEngine:
    """Named after the first engine: most pages are its own."""

    preload = READING

    def __init__(self, first: Engine, second: RefiningEngine) -> None:
        self._first = first
        self._second = second
        self.name = first.name
        self.model = first.model
        self.places = (*first.places, *second.places)

    def pinned_model(self) -> str:
        """Returns the first engine's; the second's is among the options."""
        self._second.pinned_model()
        return self._first.pinned_model()

    def reader(self, children: Children, options: ReadOptions, scratch: Path) -> AbstractContextManager[Reader]:
        return self._reader(children, options, scratch)

    @contextmanager
    def _reader(self, children: Children, options: ReadOptions, scratch: Path) -> Iterator[Reader]:
        with (
            self._second.reader(children, options, scratch) as second,
            self._first.reader(children, options, scratch) as first,
        ):
            yield FallbackReader(first, second, options.fallback_below, options.fallback_elements)


class FallbackReader:
    """`below`: pages with a lower score are read by the second reader too. `refines`: of the others, it reads the
    elements that need a model."""

    def __init__(self, first: Reader, second: RefiningReader, below: float, refines: bool = False) -> None:
        self._first = first
        self._second = second
        self._below = below
        self._refines = refines
        self._is_draining = False

    @property
    def pages_ahead(self) -> int:
        return self._first.pages_ahead + self._second.pages_ahead

    def read(self, order: PageOrder) -> Future[PageRead]:
        future: Future[PageRead] = Future()
        self._first.read(order).add_done_callback(partial(self._read_first, order, future))
        return future

    def drain(self) -> None:
        self._is_draining = True
        self._first.drain()
        self._second.drain()

    def _read_first(self, order: PageOrder, future: Future[PageRead], done: Future[PageRead]) -> None:
        if done.cancelled() or done.exception() is not None:
            pass_on(done, future)
            return
        read = done.result()
        is_bad = is_doubtful(read.page, self._below)
        asked = unread_by_model(read.page) if self._refines and not is_bad else []
        if order.attempt or not (is_bad or asked):
            future.set_result(read)
        elif self._is_draining:
            future.cancel()  # else a page would be read by another engine because of an interruption
        elif is_bad:
            self._second.read(order).add_done_callback(partial(_read_second, read, future, better))
        else:
            refined = self._second.refine(order, read, asked)
            refined.add_done_callback(partial(_read_second, read, future, lambda _first, second: second))


def _read_second(first: PageRead, future: Future[PageRead], choose: Choose, done: Future[PageRead]) -> None:
    error = None if done.cancelled() else done.exception()
    if done.cancelled() or isinstance(error, PdfbatchError):
        pass_on(done, future)
    elif error is not None:
        future.set_result(marked(first))
    else:
        future.set_result(choose(first, done.result()))


def unread_by_model(page: PageResult) -> list[Wanted]:
    """Returns the elements of a page that need a model, and that none has read."""
    if page.reason is not None:
        return []
    return [each for each in wanted(page.elements) if page.elements[each.place].source in ("layer", "ocr")]


def is_doubtful(page: PageResult, below: float) -> bool:
    """Whether another engine should read a page too: by its score, or by triage if no model has read it."""
    if page.reason is not None:
        return page.reason in _HOPEFUL
    if page.triage is not None and page.read_by in _WITHOUT_MODEL:
        return page.triage.to_model
    return page.score < below


def better(first: PageRead, second: PageRead) -> PageRead:
    """Returns the better reading of the two, with the cost of both. The pictures of figures are the first's: a model's
    answer has none."""
    page, other = first.page, second.page
    shared = {
        "endpoint": page.endpoint.plus(other.endpoint),
        "tokens": page.tokens + other.tokens,
        "model_seconds": page.model_seconds + other.model_seconds,
    }
    if not is_better(page, other):
        return marked(first, shared)
    shared |= {"signals": page.signals, "triage": page.triage, "elements": with_figures(other.elements, page.elements)}
    return PageRead(other.model_copy(update=shared), {**first.figures, **second.figures})


def with_figures(elements: list[Element], others: list[Element]) -> list[Element]:
    """Returns elements in which the figures are the others' that have a picture, in their order; what is left of those
    comes last."""
    pictured = iter([each for each in others if each.label is Label.FIGURE and each.figure])
    placed = [
        _described(next(pictured, each), each) if each.label is Label.FIGURE and not each.figure else each
        for each in elements
    ]
    return [*placed, *pictured]


def _described(figure: Element, by: Element) -> Element:
    return figure if figure.spans else figure.model_copy(update={"spans": by.spans})

"""Read pages by an endpoint: draw in a child, ask in a thread, parse in a child. Whole pages, or elements of a page
that another engine has read."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import Children, failure_of
from pdfbatch.engines.base import PageOrder
from pdfbatch.engines.endpoint.answer import Answer
from pdfbatch.engines.endpoint.asking import Asked, Askers, Outside, Question
from pdfbatch.engines.endpoint.client import Client
from pdfbatch.engines.endpoint.elements import ElementsWork
from pdfbatch.engines.endpoint.page import READ_BY, box_of, page_of
from pdfbatch.engines.endpoint.patience import End, Fail, Give
from pdfbatch.engines.endpoint.request import ELEMENT_PROMPTS
from pdfbatch.engines.endpoint.tasks import Cut, Drawn, cut_into, draw_into, parse, parse_elements
from pdfbatch.engines.refine import Wanted
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import EndpointOptions, EndpointUse, PageResult, ReadOptions

PARSE_SECONDS = 60.0


class _Work:
    """A page on its way; `parcel` is the file in which its child hands pictures over."""

    def __init__(self, order: PageOrder, parcel: Path, began: float) -> None:
        self.order = order
        self.parcel = parcel
        self.began = began
        self.seconds = 0.0
        """What reading it took before."""
        self.use = EndpointUse()
        self.future: Future[PageRead] = Future()


class EndpointReader:
    """Use as a context manager."""

    def __init__(
        self,
        client: Client,
        endpoint: EndpointOptions,
        children: Children,
        options: ReadOptions,
        scratch: Path,
        outside: Outside = Outside(),  # noqa: B008  # immutable
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._children = children
        self._options = options
        self._scratch = scratch
        self._clock = outside.clock
        self._askers = Askers(client, endpoint, options.max_retries, outside)
        self._tickets = itertools.count()
        self._lock = threading.Lock()
        self._open: set[_Work] = set()
        self._is_draining = False
        self._error: PdfbatchError | None = None

    def __enter__(self) -> EndpointReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_draining = True
        self._askers.close()
        self._leave_all()
        self._client.close()

    @property
    def pages_ahead(self) -> int:
        """The pages at the endpoint, as many again that are drawn and wait, and those that are being drawn."""
        return 2 * self._askers.limit + 2 * self._children.processes

    def read(self, order: PageOrder) -> Future[PageRead]:
        def begin(work: _Work) -> None:
            given = (str(work.parcel), order.path, order.number, self._endpoint.side, order.attempt)
            drawn = self._children.submit(order.seconds(self._options), draw_into, *given)
            drawn.add_done_callback(partial(self._when_drawn, work))

        return self._begun(order, begin)

    def refine(self, order: PageOrder, read: PageRead, asked: Sequence[Wanted]) -> Future[PageRead]:
        """Reads elements of a page that was read, and puts the answers in their places."""

        def begin(work: _Work) -> None:
            work.seconds = read.page.seconds
            boxes = [read.page.elements[each.place].box for each in asked]
            page, options = read.page, self._options
            given = (str(work.parcel), order.path, order.number, page.rotation, boxes, options.dpi, self._endpoint.side)
            cut = self._children.submit(order.seconds(options), cut_into, *given)
            cut.add_done_callback(partial(self._when_cut, work, read, asked))

        return self._begun(order, begin)

    def drain(self) -> None:
        """Pages that are not at the endpoint yet, or would have to be asked again, are left."""
        self._is_draining = True
        self._askers.drain()

    def _begun(self, order: PageOrder, begin: Callable[[_Work], None]) -> Future[PageRead]:
        parcel = self._scratch / f"page-{next(self._tickets)}.endpoint"
        work = _Work(order, parcel, self._clock())
        with self._lock:
            if self._error is not None:
                work.future.set_exception(self._error)
                return work.future
            self._open.add(work)
        begin(work)
        return work.future

    # ── a whole page ─────────────────────────────────────────────────────────────────────────────────────────────

    def _when_drawn(self, work: _Work, done: Future[Any]) -> None:
        if (drawn := self._arrived(work, done)) is None:
            return
        if isinstance(drawn, PageRead):
            self._end(work, drawn)
            return
        seconds = work.order.seconds(self._options)
        self._askers.submit(
            Question(drawn, self._endpoint.prompt, seconds, partial(self._when_asked, work, drawn)),
        )

    def _when_asked(self, work: _Work, drawn: Drawn, asked: Asked) -> None:
        work.use = work.use.plus(asked.use)
        match asked.end:
            case Give(answer):
                parsed = self._children.submit(PARSE_SECONDS, parse, answer.text, box_of(drawn))
                parsed.add_done_callback(partial(self._when_parsed, work, drawn, answer))
            case Fail(reason, detail):
                page = PageResult(number=work.order.number, reason=reason, detail=detail, endpoint=work.use)
                self._end(work, PageRead(page))
            case End(trouble):
                self._give_up(self._client.refusal(trouble))
            case None:
                self._leave(work)

    def _when_parsed(self, work: _Work, drawn: Drawn, answer: Answer, done: Future[Any]) -> None:
        number = work.order.number
        try:
            page = page_of(number, drawn, answer, done.result(), work.use, self._endpoint.model)
        except BaseException as error:
            failure = failure_of(error)
            if self._is_draining or failure.stopped:
                self._end(work, error)
                return
            # The same answer would kill its child again, and cost as much.
            page = PageResult(
                number=number, reason=failure.reason, detail=failure.detail, read_by=READ_BY, endpoint=work.use
            )
        self._end(work, PageRead(page))

    # ── elements of a page ───────────────────────────────────────────────────────────────────────────────────────

    def _when_cut(self, work: _Work, read: PageRead, asked: Sequence[Wanted], done: Future[Any]) -> None:
        cut: Cut | None = self._arrived(work, done)
        if cut is None:
            return
        elements = ElementsWork(read, [asked[place] for place in cut.places])
        if not cut.places:
            self._end(work, read)
            return
        seconds = work.order.seconds(self._options)
        for index, (each, picture) in enumerate(zip(elements.asked, cut.pictures, strict=True)):
            ended = partial(self._when_element_asked, work, elements, index)
            self._askers.submit(Question(picture, ELEMENT_PROMPTS[each.kind], seconds, ended))

    def _when_element_asked(self, work: _Work, elements: ElementsWork, index: int, asked: Asked) -> None:
        if isinstance(asked.end, End):
            self._give_up(self._client.refusal(asked.end.trouble))
        elif asked.end is None:
            self._leave(work)
        elif elements.hear(index, asked.end, asked.use):
            parsed = self._children.submit(PARSE_SECONDS, parse_elements, elements.to_parse())
            parsed.add_done_callback(partial(self._when_elements_parsed, work, elements))

    def _when_elements_parsed(self, work: _Work, elements: ElementsWork, done: Future[Any]) -> None:
        try:
            read = elements.refined(done.result())
        except BaseException as error:
            if self._is_draining or failure_of(error).stopped:
                self._end(work, error)
                return
            read = elements.refined([[] for _ in elements.asked])  # they are paid, and would kill their child again
        self._end(work, read)

    # ── ends ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _arrived(self, work: _Work, done: Future[Any]) -> Any:
        """Returns what a child has handed over; None if the page ended instead."""
        try:
            arrived = done.result().opened()
        except BaseException as error:  # the future of a killed child raises CancelledError
            self._end(work, error)
            return None
        return arrived

    def _give_up(self, error: PdfbatchError) -> None:
        """Ends all pages with the error that ends the run."""
        with self._lock:
            self._error = self._error or error
        self._askers.drain()
        self._leave_all()

    def _leave_all(self) -> None:
        with self._lock:
            left = list(self._open)
        for work in left:
            self._leave(work)

    def _leave(self, work: _Work) -> None:
        """Ends a page that was not read, with the error that ends the run if there is one. The worker that resumes its
        document reads it."""
        self._end(work, self._error)

    def _end(self, work: _Work, outcome: PageRead | BaseException | None) -> None:
        """Ends a page once; None: it was not read."""
        with self._lock:
            if work not in self._open:
                return
            self._open.discard(work)
        work.parcel.unlink(missing_ok=True)
        if outcome is None:
            work.future.cancel()
        elif isinstance(outcome, BaseException):
            work.future.set_exception(outcome)
        else:
            seconds = round(work.seconds + self._clock() - work.began, 3)
            work.future.set_result(outcome._replace(page=outcome.page.model_copy(update={"seconds": seconds})))

"""Read pages by an endpoint: draw in a child, ask in a thread, parse in a child.

Threads ask as many pages at once as the pace allows. They are daemons: a request that hangs must not hold up the end of
the process.
"""

from __future__ import annotations

import itertools
import queue
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import Children, failure_of
from pdfbatch.engines.base import PageOrder
from pdfbatch.engines.endpoint.answer import Answer, Trouble
from pdfbatch.engines.endpoint.client import Client
from pdfbatch.engines.endpoint.pace import Gate, Pace
from pdfbatch.engines.endpoint.page import READ_BY, box_of, page_of, use_of
from pdfbatch.engines.endpoint.patience import SILENCE, Again, Circuit, End, Fail, Give, Tries
from pdfbatch.engines.endpoint.tasks import Drawn, draw_into, parse
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import EndpointOptions, EndpointUse, PageResult, ReadOptions

PARSE_SECONDS = 60.0


class Outside(NamedTuple):
    """A monotonic clock in seconds, random numbers from 0 to 1, and how long an endpoint may be silent."""

    clock: Callable[[], float] = time.monotonic
    dice: Callable[[], float] = random.random
    silence: float = SILENCE


class _Work:
    """A page on its way; `parcel` is the file in which its child hands the picture over."""

    def __init__(self, order: PageOrder, parcel: Path, began: float) -> None:
        self.order = order
        self.parcel = parcel
        self.began = began
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
        self._outside = outside
        self._gate = Gate(Pace(endpoint.most_requests), outside.clock)
        self._circuit = Circuit(outside.clock(), outside.silence)
        self._tickets = itertools.count()
        self._lock = threading.Lock()
        self._open: set[_Work] = set()
        self._drawn: queue.SimpleQueue[tuple[_Work, Drawn] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._is_draining = threading.Event()
        self._error: PdfbatchError | None = None

    def __enter__(self) -> EndpointReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_draining.set()
        self._gate.close()
        for _thread in self._threads:
            self._drawn.put(None)
        with self._lock:
            left = list(self._open)
        for work in left:
            self._end(work, None)
        self._client.close()

    @property
    def pages_ahead(self) -> int:
        """The pages at the endpoint, as many again that are drawn and wait, and those that are being drawn."""
        return 2 * self._gate.limit + 2 * self._children.processes

    def read(self, order: PageOrder) -> Future[PageRead]:
        parcel = self._scratch / f"page-{next(self._tickets)}.endpoint"
        work = _Work(order, parcel, self._outside.clock())
        with self._lock:
            if self._error is not None:
                work.future.set_exception(self._error)
                return work.future
            self._open.add(work)
        given = (str(parcel), order.path, order.number, self._endpoint.side, order.attempt)
        drawn = self._children.submit(order.seconds(self._options), draw_into, *given)
        drawn.add_done_callback(partial(self._when_drawn, work))
        return work.future

    def drain(self) -> None:
        """Pages that are not at the endpoint yet, or would have to be asked again, are left."""
        self._is_draining.set()
        while True:
            try:
                waiting = self._drawn.get_nowait()
            except queue.Empty:
                return
            if waiting is not None:
                self._end(waiting[0], None)

    # ── a page's way ─────────────────────────────────────────────────────────────────────────────────────────────

    def _when_drawn(self, work: _Work, done: Future[Any]) -> None:
        try:
            drawn = done.result().opened()
        except BaseException as error:  # the future of a killed child raises CancelledError
            self._end(work, error)
            return
        if isinstance(drawn, PageRead):
            self._end(work, drawn)
        elif self._is_draining.is_set():
            self._end(work, None)
        else:
            self._drawn.put((work, drawn))
            self._need_thread()

    def _need_thread(self) -> None:
        """Starts a thread while there are fewer than requests may be under way."""
        with self._lock:
            if len(self._threads) >= min(self._endpoint.most_requests, len(self._open)):
                return
            thread = threading.Thread(target=self._work, name=f"endpoint-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (waiting := self._drawn.get()) is not None:
            work, drawn = waiting
            try:
                self._ask(work, drawn)
            except Exception as error:  # a fault of ours fails this page alone
                self._end(work, error)

    def _ask(self, work: _Work, drawn: Drawn) -> None:
        match self._conversation(work, drawn):
            case Give(answer):
                parsed = self._children.submit(PARSE_SECONDS, parse, answer.text, box_of(drawn))
                parsed.add_done_callback(partial(self._when_parsed, work, drawn, answer))
            case Fail(reason, detail):
                page = PageResult(number=work.order.number, reason=reason, detail=detail, endpoint=work.use)
                self._end(work, PageRead(page))
            case End(trouble):
                self._give_up(self._client.refusal(trouble))
            case None:
                self._end(work, None)

    def _conversation(self, work: _Work, drawn: Drawn) -> Give | Fail | End | None:
        """Asks until there is a result; None if the page is to be left unread."""
        tries, temperature = Tries(self._options.max_retries), 0.0
        while self._gate.enter():
            result = self._one_request(drawn, temperature, work.order.seconds(self._options))
            if isinstance(result, Answer):
                work.use = work.use.plus(use_of(result, drawn, self._endpoint))
            if silence := self._silence(result):
                return End(silence)
            step = tries.after(result, self._outside.dice())
            if not isinstance(step, Again):
                return step
            if self._is_draining.wait(step.seconds):
                return None
            temperature = step.temperature
        return None

    def _one_request(self, drawn: Drawn, temperature: float, seconds: float) -> Answer | Trouble:
        clock = self._outside.clock
        sent = clock()
        result: Answer | Trouble | None = None
        try:
            result = self._client.ask(drawn.png, temperature, seconds)
        finally:
            if isinstance(result, Answer):
                self._gate.leave_answered(clock() - sent, result.tokens_out or len(result.text) // 3)
            elif result is not None and result.blame in ("busy", "late"):
                self._gate.leave_refused(sent, result.wait)
            else:
                self._gate.leave()
        return result

    def _silence(self, result: Answer | Trouble) -> Trouble | None:
        """Returns the trouble of an endpoint that has answered nothing for too long. What is wrong with one page alone
        is an answer too."""
        now = self._outside.clock()
        with self._lock:
            if isinstance(result, Answer) or result.blame == "page":
                self._circuit.answered(now)
                return None
            is_open = self._circuit.failed(now)
        detail = f"{result.detail}; it has answered nothing for {self._outside.silence:.0f} s"
        return Trouble("fatal", detail, status=result.status) if is_open else None

    def _when_parsed(self, work: _Work, drawn: Drawn, answer: Answer, done: Future[Any]) -> None:
        number = work.order.number
        try:
            page = page_of(number, drawn, answer, done.result(), work.use, self._endpoint.model)
        except BaseException as error:
            failure = failure_of(error)
            if self._is_draining.is_set() or failure.stopped:
                self._end(work, error)
                return
            # The same answer would kill its child again, and cost as much.
            page = PageResult(
                number=number, reason=failure.reason, detail=failure.detail, read_by=READ_BY, endpoint=work.use
            )
        self._end(work, PageRead(page))

    def _give_up(self, error: PdfbatchError) -> None:
        """Ends all pages with the error that ends the run."""
        with self._lock:
            self._error = self._error or error
            left = list(self._open)
        self._is_draining.set()
        for work in left:
            self._end(work, error)

    def _end(self, work: _Work, outcome: PageRead | BaseException | None) -> None:
        """Ends a page once; None: it was not read, and the worker that resumes its document reads it."""
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
            seconds = round(self._outside.clock() - work.began, 3)
            work.future.set_result(outcome._replace(page=outcome.page.model_copy(update={"seconds": seconds})))

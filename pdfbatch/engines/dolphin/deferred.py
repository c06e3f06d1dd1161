"""A reader that accepts pages while its model is still loading, so that documents are fetched and checked meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines.base import PageOrder, Reader, pass_on
from pdfbatch.errors import PdfbatchError


class DeferredReader:
    """Use as a context manager. In a thread, `fetch` gets the model's folder and `load` makes the reader from it; pages
    requested before that wait. If either fails, every page ends with the PdfbatchError that says why.

    Exit does not wait for `fetch`, which may take minutes, but does wait for `load`: torch must not be interrupted.
    """

    def __init__(
        self, fetch: Callable[[], Path], load: Callable[[Path], AbstractContextManager[Reader]], pages_ahead: int
    ) -> None:
        self._fetch = fetch
        self._load = load
        self._pages_ahead = pages_ahead
        self._lock = threading.Lock()
        self._waiting: list[tuple[PageOrder, Future[PageRead]]] = []
        self._reader: Reader | None = None
        self._opened = ExitStack()
        self._error: PdfbatchError | None = None
        self._is_loading = self._ended = False
        self._thread = threading.Thread(target=self._load_model, name="model", daemon=True)

    def __enter__(self) -> DeferredReader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._ended = True
            is_loading = self._is_loading
        if is_loading:
            self._thread.join()
        self._opened.close()
        self._cancel()

    @property
    def pages_ahead(self) -> int:
        return self._reader.pages_ahead if self._reader is not None else self._pages_ahead

    def read(self, order: PageOrder) -> Future[PageRead]:
        with self._lock:
            reader = self._reader
            if reader is None:
                future: Future[PageRead] = Future()
                if self._error is None:
                    self._waiting.append((order, future))
                else:
                    future.set_exception(self._error)
                return future
        return reader.read(order)

    def drain(self) -> None:
        self._cancel()
        if self._reader is not None:
            self._reader.drain()

    def _cancel(self) -> None:
        for _, future in self._take_waiting():
            future.cancel()

    def _take_waiting(self) -> list[tuple[PageOrder, Future[PageRead]]]:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        return waiting

    # ── the thread that loads the model ──────────────────────────────────────────────────────────────────────────

    def _load_model(self) -> None:
        try:
            folder = self._fetch()
            with self._lock:
                if self._ended:
                    return
                self._is_loading = True
            reader = self._opened.enter_context(self._load(folder))
        except BaseException as error:  # no page can be read, so every waiting page must fail
            self._fail(error)
            return
        with self._lock:
            self._reader = reader
        for order, future in self._take_waiting():
            reader.read(order).add_done_callback(lambda read, future=future: pass_on(read, future))  # type: ignore[misc]

    def _fail(self, error: BaseException) -> None:
        failed = error
        if not isinstance(failed, PdfbatchError):
            failed = PdfbatchError(
                f"The model could not be loaded: {type(error).__name__}: {error}",
                "Start the same command again. If it happens again, report it.",
            )
            failed.__cause__ = error
        with self._lock:
            self._error = failed
        for _, future in self._take_waiting():
            future.set_exception(failed)


def beside(prepare: Callable[[], None], fetch: Callable[[], Path]) -> Callable[[], Path]:
    """A `fetch` that meanwhile runs `prepare` in a thread. The process does not end before that thread: torch must not
    be interrupted while it is imported."""

    def both() -> Path:
        threading.Thread(target=prepare, name="libraries").start()
        return fetch()

    return both

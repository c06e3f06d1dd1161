"""Pages that are asked for before the model is there."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines.base import PageOrder, Reader
from pdfbatch.engines.dolphin.deferred import DeferredReader, beside
from pdfbatch.errors import NotReady, PdfbatchError
from tests.pages import page_of

FOLDER = Path("model")


class Echo:
    """Reads every page at once."""

    pages_ahead = 99

    def __init__(self) -> None:
        self.drained = self.closed = False

    def read(self, order: PageOrder) -> Future[PageRead]:
        done: Future[PageRead] = Future()
        done.set_result(PageRead(page_of(order.path, order.number)))
        return done

    def drain(self) -> None:
        self.drained = True

    @contextmanager
    def loaded_from(self, folder: Path) -> Iterator[Reader]:
        assert folder == FOLDER
        yield self
        self.closed = True


def order(number: int) -> PageOrder:
    return PageOrder("a.pdf", number)


def test_pages_wait_until_the_model_is_there() -> None:
    echo, come = Echo(), threading.Event()

    def fetch() -> Path:
        come.wait()
        return FOLDER

    with DeferredReader(fetch, echo.loaded_from, 4) as reader:
        early = [reader.read(order(number)) for number in (1, 2, 3)]
        assert reader.pages_ahead == 4 and not any(future.done() for future in early)
        come.set()
        assert [future.result(60).page.number for future in early] == [1, 2, 3]
        assert reader.read(order(4)).result(60).page.number == 4
        assert reader.pages_ahead == 99
        reader.drain()
    assert echo.drained and echo.closed


def test_a_stop_does_not_wait_for_the_download() -> None:
    echo, come = Echo(), threading.Event()

    def fetch() -> Path:
        come.wait()
        return FOLDER

    with DeferredReader(fetch, echo.loaded_from, 4) as reader:
        early = reader.read(order(1))
        reader.drain()
        with pytest.raises(CancelledError):
            early.result(60)
    come.set()


def test_an_unavailable_model_ends_every_page_with_that_error() -> None:
    come = threading.Event()

    def fetch() -> Path:
        come.wait()
        raise NotReady("There is no model.", "Name one.")

    with DeferredReader(fetch, Echo().loaded_from, 4) as reader:
        early = reader.read(order(1))
        come.set()
        for future in (early, reader.read(order(2))):
            with pytest.raises(NotReady, match="There is no model"):
                future.result(60)


def test_any_error_while_loading_fails_the_run_and_not_the_page() -> None:
    def load(folder: Path) -> AbstractContextManager[Reader]:
        raise RuntimeError("CUDA error: says the test")

    with DeferredReader(lambda: FOLDER, load, 4) as reader, pytest.raises(PdfbatchError, match="says the test"):
        reader.read(order(1)).result(60)


def test_libraries_are_imported_while_the_model_is_fetched() -> None:
    fetching, imported = threading.Event(), threading.Event()

    def fetch() -> Path:
        fetching.set()
        assert imported.wait(10)
        return Path("/model")

    def prepare() -> None:
        assert fetching.wait(10)
        imported.set()

    assert beside(prepare, fetch)() == Path("/model")


def test_a_fetch_that_fails_says_so_whatever_is_imported() -> None:
    def fetch() -> Path:
        raise NotReady("no model", "")

    with pytest.raises(NotReady, match="no model"):
        beside(lambda: None, fetch)()

"""The protocols of an engine and its reader, and the reader of engines that work in child processes only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple, Protocol

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import Children
from pdfbatch.documents.sandbox.server import READING
from pdfbatch.records import ReadOptions

PAGES_AHEAD = 2
"""Pages submitted per child: one being read and one queued, so that no child ever waits for this process."""

PageTask = Callable[[str, int, ReadOptions, int], PageRead]
"""(path of a local PDF, page number from 1, options, attempt) → result of the page. It runs in a child process,
so it must be importable there. If it hangs, crashes or uses too much memory, only that page fails."""


def share_of_limit(attempt: int) -> float:
    """Returns the time limit of an attempt as a share of `--page-seconds`."""
    return 1.0 / (1 << min(attempt, 3))


class PageOrder(NamedTuple):
    """One page to read: page `number` (from 1) of the local PDF at `path`.

    `attempt` 0 is the full reading. After a child was killed or died, 1 is a simpler reading, and from 2 on only steps
    that are always fast are used. Each attempt has half the time of the one before.
    """

    path: str
    number: int
    attempt: int = 0

    def seconds(self, options: ReadOptions) -> float:
        """Returns the time limit of a child for one task of this page."""
        return options.page_seconds * share_of_limit(self.attempt)


class Reader(Protocol):
    """Reads a stream of pages from many documents, in any order."""

    @property
    def pages_ahead(self) -> int:
        """How many pages should be submitted at once."""

    def read(self, order: PageOrder) -> Future[PageRead]:
        """Submits a page; never blocks. The future ends with an exception if the page's child died
        (children.failure_of says why), and with a PdfbatchError if the reader itself cannot go on."""

    def drain(self) -> None:
        """Starts nothing new; pages that would still take long are cancelled."""


class Engine(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str:
        """The model as the person named it; "" for engines without a model."""

    @property
    def preload(self) -> str:
        """What is preloaded in its children, see documents/sandbox/children.py; "" for an engine without children."""

    @property
    def places(self) -> Sequence[Path]:
        """Folders in which its children may read and write, besides the documents and their scratch folder."""

    def pinned_model(self) -> str:
        """Returns the model's name as frozen in a manifest."""

    def reader(self, children: Children, options: ReadOptions, scratch: Path) -> AbstractContextManager[Reader]:
        """Returns a reader that is ready until the context ends; `scratch` is a folder for its files."""


def pass_on(read: Future[PageRead], future: Future[PageRead]) -> None:
    """Ends `future` as `read` has ended."""
    try:
        result = read.result()
    except CancelledError:
        future.cancel()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)


class ChildReader:
    """A reader that runs every page as one task in a child."""

    def __init__(self, children: Children, options: ReadOptions, task: PageTask) -> None:
        self.pages_ahead = children.processes * PAGES_AHEAD
        self._children = children
        self._options = options
        self._task = task

    def read(self, order: PageOrder) -> Future[PageRead]:
        seconds = order.seconds(self._options)
        return self._children.submit(seconds, self._task, order.path, order.number, self._options, order.attempt)

    def drain(self) -> None:
        """Does nothing: submitted pages are already being read, or are next."""


class ChildEngine:
    """An engine that runs one task per page."""

    model = ""

    def __init__(self, name: str, task: PageTask, preload: str = READING, places: Sequence[Path] = ()) -> None:
        self.name = name
        self.preload = preload
        self.places = places
        self._task = task

    def pinned_model(self) -> str:
        return ""

    def reader(
        self,
        children: Children,
        options: ReadOptions,
        scratch: Path,  # noqa: ARG002
    ) -> AbstractContextManager[Reader]:
        return nullcontext(ChildReader(children, options, self._task))

"""The protocols of an engine and of its reader, and the reader of engines that work in the children alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple, Protocol

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import READING, Children
from pdfbatch.records import ReadOptions

PAGES_AHEAD = 2
"""Pages submitted per child: one being read and one waiting, so that no child ever waits for this process."""

PageTask = Callable[[str, int, ReadOptions, int], PageRead]
"""(path of a local PDF, page number from 1, options, attempt) → what became of the page. Runs in a child process,
so it must be importable there; it may hang, crash or eat memory: that costs the page a reason and nothing else."""


class PageOrder(NamedTuple):
    """One page to be read: of the local PDF at `path`, `number` from 1.

    `attempt` 0 is the full reading; after a child was killed or died 1 is the plainer way, and from 2 on only what is
    sure to be quick. Each has half the time of the one before.
    """

    path: str
    number: int
    attempt: int = 0

    def seconds(self, options: ReadOptions) -> float:
        """How long a child may take for one task of it."""
        return options.page_seconds / float(1 << min(self.attempt, 3))


class Reader(Protocol):
    """Reads a stream of pages of many documents, in any order."""

    @property
    def pages_ahead(self) -> int:
        """How many pages it wants to have at once."""

    def read(self, order: PageOrder) -> Future[PageRead]:
        """Never blocks. The future ends with an exception where the page's child died (children.failure_of says why),
        with a PdfbatchError where the reader itself is at its end."""

    def drain(self) -> None:
        """Begin nothing new: pages that would take long yet are cancelled."""


class Engine(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str:
        """What is read with, as a person names it; "" for engines without a choice."""

    @property
    def preload(self) -> str:
        """What its children find loaded, see documents/sandbox/children.py."""

    def pinned_model(self) -> str:
        """The model's name as it is frozen into a manifest."""

    def reader(self, children: Children, options: ReadOptions, scratch: Path) -> AbstractContextManager[Reader]:
        """Ready to read pages, until the context ends; `scratch` is a folder for its files."""


class ChildReader:
    """Every page is one task in a child."""

    def __init__(self, children: Children, options: ReadOptions, task: PageTask) -> None:
        self.pages_ahead = children.processes * PAGES_AHEAD
        self._children = children
        self._options = options
        self._task = task

    def read(self, order: PageOrder) -> Future[PageRead]:
        seconds = order.seconds(self._options)
        return self._children.submit(seconds, self._task, order.path, order.number, self._options, order.attempt)

    def drain(self) -> None:
        """What was submitted is being read or about to be."""


class ChildEngine:
    """An engine whose work is one task for each page."""

    model = ""

    def __init__(self, name: str, task: PageTask, preload: str = READING) -> None:
        self.name = name
        self.preload = preload
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

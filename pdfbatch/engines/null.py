"""The engine that reads nothing: a dry run that opens and checks every PDF, and a benchmark of the loop itself."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.children import Children
from pdfbatch.documents.sandbox.server import OPENING
from pdfbatch.engines.base import PAGES_AHEAD, PageOrder, Reader
from pdfbatch.records import PageResult, ReadOptions


class NullEngine:
    name = "null"
    model = ""
    preload = OPENING
    places: Sequence[Path] = ()

    def pinned_model(self) -> str:
        return ""

    def reader(
        self,
        children: Children,
        options: ReadOptions,  # noqa: ARG002
        scratch: Path,  # noqa: ARG002
    ) -> AbstractContextManager[Reader]:
        return nullcontext(_NullReader(children.processes * PAGES_AHEAD))


class _NullReader:
    def __init__(self, pages_ahead: int) -> None:
        self.pages_ahead = pages_ahead

    def read(self, order: PageOrder) -> Future[PageRead]:
        done: Future[PageRead] = Future()
        done.set_result(PageRead(PageResult(number=order.number)))
        return done

    def drain(self) -> None:
        """Does nothing: no page is ever in progress."""

"""The protocol of an engine."""

from collections.abc import Callable
from typing import Protocol

from pdfbatch.records import PageResult, ReadOptions

PageTask = Callable[[str, int, ReadOptions], PageResult]
"""(path of a local PDF, page number from 1, options) → what became of the page. Runs in a child process, so it must
be importable there; it may hang, crash or eat memory: that costs the page a reason and nothing else."""


class Engine(Protocol):
    name: str

    @property
    def page_task(self) -> PageTask | None:
        """None: pages are not read at all; documents are opened, judged and get their anchors."""

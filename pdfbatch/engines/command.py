"""The engine that runs any command: it gets a folder of inputs and writes a folder of outputs. The worker's part is in
worker/command_pipeline.py."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pdfbatch.documents.sandbox.children import Children
from pdfbatch.engines.base import Reader
from pdfbatch.records import ReadOptions


class CommandEngine:
    """Reads no pages: the command reads whole documents."""

    name = "command"
    model = ""
    preload = ""
    places: Sequence[Path] = ()

    def pinned_model(self) -> str:
        return ""

    def reader(self, children: Children, options: ReadOptions, scratch: Path) -> AbstractContextManager[Reader]:
        raise NotImplementedError("a command reads documents, not pages")

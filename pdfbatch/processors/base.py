"""What a processor is, and what it gets. Light, because the parent process imports it too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

from pdfbatch.records import Page


class NoOptions(BaseModel):
    """The base of a processor's options, and the options of one that has none. The values are numbers, words or
    true/false; each has a default, or must be given."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class UnfitDocument(Exception):
    """Raised by `validate`: the processor cannot take this document. Its message is one sentence for a person."""


class ReadDocument(NamedTuple):
    """A document that was read, or some of its pages."""

    key: str
    """Its key below INPUT, such as `2024/a.pdf`."""
    etag: str
    engine: str
    """The engine that read it."""
    length: int
    """The number of its pages that were requested, not only of those here."""
    pdf: Path
    """The PDF or image itself; read it only."""
    folder: Path
    """An empty folder. What the processor writes here is published beside the Markdown, in a folder with the name of
    the processor."""
    pages_file: Path
    first_byte: int
    page_count: int
    """The number of pages here."""
    markdown_file: Path
    """The Markdown of the whole document."""

    def pages(self) -> Iterator[Page]:
        """Yields the pages in order, one at a time, as they are in the document's `.json`: with all decisions about
        their elements. A page that could not be read has a `reason`."""
        with self.pages_file.open("rb") as file:
            file.seek(self.first_byte)
            for line in islice(file, self.page_count):
                yield Page.model_validate_json(line)

    def markdown(self) -> str:
        """Returns the Markdown of the whole document."""
        return self.markdown_file.read_text("utf-8")


class Processor(ABC):
    """Makes files of a document. It runs in a child process with limits of time and memory, without network, which may
    read the document and Python's packages and write to the given folder. Import what the module needs at its top.
    """

    version: ClassVar[str]
    """Frozen into the manifest. Change it when the files change: documents of another version are processed again."""
    Options: ClassVar[type[BaseModel]] = NoOptions
    pages_per_task: ClassVar[int] = 0
    """Pages for one call of `process`, so that several children work on a long document, each within the time limit; 0:
    all pages in one call."""

    def __init__(self, options: Any) -> None:
        """`options`: an instance of `Options`."""
        self.options = options

    @classmethod  # noqa: B027  # does nothing by default
    def check_installed(cls) -> None:
        """Checks that this computer has what the processor needs.

        Raises:
            NotReady: something is missing.
        """

    def validate(self, document: ReadDocument) -> None:  # noqa: B027  # as above
        """Checks a document before `process` gets it.

        Raises:
            UnfitDocument: this processor cannot take it.
        """

    @abstractmethod
    def process(self, document: ReadDocument) -> None:
        """Writes files to `document.folder`. The same document must give the same files. Any exception makes the
        document partial, with its message as the detail; the Markdown is published all the same."""

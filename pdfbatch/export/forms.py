"""The formats by name. Each loads its libraries only when it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from pdfbatch import config
from pdfbatch.documents.sandbox.passwords import Passwords
from pdfbatch.export.export import Form
from pdfbatch.export.inputs import InputFiles
from pdfbatch.records import ExportOptions
from pdfbatch.store import Store

_MEMORY_MIB = 2048


class Places(NamedTuple):
    output: Store
    dest: Store
    passwords: Passwords = Passwords()
    """Of encrypted inputs."""


@contextmanager
def make_form(options: ExportOptions, places: Places, inputs: InputFiles) -> Iterator[Form]:
    """Yields the format, with what it needs while it is used."""
    match options.format:
        case "parquet":
            from pdfbatch.export.rows import DocumentRows

            yield DocumentRows()
        case "dolma":
            from pdfbatch.export.dolma import DolmaDocuments

            yield DolmaDocuments(options.compression)
        case "docling":
            from pdfbatch.export.docling import DoclingDocuments

            yield DoclingDocuments(options.compression, places.output.url)
        case "chunks":
            from pdfbatch.export.chunks import Chunks

            yield Chunks(options.compression, places.output.url, options.tokens)
        case "pages":
            with _page_rows(options, places, inputs) as rows:
                yield rows
        case "markdown":
            from pdfbatch.export.markdown_files import MarkdownFiles

            yield MarkdownFiles(places.output, places.dest, front_matter=options.front_matter)


@contextmanager
def _page_rows(options: ExportOptions, places: Places, inputs: InputFiles) -> Iterator[Form]:
    from pdfbatch.documents.sandbox.children import Children
    from pdfbatch.documents.sandbox.server import OPENING
    from pdfbatch.export.page_rows import PageRows

    processes = config.default_processes()
    with Children(processes, _MEMORY_MIB, places.passwords, OPENING, bounds=inputs.bounds(places.output)) as children:
        yield PageRows(children, inputs, options.dpi)

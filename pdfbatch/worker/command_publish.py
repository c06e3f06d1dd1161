"""Publishes what a command made for a document: its other files first, its Markdown last."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pdfbatch.errors import PreconditionFailed, StoreError
from pdfbatch.records import SourceDocument, output_key
from pdfbatch.store import Store
from pdfbatch.worker.command_files import Made
from pdfbatch.worker.patience import patiently
from pdfbatch.worker.publish import put_markdown


def publish_files(
    output: Store, document: SourceDocument, files: Sequence[Made], markdown: bytes, retries: int
) -> None:
    """Writes the files of a document, and its Markdown last.

    Raises:
        StoreError: the document could not be written, even after retries.
    """
    for made in files:
        if made.key != output_key(document.key):
            patiently(partial(_put, output, document, made.key, made.path.read_bytes()), retries)
    patiently(partial(put_markdown, output, document, markdown), retries)


def _put(output: Store, document: SourceDocument, key: str, data: bytes) -> None:
    """Writes a file if there is none. One with other content is replaced only when a document is done again: on its
    first try, nobody knows whose file that is."""
    try:
        output.put_new(key, data)
    except PreconditionFailed:
        if output.get(key) == data:
            return
        if document.attempt == 1 and document.output_etag is None:
            raise StoreError(
                f"{output.url}{key} already exists with other content.",
                "Move it, choose another output, or replace it: `pdfbatch retry-failures`.",
            ) from None
        output.put(key, data)

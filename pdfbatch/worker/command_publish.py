"""Publishes what a command made for a document: its other files first, its Markdown last."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pdfbatch.records import SourceDocument, output_key
from pdfbatch.store import Store
from pdfbatch.worker.command_files import Made
from pdfbatch.worker.patience import patiently
from pdfbatch.worker.publish import put_markdown
from pdfbatch.worker.put_file import put_file


def publish_files(
    output: Store, document: SourceDocument, files: Sequence[Made], markdown: bytes, retries: int
) -> None:
    """Writes the files of a document, and its Markdown last.

    Raises:
        StoreError: the document could not be written, even after retries.
    """
    may_replace = document.attempt > 1 or document.output_etag is not None
    for made in files:
        if made.key != output_key(document.key):
            patiently(partial(put_file, output, made.key, made.path, may_replace=may_replace), retries)
    patiently(partial(put_markdown, output, document, markdown), retries)

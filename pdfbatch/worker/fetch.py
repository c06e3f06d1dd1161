"""Fetches a document, and what was already read of it."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import NamedTuple

from pdfbatch.documents.sandbox.confinement import Bounds
from pdfbatch.errors import NotFound
from pdfbatch.records import PageResult, SourceDocument
from pdfbatch.store import Store
from pdfbatch.store.scratch import copied
from pdfbatch.worker.checkpoint import Checkpoints
from pdfbatch.worker.parts import Parts
from pdfbatch.worker.patience import patiently
from pdfbatch.worker.read_before import ReadBefore, read_before


class Places(NamedTuple):
    """Where a slice reads and writes."""

    source: Store
    output: Store
    checkpoints: Checkpoints
    parts: Parts
    scratch: Path
    """A local folder for downloaded PDFs."""
    bounds: Bounds
    """What children may touch."""


class Fetched(NamedTuple):
    document: SourceDocument
    """With its current version, and only those of its copies that have not changed since the manifest was frozen; a
    part has none, because they are published when it is assembled."""
    digest: str
    path: Path
    resumed: list[PageResult]
    """Pages of this version that were read before."""
    before: ReadBefore | None = None
    """What an earlier run made of a document whose pages are not read again."""


def fetch(document: SourceDocument, places: Places, retries: int) -> Fetched:
    """Fetches the current PDF: it may have changed since the manifest was frozen, or since its checkpoints.

    Raises:
        NotFound: it is no longer in the input.
        StoreError: it cannot be read, even after retries.
    """
    source = places.source
    entry = patiently(lambda: source.head(document.key), retries)
    if entry is None:
        raise NotFound(f"{document.key} is missing.", "Restore it.")
    copies = document.copies if entry.etag == document.etag and not document.is_part else ()
    copies = tuple(copy for copy in copies if _is_unchanged(source, copy, retries))
    frozen, document = document, document._replace(size=entry.size, etag=entry.etag, copies=copies)
    digest = patiently(lambda: source.digest(document.key), retries)
    target = places.scratch / f"{uuid.uuid4().hex}.pdf"
    path = patiently(lambda: source.fetch(document.key, target), retries)
    if not places.bounds.reach(path):  # a link out of the input, or a file named alone
        path = copied(path, target)
    if document.is_read:
        before = patiently(lambda: read_before(places.output, frozen), retries)
        return Fetched(document, digest, path, before.pages, before)
    resumed = places.checkpoints.load(document, digest)
    if document.is_assembled:
        resumed += places.parts.unread(document, digest)
    return Fetched(document, digest, path, resumed)


def _is_unchanged(source: Store, copy: SourceDocument, retries: int) -> bool:
    entry = patiently(lambda: source.head(copy.key), retries)
    return entry is not None and entry.etag == copy.etag

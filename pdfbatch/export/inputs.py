"""The inputs of documents: read only where a format or an option needs the file itself."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from pdfbatch.documents.sandbox.confinement import Bounds, is_wide
from pdfbatch.errors import NotFound
from pdfbatch.export.content import Content
from pdfbatch.runs import manifest
from pdfbatch.runs.versions import is_unchanged
from pdfbatch.store import LocalStore, Store, open_store
from pdfbatch.store.scratch import copied


class InputFiles:
    """Local files of inputs; those of a bucket are fetched and removed again."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._opened = cache(_readable)
        self._bounds: Bounds | None = None

    @contextmanager
    def file(self, content: Content) -> Iterator[Path | None]:
        """Yields the file of a document's input; None if it is gone, or not the version that was read."""
        target = self._scratch / f"{uuid.uuid4().hex}.pdf"
        try:
            yield self._fetched(content, target)
        finally:
            target.unlink(missing_ok=True)

    def bounds(self, output: Store) -> Bounds:
        """Returns what child processes may touch that open inputs of the current run."""
        run = manifest.current(output)
        source = open_store(manifest.load(output, run).input) if run else None
        reads = (source.root,) if isinstance(source, LocalStore) and not is_wide(source.root) else ()
        self._bounds = Bounds(reads, (self._scratch,))
        return self._bounds

    def _fetched(self, content: Content, target: Path) -> Path | None:
        if not content.run.input:
            return None
        source, key, read = self._opened(content.run.input), content.item.key, content.outcome
        try:
            path = source.fetch(key, target) if is_unchanged(source, key, read.etag, read.digest) else None
        except NotFound:
            return None
        if path and self._bounds and not self._bounds.reach(path):  # a link out of the input, or a wide folder
            return copied(path, target)
        return path


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _readable(location: str) -> Store:
    store = open_store(location)
    store.check_readable()
    return store

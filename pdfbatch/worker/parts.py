"""Parts of long documents: several workers read one document, and the one that finishes its last part assembles it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress

from pydantic import ValidationError

from pdfbatch.errors import NotFound, PreconditionFailed
from pdfbatch.records import FinishedPart, PageResult, RunKeys, SourceDocument
from pdfbatch.store import Store
from pdfbatch.worker.checkpoint import Checkpoints
from pdfbatch.worker.claims import Claims


class Parts:
    """The parts of the run's long documents. Several threads may use it, each for another document."""

    def __init__(self, store: Store, keys: RunKeys, checkpoints: Checkpoints, claims: Claims) -> None:
        self._store = store
        self._keys = keys
        self._checkpoints = checkpoints
        self._claims = claims
        self._lock = threading.Lock()
        self._assembled = set[str]()

    def finish(self, document: SourceDocument, part: FinishedPart, pages: Sequence[PageResult]) -> bool:
        """Stores a finished part: its pages that are in no checkpoint yet, then its record. Returns whether this worker
        assembles the document."""
        if pages:
            self._checkpoints.save(document, pages, part.digest)
        data = part.model_dump_json(exclude_defaults=True).encode("utf-8", "replace")
        with suppress(PreconditionFailed):  # an earlier process of this worker finished it
            self._store.put_new(self._keys.part(part.key, part.part), data)
        return self.is_to_assemble(document)

    def is_to_assemble(self, document: SourceDocument) -> bool:
        """Whether all parts of a document are finished, and this worker is the one that assembles it. True only once:
        several parts may end at the same time."""
        prefix = self._keys.parts_of(document.key)
        found = {entry.key for entry in self._store.list(prefix)}
        if any(self._keys.part(document.key, number) not in found for number in range(1, document.parts + 1)):
            return False
        if not self._claims.put(self._keys.assembly(document.key)):
            return False
        with self._lock:
            is_first = document.key not in self._assembled
            self._assembled.add(document.key)
        return is_first

    def finished(self, document: SourceDocument) -> FinishedPart | None:
        """Returns the record of one part; None if it is not finished."""
        try:
            return FinishedPart.model_validate_json(self._store.get(self._keys.part(document.key, document.part)))
        except (NotFound, ValidationError):
            return None

    def unread(self, document: SourceDocument, digest: str = "") -> Iterable[PageResult]:
        """Returns the pages of this version of a document that its parts could not read: they are not tried again."""
        for number in range(1, document.parts + 1):
            part = self.finished(document._replace(part=number))
            if part is not None and (part.etag == document.etag or (digest != "" and part.digest == digest)):
                yield from part.unread

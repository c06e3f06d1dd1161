"""Checkpoints: finished pages of unfinished documents, kept in the store for the process that resumes them."""

from collections import defaultdict
from collections.abc import Iterable

from pydantic import ValidationError

from pdfbatch.errors import NotFound, PreconditionFailed
from pdfbatch.records import Checkpoint, PageResult, RunKeys, SourceDocument
from pdfbatch.store import Store

EVERY_PAGES = 32


class Checkpoints:
    """The checkpoints of one run, and those of the run `before` it, which are used and deleted but not added to.
    Several threads may use it, each for another document."""

    def __init__(self, store: Store, keys: RunKeys, before: RunKeys | None = None) -> None:
        self._store = store
        self._keys = keys
        self._runs = [keys] if before is None else [before, keys]
        self.outdated: set[str] = set()
        """Keys of documents with checkpoints of an older version of pdfbatch, in an older format."""
        self._found: dict[str, list[str]] = defaultdict(list)
        for run in self._runs:
            for entry in store.list(run.checkpoints):
                self._found[entry.key.rsplit("/", 1)[0] + "/"].append(entry.key)

    def load(self, document: SourceDocument, digest: str = "") -> list[PageResult]:
        """Returns the read pages of the PDF with this ETag, or with this content by its `digest`. Pages that failed, or
        that an older version of pdfbatch read, are left out, so that they are read again."""
        pages: dict[int, PageResult] = {}
        if document.is_assembled:  # other workers have added theirs since
            self._look_again(document)
        for key in self._keys_of(document):
            try:
                saved = Checkpoint.model_validate_json(self._store.get(key))
            except NotFound:
                continue
            except ValidationError:
                self.outdated.add(document.key)
                continue
            is_same = saved.etag == document.etag or (digest != "" and saved.digest == digest)
            if saved.key == document.key and is_same:
                pages.update({page.number: page for page in saved.pages if page.reason is None})
        return list(pages.values())

    def save(self, document: SourceDocument, pages: Iterable[PageResult], digest: str = "") -> None:
        found = self._found[self._keys.checkpoints_of(document.key)]
        data = (
            Checkpoint(version=2, key=document.key, etag=document.etag, digest=digest, pages=list(pages))
            .model_dump_json(exclude_defaults=True)
            .encode("utf-8", "replace")
        )
        number = len(found) + 1
        while True:
            key = self._keys.checkpoint(document.key, number)
            try:
                self._store.put_new(key, data)
                break
            except PreconditionFailed:
                number += 1
        found.append(key)

    def drop(self, document: SourceDocument) -> None:
        """Deletes the checkpoints of a published document."""
        keys = self._keys_of(document)
        for run in self._runs:
            self._found.pop(run.checkpoints_of(document.key), None)
        if keys:
            self._store.delete(keys)

    def _look_again(self, document: SourceDocument) -> None:
        for run in self._runs:
            prefix = run.checkpoints_of(document.key)
            self._found[prefix] = [entry.key for entry in self._store.list(prefix)]

    def _keys_of(self, document: SourceDocument) -> list[str]:
        return [key for run in self._runs for key in self._found.get(run.checkpoints_of(document.key), ())]

"""Publishes a document: figures as its pages are read, then its elements, and its Markdown last."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TypeVar

from pydantic import ValidationError

from pdfbatch.assembly.assemble import assemble
from pdfbatch.errors import AccessDenied, NotFound, PreconditionFailed, StoreError, StoreFull
from pdfbatch.markdown.document import document_markdown
from pdfbatch.records import (
    DocumentElements,
    Outcome,
    ReadOptions,
    Record,
    SourceDocument,
    elements_key,
    figures_link,
    figures_prefix,
    output_key,
)
from pdfbatch.store import Store
from pdfbatch.worker.checkpoint import Checkpoints
from pdfbatch.worker.work import SliceWork

T = TypeVar("T")


class _Ours(Record):
    """The fields that every version of `DocumentElements` has."""

    key: str
    engine: str
    model: str
    pages: list[object]


class Publisher:
    """Writes to the output; several threads may use it, each for another document."""

    def __init__(self, output: Store, checkpoints: Checkpoints, model: str, options: ReadOptions) -> None:
        self._output = output
        self._checkpoints = checkpoints
        self._model = model
        self._options = options
        self._retries = options.max_retries

    def figures(self, key: str, figures: Mapping[str, bytes]) -> None:
        """Writes PNG files by name; a page that is read again overwrites its figures."""
        for name, data in figures.items():
            patiently(partial(self._output.put, figures_prefix(key) + name, data), self._retries)

    def document(self, work: SliceWork, outcome: Outcome) -> None:
        """Publishes a document, if it has anything to publish, and deletes its checkpoints.

        Raises:
            StoreError: it could not be written, even after retries.
        """
        if outcome.output is not None:
            elements = DocumentElements(
                version=2,
                key=work.key,
                etag=work.document.etag,
                engine=outcome.engine,
                model=self._model,
                figures=figures_link(work.key),
                pages=assemble(work.in_order(), self._options, work.outline),
            )
            patiently(partial(self._put_elements, elements), self._retries)
            markdown = document_markdown(elements).encode("utf-8", "replace")
            patiently(partial(self._put, work.document, markdown), self._retries)
        with suppress(StoreError):  # leftover checkpoints do no harm
            self._checkpoints.drop(work.document)

    def _put_elements(self, elements: DocumentElements) -> None:
        """Writes the elements; replaces those of an earlier run for the same document, but no other file."""
        key = elements_key(elements.key)
        data = elements.model_dump_json(exclude_defaults=True).encode("utf-8", "replace")
        try:
            self._output.put_new(key, data)
        except PreconditionFailed:
            try:
                is_ours = _Ours.model_validate_json(self._output.get(key)).key == elements.key
            except ValidationError:
                is_ours = False
            if not is_ours:
                raise StoreError(
                    f"{self._output.url}{key} already exists and was not written by pdfbatch.",
                    "Move it, or choose another output.",
                ) from None
            self._output.put(key, data)

    def _put(self, document: SourceDocument, data: bytes) -> None:
        key = output_key(document.key)
        try:
            if document.output_etag is None or self._output.head(key) is None:
                self._output.put_new(key, data)
            else:
                self._output.put_if(key, data, document.output_etag)
        except PreconditionFailed:
            # Another process published it first (or this one did, and the response was lost): nothing to do.
            return


def patiently(task: Callable[[], T], retries: int) -> T:
    """Runs a task; retries after a store error that may be temporary, and raises a permanent one at once."""
    for attempt in range(retries):
        try:
            return task()
        except (NotFound, AccessDenied, StoreFull):
            raise
        except StoreError:
            time.sleep(2.0**attempt)
    return task()

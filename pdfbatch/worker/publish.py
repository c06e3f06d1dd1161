"""Publishes a document: figures as its pages are read, then its elements, and its Markdown last."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial

from pydantic import ValidationError

from pdfbatch.assembly.assemble import assemble
from pdfbatch.errors import PreconditionFailed, StoreError
from pdfbatch.markdown.document import document_markdown
from pdfbatch.records import (
    DocumentElements,
    ModelUse,
    Outcome,
    Page,
    ReadOptions,
    Reason,
    Record,
    SourceDocument,
    elements_key,
    figures_link,
    figures_prefix,
    output_key,
)
from pdfbatch.store import Store
from pdfbatch.worker.checkpoint import Checkpoints
from pdfbatch.worker.patience import patiently
from pdfbatch.worker.work import SliceWork


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

    def document(self, work: SliceWork, outcome: Outcome) -> list[Outcome]:
        """Publishes a document and its copies, if it has anything to publish, and deletes its checkpoints. Returns the
        outcomes of the copies.

        Raises:
            StoreError: the document could not be written, even after retries.
        """
        copied: list[Outcome] = []
        if outcome.output is None:
            copied = [copy_of(outcome, copy) for copy in work.document.copies]
        else:
            pages = assemble(work.in_order(), self._options, work.outline)
            self._write(work.document, outcome.engine, pages)
            for copy in work.document.copies:
                copied.append(self._copy(work.key, copy, outcome, pages))
        with suppress(StoreError):  # leftover checkpoints do no harm
            self._checkpoints.drop(work.document)
        return copied

    def _write(self, document: SourceDocument, engine: str, pages: list[Page]) -> None:
        elements = DocumentElements(
            version=2,
            key=document.key,
            etag=document.etag,
            engine=engine,
            model=self._model,
            figures=figures_link(document.key),
            pages=pages,
        )
        patiently(partial(self._put_elements, elements), self._retries)
        markdown = document_markdown(elements).encode("utf-8", "replace")
        patiently(partial(put_markdown, self._output, document, markdown), self._retries)

    def _copy(self, original: str, copy: SourceDocument, outcome: Outcome, pages: list[Page]) -> Outcome:
        """Publishes the pages of a document once more, under the key of one with the same content."""
        try:
            for name in _figures(pages):
                data = patiently(partial(self._output.get, figures_prefix(original) + name), self._retries)
                patiently(partial(self._output.put, figures_prefix(copy.key) + name, data), self._retries)
            self._write(copy, outcome.engine, pages)
        except StoreError as error:
            update = {"outcome": "failed", "reason": Reason.STORE_ERROR, "detail": error.message, "output": None}
            return copy_of(outcome, copy).model_copy(update=update)
        return copy_of(outcome, copy)

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


def put_markdown(output: Store, document: SourceDocument, data: bytes) -> None:
    """Writes a document's Markdown, unless another process has published it (or this one did, and the response was
    lost)."""
    key = output_key(document.key)
    with suppress(PreconditionFailed):
        if document.output_etag is None or output.head(key) is None:
            output.put_new(key, data)
        else:
            output.put_if(key, data, document.output_etag)


def copy_of(outcome: Outcome, copy: SourceDocument) -> Outcome:
    """Returns the outcome of a document with the same content as another: the same, but without the work."""
    return outcome.model_copy(
        update={
            "key": copy.key,
            "etag": copy.etag,
            "attempt": copy.attempt,
            "output": None if outcome.output is None else output_key(copy.key),
            "same_as": outcome.key,
            "doubtful": [page._replace(key=copy.key) for page in outcome.doubtful],
            "read_by": {},
            "model_use": ModelUse(),
            "seconds": 0.0,
        }
    )


def _figures(pages: list[Page]) -> Iterator[str]:
    return (element.figure for page in pages for element in page.elements if element.figure)

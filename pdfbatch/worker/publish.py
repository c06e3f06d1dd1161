"""Publishes a document: figures as its pages are read, then its elements, and its Markdown last."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
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
    ProcessorResults,
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
from pdfbatch.worker.read_before import elements_of, with_results
from pdfbatch.worker.resume import Unrecorded, outcome_and_results
from pdfbatch.worker.work import MadeBy, SliceWork


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
        outcomes of the copies. `outcome` does not say yet what processors did.

        Raises:
            StoreError: the document could not be written, even after retries.
        """
        copied: list[Outcome] = []
        if outcome.output is None:
            copied = [copy_of(outcome, copy) for copy in work.document.copies]
        elif work.document.is_read:
            self._note_results(work)
        else:
            pages = assemble(work.in_order(), self._options, work.outline)
            self._write(work.document, outcome.engine, pages, work.results_of)
            for copy in work.document.copies:
                copied.append(self._copy(work, copy, outcome, pages))
        with suppress(StoreError):  # leftover checkpoints do no harm
            self._checkpoints.drop(work.document)
        return copied

    def written(self, work: SliceWork, document: SourceDocument) -> tuple[Sequence[Page], str]:
        """Returns the pages and the Markdown of a document or of a copy of it, as they are published."""
        if document.is_read:
            pages: list[Page] = [*work.in_order()]
        else:
            pages = assemble(work.in_order(), self._options, work.outline)
        elements = self._elements(document, work.engine, pages, ProcessorResults())
        return pages, document_markdown(elements)

    def unprocessed(self, work: SliceWork, why: str, made_by: MadeBy, at: datetime) -> Outcome:
        """Returns the outcome of a document that was read before, and whose pages processors could not get.

        Raises:
            StoreError: its Markdown cannot be read either.
        """
        found = Unrecorded(work.document)
        outcome, results = outcome_and_results(
            found, self._output, made_by.engine, made_by.worker, at, self._options.pages
        )
        failed = {each.folder: why for each in self._options.also}
        return with_results(outcome, ProcessorResults({}, failed).after(results, failed))

    def _note_results(self, work: SliceWork) -> None:
        """Notes in the elements of a document that was read before what processors did for it."""

        def note() -> None:
            results = work.results_of[work.key]
            update = {"processed": dict(results.processed), "unprocessed": dict(results.unprocessed)}
            self._put_elements(elements_of(self._output, work.frozen).model_copy(update=update))

        patiently(note, self._retries)

    def _elements(
        self, document: SourceDocument, engine: str, pages: list[Page], results: ProcessorResults
    ) -> DocumentElements:
        return DocumentElements(
            version=2,
            key=document.key,
            etag=document.etag,
            engine=engine,
            model=self._model,
            figures=figures_link(document.key),
            processed=dict(results.processed),
            unprocessed=dict(results.unprocessed),
            pages=pages,
        )

    def _write(
        self, document: SourceDocument, engine: str, pages: list[Page], results: Mapping[str, ProcessorResults]
    ) -> None:
        elements = self._elements(document, engine, pages, results.get(document.key, ProcessorResults()))
        patiently(partial(self._put_elements, elements), self._retries)
        markdown = document_markdown(elements).encode("utf-8", "replace")
        patiently(partial(put_markdown, self._output, document, markdown), self._retries)

    def _copy(self, work: SliceWork, copy: SourceDocument, outcome: Outcome, pages: list[Page]) -> Outcome:
        """Publishes the pages of a document once more, under the key of one with the same content."""
        try:
            for name in _figures(pages):
                data = patiently(partial(self._output.get, figures_prefix(work.key) + name), self._retries)
                patiently(partial(self._output.put, figures_prefix(copy.key) + name, data), self._retries)
            self._write(copy, outcome.engine, pages, work.results_of)
        except StoreError as error:
            update = {"outcome": "failed", "reason": Reason.STORE_ERROR, "detail": error.message, "output": None}
            return copy_of(outcome, copy).model_copy(update=update)
        return with_results(copy_of(outcome, copy), work.results_of.get(copy.key, ProcessorResults()))

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

"""Documents that an earlier run read: their pages, for processors that were asked for later."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import ValidationError

from pdfbatch.errors import NotFound, StoreError
from pdfbatch.records import (
    DocumentElements,
    Outcome,
    Page,
    PageResult,
    ProcessorResults,
    Reason,
    SourceDocument,
    elements_key,
)
from pdfbatch.store import Store


class ReadBefore(NamedTuple):
    """What an earlier run left of a document, in its elements."""

    engine: str
    pages: list[PageResult]
    results: ProcessorResults


def read_before(output: Store, document: SourceDocument) -> ReadBefore:
    """Returns the pages of a document as they were published.

    Raises:
        StoreError: its elements are missing, or are those of another document or version.
    """
    elements = elements_of(output, document)
    pages = [PageResult(**{name: getattr(page, name) for name in Page.model_fields}) for page in elements.pages]
    return ReadBefore(elements.engine, pages, elements.processors)


def elements_of(output: Store, document: SourceDocument) -> DocumentElements:
    """Returns the published elements of a document.

    Raises:
        StoreError: they are missing, or are those of another document or version.
    """
    key = elements_key(document.key)
    try:
        found = DocumentElements.model_validate_json(output.get(key))
        if found.key == document.key and found.etag == document.etag:
            return found
        why = "is of another document or version"
    except NotFound:
        why = "is missing"
    except ValidationError:
        why = "was not written by this version of pdfbatch"
    raise StoreError(
        f"{output.url}{key}, from which processors get the pages, {why}",
        "Delete the document's Markdown to convert it again.",
    )


def with_results(outcome: Outcome, results: ProcessorResults) -> Outcome:
    """Returns the outcome of a document with what processors did for it. If one failed it is partial, with a reason
    that says so unless its pages have one."""
    update: dict[str, object] = {"processed": dict(results.processed), "unprocessed": dict(results.unprocessed)}
    if results.unprocessed and outcome.outcome == "ok":
        update |= {"outcome": "partial", "reason": Reason.PROCESSOR_FAILED, "detail": results.detail}
    return outcome.model_copy(update=update) if any(results) else outcome

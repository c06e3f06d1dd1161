"""Finished outputs for tests of `export`: real records, elements and Markdown, without reading a PDF."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from pdfbatch.export.export import Exported, export
from pdfbatch.export.forms import Places, make_form
from pdfbatch.markdown.document import document_markdown
from pdfbatch.records import (
    CURRENT_RUN_KEY,
    CurrentRun,
    DocumentElements,
    Element,
    ExportOptions,
    Label,
    Outcome,
    Page,
    RunKeys,
    SourceDocument,
    Span,
    elements_key,
    figures_link,
    output_key,
)
from pdfbatch.runs import manifest
from pdfbatch.runs.ledger import LedgerWriter
from pdfbatch.store import Store
from tests.frozen import frozen

RUN = "20260101T000000.000Z-0001"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
AT = "2026-01-01T10:00:00.000Z"


class Made(NamedTuple):
    """A document of a finished run."""

    key: str
    pages: Sequence[Page]
    outcome: dict[str, Any] = {}  # noqa: RUF012  # of a tuple
    """Fields of its outcome that are not the usual ones."""


def a_page(number: int, *paragraphs: str, **fields: Any) -> Page:
    """Returns a page of paragraphs, one below the other."""
    elements = [
        Element(label=Label.PARAGRAPH, box=(50, 50 + 20 * n, 300, 65 + 20 * n), spans=[Span(text=text)])
        for n, text in enumerate(paragraphs)
    ]
    known: dict[str, Any] = {"width": 595.0, "height": 842.0, "read_by": "text", "elements": elements}
    return Page(number=number, **known | fields)


def some_documents(count: int, pages: int = 2) -> list[Made]:
    return [
        Made(
            f"folder/{number:04}.pdf",
            [
                a_page(page, f"This is page {page} of document number {number}.", "It has a second paragraph.")
                for page in range(1, pages + 1)
            ],
        )
        for number in range(count)
    ]


def finish(output: Store, made: Iterable[Made], run: str = RUN, **fields: Any) -> None:
    """Writes what a finished run leaves in its output."""
    documents = list(made)
    entries = [SourceDocument(one.key, 100, "etag") for one in documents]
    work = frozen(entries, run=run, output=output.url, **{"input": "s3://papers/pdfs/"} | fields)
    manifest.save(output, work)
    ledger = LedgerWriter(output, RunKeys(run), 0, 1)
    for one in documents:
        known: dict[str, Any] = {
            "outcome": "ok",
            "pages": len(one.pages),
            "engine": "cpu",
            "seconds": 1.5,
            "etag": "etag",
            "size": 100,
            "at": AT,
        }
        outcome = Outcome(key=one.key, **known | one.outcome)
        if outcome.outcome != "failed":
            publish(output, one, outcome)
        ledger.add(outcome)
    ledger.flush()
    output.put(CURRENT_RUN_KEY, CurrentRun(run=run).model_dump_json().encode())


def publish(output: Store, made: Made, outcome: Outcome) -> None:
    elements = DocumentElements(
        version=2,
        key=made.key,
        etag=outcome.etag,
        engine=outcome.engine,
        model="org/model@abc123",
        figures=figures_link(made.key),
        pages=list(made.pages),
    )
    output.put(elements_key(made.key), elements.model_dump_json(exclude_defaults=True).encode("utf-8", "replace"))
    output.put(output_key(made.key), document_markdown(elements).encode("utf-8", "replace"))


def exported(output: Store, dest: Store, form: str, **fields: Any) -> Exported:
    """Exports as the command does, without its screen."""
    options = ExportOptions.model_validate({"format": form} | fields)
    form = partial(make_form, options, Places(output, dest))
    return export(output, dest, options, form, NOW, lambda _: None)


def files_of(dest: Store) -> dict[str, bytes]:
    """Returns the content of everything but the record."""
    return {entry.key: dest.get(entry.key) for entry in dest.list() if entry.key != ".pdfbatch/export.json"}

"""A run as one HTML file that needs no server and no network: its plots, its facts, and its worst pages."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from pdfbatch import views
from pdfbatch.errors import NotFound
from pdfbatch.records import Manifest, Outcome, figures_prefix
from pdfbatch.runs.progress import read_records, summarise
from pdfbatch.runs.report import report_of
from pdfbatch.runs.timeline import timeline
from pdfbatch.store import Store
from pdfbatch.store.scratch import scratch_folder
from pdfbatch.web.document import Document, ShownPage, figure_name, read_document
from pdfbatch.web.index import Index
from pdfbatch.web.pictures import Pictures, Wanted
from pdfbatch.web.plots import bars_of
from pdfbatch.web.run_page import Course, environment, run_fragments

WORST = 50
"""Pages that are shown at most."""
_SIDE = 900
"""Pixels of a page's picture: enough to compare, and 50 pages stay below about 5 MB."""
_FIGURE_BYTES = 200_000
"""Larger figures are left out of the file."""


class WorstPage(NamedTuple):
    """A page to look at. `picture` is a data: address, "" if there is none, and then `why` says why."""

    outcome: Outcome
    page: ShownPage
    picture: str
    why: str


def report_html(store: Store, frozen: Manifest, now: datetime, *, pictures: bool) -> str:
    """Returns the page of a run. `pictures`: with up to `WORST` of its worst pages beside their Markdown, as
    pictures drawn from the input.

    Raises:
        PdfbatchError: the run's records are damaged or cannot be read.
    """
    index = Index(store, frozen.run)
    index.refresh()
    records = read_records(store, frozen)
    status, course = summarise(frozen, records, now), timeline(frozen, records, now)
    counts = index.pages_over_time(course.began, course.until, bars_of(course))
    found = list(_worst_pages(store, frozen, index)) if pictures else []
    style = (files("pdfbatch.web") / "static" / "style.css").read_text("utf-8")
    return (
        environment()
        .get_template("report.html")
        .render(
            status=status,
            facts=views.report_facts(report_of(store, frozen, now)),
            fragments=run_fragments(status, Course(course, counts), links=False),
            worst=found,
            pictures=pictures,
            style=style,
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            made=now,
        )
    )


def write_report(path: Path, text: str) -> None:
    """Writes the page whole: a reader never sees half of it."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)


def _worst_pages(store: Store, frozen: Manifest, index: Index) -> Iterator[WorstPage]:
    documents: dict[str, tuple[Outcome, Document]] = {}
    with scratch_folder() as scratch, Pictures(scratch, _SIDE) as pictures:
        for key, number in index.worst(WORST):
            if key not in documents:
                documents = {key: _document(store, index, key)}
            outcome, document = documents[key]
            page = document.page(number, outcome, _figure_of(store, outcome.key, document))
            drawn = pictures.picture(Wanted(frozen.input, key, outcome.etag, number, page.rotation, outcome.digest))
            yield WorstPage(outcome, page, _data("image/webp", drawn.data), drawn.detail)


def _document(store: Store, index: Index, key: str) -> tuple[Outcome, Document]:
    found = index.outcome(key)
    assert found is not None, "the index named it"
    return found[1], read_document(store, found[1])


def _figure_of(store: Store, key: str, document: Document) -> Callable[[str], str | None]:
    """Returns what gives a figure that the Markdown links to as a data: address."""

    def figure(link: str) -> str | None:
        name = figure_name(link)
        if not document.has_figure(name):
            return None
        try:
            data = store.get(figures_prefix(key) + name)
        except NotFound:
            return None
        return _data("image/png", data) if len(data) <= _FIGURE_BYTES else None

    return figure


def _data(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}" if data else ""

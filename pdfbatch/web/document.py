"""One document as it was published: its pages, and the elements of each with their rendered Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from pydantic import ValidationError

from pdfbatch.documents.judgement import AS_SHOWN
from pdfbatch.errors import NotFound
from pdfbatch.markdown.blocks import block_markdown
from pdfbatch.markdown.document import anchors
from pdfbatch.markdown.lists import is_listed, list_markdown
from pdfbatch.records import (
    Box,
    DocumentElements,
    Element,
    Outcome,
    Page,
    PageSet,
    Reason,
    elements_key,
    output_key,
)
from pdfbatch.runs.scores import DOUBTFUL
from pdfbatch.store import Store
from pdfbatch.web.safe import safe_html

_FIGURE = re.compile(r"[^/\\]{1,200}\.png")
_ANCHOR = re.compile(r"^<!-- page \d+(?:: [a-z_]+)? -->$", re.MULTILINE)
_SOURCES = {
    "layer": "text layer",
    "ocr": "OCR",
    "dolphin": "model",
    "endpoint": "endpoint",
    "form": "form data",
    "attachment": "attachment",
}
Picture = Callable[[str], str | None]


class Part(NamedTuple):
    """An element of a page, rendered. `kind` names where it comes from, for the style sheet."""

    number: int
    html: str
    label: str
    kind: str
    source: str
    score: float
    flags: Sequence[str]
    dropped: str
    continues: bool
    box: Box


class ShownPage(NamedTuple):
    """A page as it is shown beside its picture. `width` 0: its size is unknown, and there are no boxes. `html` is its
    Markdown where the elements are gone."""

    number: int
    width: float
    height: float
    rotation: int
    score: float | None
    read_by: str
    flags: Sequence[str]
    reason: Reason | None
    parts: Sequence[Part]
    html: str = ""

    @property
    def is_doubtful(self) -> bool:
        return self.reason is None and self.score is not None and self.score < DOUBTFUL


class Document(NamedTuple):
    """What was published of a document. `numbers` are its pages in order."""

    numbers: Sequence[int]
    pages: dict[int, Page]
    markdown: dict[int, str]
    figures: str

    def page(self, number: int, outcome: Outcome, picture: Picture) -> ShownPage:
        """Returns a page, rendered. `picture` gives the address of a figure."""
        found = self.pages.get(number)
        failed = dict(outcome.failed_pages).get(number, outcome.reason if outcome.output is None else None)
        if found is None:
            html = safe_html(self.markdown.get(number, ""), picture)
            return ShownPage(number, 0, 0, AS_SHOWN, None, "", (), failed, (), html)
        parts = [_part(at, element, self.figures, picture) for at, element in enumerate(found.elements)]
        rotation = found.rotation if found.width else AS_SHOWN
        score = found.score if found.reason is None else None
        return ShownPage(
            number, found.width, found.height, rotation, score, found.read_by, found.flags, found.reason, parts
        )

    def has_figure(self, name: str) -> bool:
        """Whether a figure of this name belongs to the document."""
        if not _FIGURE.fullmatch(name):
            return False
        if not self.pages:
            return any(name in text for text in self.markdown.values())
        return any(element.figure == name for page in self.pages.values() for element in page.elements)


def figure_name(link: str) -> str:
    """Returns the name of the figure that Markdown links to; "" for any other picture."""
    folder, _, name = unquote(link).rpartition("/figures/")
    return name if folder else ""


def read_document(store: Store, outcome: Outcome) -> Document:
    """Reads a document's elements, or if they are gone its Markdown. A document without either has pages without
    content."""
    found = _elements(store, outcome.key)
    if found is not None:
        pages = {page.number: page for page in found.pages}
        return Document(sorted(pages) or [1], pages, {}, found.figures)
    markdown = _markdown(store, outcome.key)
    numbers = sorted(markdown) or PageSet.read(outcome.asked_pages).of(outcome.pages) or [1]
    return Document(numbers, {}, markdown, "")


def version_of(store: Store, key: str) -> str:
    """Returns what changes when a document is published again; "" if nothing was."""
    found = store.head(elements_key(key)) or store.head(output_key(key))
    return found.etag if found is not None else ""


def _elements(store: Store, key: str) -> DocumentElements | None:
    try:
        found = DocumentElements.model_validate_json(store.get(elements_key(key)))
    except (NotFound, ValidationError):
        return None
    return found if found.key == key else None


def _markdown(store: Store, key: str) -> dict[int, str]:
    """Returns the Markdown of each page."""
    try:
        text = store.get(output_key(key)).decode("utf-8", "replace")
    except NotFound:
        return {}
    numbers = [anchor.number for anchor in anchors(text)]
    return dict(zip(numbers, _ANCHOR.split(text)[1:], strict=False))


def _part(at: int, element: Element, figures: str, picture: Picture) -> Part:
    markdown = list_markdown([element]) if is_listed(element) else block_markdown(element, figures)
    kind = element.source if element.source in _SOURCES else "layer"
    return Part(
        at,
        safe_html(markdown, picture),
        element.label.value.replace("_", " "),
        kind,
        _SOURCES[kind],
        element.score,
        element.flags,
        element.dropped,
        element.continues,
        element.box,
    )

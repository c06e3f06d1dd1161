"""What the store holds of one document, as the formats need it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from pdfbatch.errors import NotFound
from pdfbatch.export.catalogue import Item, RunBook, RunFacts
from pdfbatch.markdown.document import PageText, page_texts
from pdfbatch.records import DocumentElements, Outcome, Reason, Record, elements_key, output_key, text_of
from pdfbatch.store import Store

BETWEEN_PAGES = "\n\n"
_SURROGATES = re.compile("[\ud800-\udfff]")


class PageFacts(Record):
    """What the elements say of a page, without the elements."""

    number: int
    reason: Reason | None = None
    read_by: str = ""
    score: float = 1.0


class _Facts(Record):
    """The part of `DocumentElements` that most formats need; reading only this is much faster."""

    key: str
    etag: str
    engine: str
    model: str
    pages: list[PageFacts]


T = TypeVar("T", _Facts, DocumentElements)


class JoinedText(NamedTuple):
    """The text of all pages in one, and where each page ends in it, in characters."""

    text: str
    ends: list[int]


class Content:
    """A document to export: its outcome, Markdown and elements."""

    def __init__(self, item: Item, book: RunBook, markdown: bytes, elements: bytes | None) -> None:
        self.item = item
        self.key = storable(item.key)
        self.outcome: Outcome = item.outcome
        self.run: RunFacts = book.facts(item.run)
        self.dollars = book.dollars(item.run, self.outcome)
        self.markdown = markdown.decode("utf-8", "replace")
        self.sha256: str | None = None
        """Of the input, if it was asked for and still is the version that was read."""
        self.lacking: list[str] = []
        """What the export does not have of it."""
        self.written: list[str] = []
        """What was written for it besides shards."""
        self._json = elements

    @cached_property
    def pages(self) -> list[PageText]:
        """The Markdown of each page, without page anchors."""
        return page_texts(self.markdown)

    @cached_property
    def joined(self) -> JoinedText:
        return joined_text([page.text for page in self.pages])

    @cached_property
    def facts(self) -> _Facts | None:
        """None if there are no elements, or only those of another version of the document."""
        return _parsed(self._json, _Facts, self.outcome)

    @cached_property
    def elements(self) -> DocumentElements | None:
        """As `facts`, in full."""
        return _parsed(self._json, DocumentElements, self.outcome)

    @property
    def url(self) -> str:
        """Where its input is."""
        return storable(self.run.input) + self.key

    @property
    def at(self) -> str:
        """When it was read; "" if unknown."""
        return text_of(self.outcome.at) if self.outcome.at else ""

    @property
    def id(self) -> str:
        """The same in every format, and for the same version of the same input in every export."""
        return f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{self.url} {storable(self.outcome.etag)}')}>"

    @property
    def model(self) -> tuple[str, str]:
        """The model and its revision; "" if it has none."""
        model, _, revision = (self.facts.model if self.facts else self.run.model).partition("@")
        return storable(model), storable(revision)

    @property
    def unread(self) -> list[int]:
        """The pages that were not read, or not wholly."""
        return sorted({number for number, _ in self.outcome.failed_pages})

    @property
    def is_truncated(self) -> bool:
        """Whether its text lacks pages: unread, or not requested."""
        return bool(self.outcome.failed_pages or self.outcome.asked_pages)


def read_content(output: Store, item: Item, book: RunBook, *, with_elements: bool) -> Content | None:
    """Reads a document's files; None if its Markdown has been deleted since it was listed."""
    try:
        markdown = output.get(output_key(item.key))
    except NotFound:
        return None
    elements = None
    if with_elements and item.elements:
        try:
            elements = output.get(elements_key(item.key))
        except NotFound:
            elements = None
    return Content(item, book, markdown, elements)


def joined_text(pages: Sequence[str]) -> JoinedText:
    """Joins the texts of pages. A page that is not empty ends with a blank line, unless it is the last such page."""
    last = max((number for number, text in enumerate(pages) if text), default=-1)
    parts = [text + BETWEEN_PAGES if text and number < last else text for number, text in enumerate(pages)]
    return JoinedText("".join(parts), list(accumulate(map(len, parts))))


def storable(text: str) -> str:
    """Returns the text without lone surrogates, which UTF-8 cannot encode."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def _parsed(data: bytes | None, shape: type[T], outcome: Outcome) -> T | None:
    if data is None:
        return None
    try:
        found = shape.model_validate_json(data)
    except ValidationError:
        return None
    return found if found.key == outcome.key and found.etag == outcome.etag else None

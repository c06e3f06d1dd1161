"""A page as elements: returned by every reader, stored in checkpoints and `OUT/a/b.json`, and written as Markdown.

The names follow docling-core's DoclingDocument 1.10 where it has one, so that a conversion only has to rename.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from pdfbatch.records.base import Reason, Record
from pdfbatch.records.endpoint import EndpointUse
from pdfbatch.records.processor import ProcessorResults
from pdfbatch.records.triage import Signals, TriageVerdict

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in points of the upright page; y grows downwards."""


_SURROGATES = re.compile("[\ud800-\udfff]")


def _storable(text: str) -> str:
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


Text = Annotated[str, AfterValidator(_storable)]
"""Text in which lone surrogates, which UTF-8 cannot encode, are replaced with U+FFFD."""


class Label(StrEnum):
    """What an element of a page is."""

    TITLE = "title"
    HEADING = "section_header"
    PARAGRAPH = "text"
    LIST_ITEM = "list_item"
    TABLE = "table"
    FORMULA = "formula"
    CODE = "code"
    FIGURE = "picture"
    CAPTION = "caption"
    FOOTNOTE = "footnote"
    REFERENCE = "reference"
    FORM_FIELD = "form_field"
    PAGE_HEADER = "page_header"
    PAGE_FOOTER = "page_footer"
    WATERMARK = "watermark"
    LINE_NUMBERS = "line_numbers"


Source = Literal["layer", "ocr", "dolphin", "endpoint", "form", "attachment"]
"""Where an element's text comes from: the text layer, OCR of the page image, the model, a model behind an endpoint, or
data in the file outside its pages."""


class Span(Record):
    """Text in one style. `\\n` is a meaningful line break of the page (in an address, in a cell)."""

    text: Text
    bold: bool = False
    italic: bool = False
    mono: bool = False
    struck: bool = False
    raised: bool = False
    """A superscript."""
    lowered: bool = False
    """A subscript."""
    math: bool = False
    """`text` is LaTeX, without delimiters."""
    link: Text = ""
    """The URI it links to."""


class Cell(Record):
    """One cell of a table at `row` and `column` (from 0), spanning `rows` and `columns`."""

    row: int = Field(ge=0)
    column: int = Field(ge=0)
    rows: int = Field(default=1, ge=1)
    columns: int = Field(default=1, ge=1)
    header: bool = False
    spans: list[Span] = []


class Element(Record):
    """One element of a page; a page's elements are in reading order."""

    label: Label
    box: Box
    spans: list[Span] = []
    """Its text. For a figure: what it shows, if a caption says so. Code is one span with all its lines."""
    cells: list[Cell] = []
    """The cells of a table, by row and column."""
    level: int = 0
    """For a heading 1 to 6, or 0 if the document decides; for a list item its depth, from 1."""
    marker: str = ""
    """For a list item `-`, `1.` or `(a)`; for a check box `[x]` or `[ ]`."""
    figure: str = ""
    """File name in the document's figures folder."""
    size: float = 0.0
    """Font size in points; 0 if unknown."""
    source: Source = "layer"
    score: float = Field(default=1.0, ge=0, le=1)
    """The reader's confidence."""
    flags: list[str] = []
    """`half` (a paragraph that the reader saw cut off), `truncated`, `looped`, `nan`, `memory`, `retried`, `blank`,
    `tiny`, `hidden_white`, `hidden_covered`, …"""
    model_label: str = ""
    """The model's own label: `para`, `sec_1`, `tab`, …"""
    tags: list[str] = []
    """What the model says about it beyond its label."""
    dropped: str = ""
    """Why it is not in the Markdown: `repeated`, `page_number`, `header`, `watermark`, `hidden`, …; "" if it is."""
    continues: bool = False
    """Continues the previous element of its kind: a paragraph cut by a column or page, a table, or code."""
    repeated_rows: int = 0
    """For a table that continues another: how many of its first rows repeat the other's header."""

    @property
    def text(self) -> str:
        """The plain text, with cells separated by spaces."""
        if self.cells:
            return " ".join("".join(span.text for span in cell.spans) for cell in self.cells)
        return "".join(span.text for span in self.spans)


class Heading(NamedTuple):
    """An entry of a PDF's outline: `level` counts from 1, the outermost; `page` is its target, from 1."""

    level: int
    title: str
    page: int


class Picture(Record):
    """The image a page was read from: size in pixels, and dots per inch."""

    width: int
    height: int
    dpi: float


class Page(Record):
    """A page and its elements. `reason` None means it was read; a blank page has no elements."""

    number: int = Field(ge=1)
    width: float = 0.0
    """In points of the upright page, like `height`; 0 if the page was not opened."""
    height: float = 0.0
    rotation: int = 0
    """How far the page must be turned clockwise to be upright, in degrees."""
    reason: Reason | None = None
    read_by: str = ""
    """What read it: `text` (text layer), `plain` (text layer, without layout), `ocr`, `blank`, `dolphin`,
    `mixed` (text layer, some elements by the model), `endpoint`."""
    score: float = Field(default=1.0, ge=0, le=1)
    """How reliable its text is."""
    flags: list[str] = []
    """What a person may want to check: `words_lost`, `ocr_turned`, `truncated`, `no_layout`, `layout_truncated`, …"""
    picture: Picture | None = None
    """The page image, if the page was read from one."""
    signals: Signals | None = None
    """What reading it without the model showed of it; None if nothing did, as with the engine `dolphin`."""
    triage: TriageVerdict | None = None
    """The decision whether the model reads it; None without `--triage`."""
    elements: list[Element] = []

    @property
    def text(self) -> str:
        """The plain text of all elements, one per line."""
        return "\n".join(element.text for element in self.elements)


class PageResult(Page):
    """The result for one page, as a reader returns it."""

    seconds: float = 0.0
    model_elements: int = 0
    """Elements read by the model on a page that was otherwise read without it."""
    tokens: int = 0
    """Tokens that the model decoded for the page."""
    model_seconds: float = 0.0
    """The model's computing time for the page: its share by tokens, because many pages are read at once."""
    endpoint: EndpointUse = EndpointUse()
    """What an endpoint was asked for the page."""
    detail: Text = ""
    """For an unread page: one sentence for a person."""


class DocumentElements(Record):
    """`OUT/a/b.json`: a document with all decisions about its elements; its Markdown is written from this alone."""

    version: Literal[2]
    key: str
    etag: str
    engine: str
    model: str
    figures: str = ""
    """The prefix of links to figures, percent-encoded."""
    processed: dict[str, str] = {}
    """As in `Outcome`, like `unprocessed`."""
    unprocessed: dict[str, str] = {}
    pages: list[Page]

    @property
    def processors(self) -> ProcessorResults:
        """What processors did for it."""
        return ProcessorResults(self.processed, self.unprocessed)


class Checkpoint(Record):
    """Finished pages of an unfinished document. `etag` and `digest` are the input's, as in `Outcome`; pages of another
    content are not used."""

    version: Literal[2]
    """Has no default: version 1 had no such field, and its pages had no elements."""
    key: str
    etag: str
    digest: str = ""
    pages: list[PageResult]


def plain_text(text: str) -> list[Span]:
    """Returns `text` as spans; no spans for an empty text."""
    return [Span(text=text)] if text else []

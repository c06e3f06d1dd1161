"""A page as elements: what every reader returns, what checkpoints and `OUT/a/b.json` hold, what Markdown is made of.

The names follow docling-core's DoclingDocument 1.10 where it has one, so that a mapping is a renaming.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from pdfbatch.records.base import Reason, Record

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in points of the upright page; y grows downwards."""


_SURROGATES = re.compile("[\ud800-\udfff]")


def _storable(text: str) -> str:
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


Text = Annotated[str, AfterValidator(_storable)]
"""Lone surrogates, which no file can hold, become U+FFFD."""


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


Source = Literal["layer", "ocr", "dolphin", "form", "attachment"]
"""What an element's text comes from: the text layer, recognition of the page's picture, the model, or data in the file
beside its pages."""


class Span(Record):
    """Text in one style. `\\n` is a line break that the page shows and that means something (an address, a cell)."""

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
    """The URI it leads to."""


class Cell(Record):
    """One cell of a table, from `row` and `column` (from 0) over `rows` and `columns`."""

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
    """Its text; of a figure what it shows, if a caption says so. Code is one span with its lines."""
    cells: list[Cell] = []
    """Of a table, by row and column."""
    level: int = 0
    """Of a heading 1 to 6, 0 where the document decides; of a list item its depth, from 1."""
    marker: str = ""
    """Of a list item: `-`, `1.`, `(a)`; of a check box `[x]` or `[ ]`."""
    figure: str = ""
    """File name under the document's figures."""
    size: float = 0.0
    """Font size in points; 0 where it is not known."""
    source: Source = "layer"
    score: float = Field(default=1.0, ge=0, le=1)
    """How sure its reader is of it."""
    flags: list[str] = []
    """`half` (a paragraph that the reader saw cut off), `truncated`, `looped`, `nan`, `memory`, `retried`, `blank`,
    `tiny`, `hidden_white`, `hidden_covered`, …"""
    model_label: str = ""
    """The model's own name for its kind: `para`, `sec_1`, `tab`, …"""
    tags: list[str] = []
    """What the model says of it beyond its label."""
    dropped: str = ""
    """Why it is not in the Markdown: `repeated`, `page_number`, `header`, `watermark`, `hidden`, …; "": it is."""
    continues: bool = False
    """It goes on with the last element of its kind before it: a paragraph cut by a column or page, a table or code."""
    repeated_rows: int = 0
    """Of a table that continues another: so many of its first rows repeat the other's header."""

    @property
    def text(self) -> str:
        """The plain text, cells separated by blanks."""
        if self.cells:
            return " ".join("".join(span.text for span in cell.spans) for cell in self.cells)
        return "".join(span.text for span in self.spans)


class Heading(NamedTuple):
    """An entry of a PDF's outline: `level` from 1, the outermost; `page` from 1, where it leads."""

    level: int
    title: str
    page: int


class Picture(Record):
    """The picture a page was read from: pixels, and dots per inch."""

    width: int
    height: int
    dpi: float


class Page(Record):
    """A page and its elements. `reason` None means it was read; a blank page has no elements."""

    number: int = Field(ge=1)
    width: float = 0.0
    """Points of the upright page, as `height`; 0 where it was not opened."""
    height: float = 0.0
    rotation: int = 0
    """How far the page in the PDF is turned clockwise to stand upright, degrees."""
    reason: Reason | None = None
    read_by: str = ""
    """What read it: `text` (text layer), `plain` (text layer, without layout), `ocr`, `blank`, `dolphin`,
    `mixed` (text layer, some elements by the model)."""
    score: float = Field(default=1.0, ge=0, le=1)
    """How far its text can be trusted."""
    flags: list[str] = []
    """What a person may want to check: `words_lost`, `ocr_turned`, `truncated`, `no_layout`, `layout_truncated`, …"""
    picture: Picture | None = None
    """Where the page was read from its picture."""
    elements: list[Element] = []

    @property
    def text(self) -> str:
        """The plain text of all elements, a line each."""
        return "\n".join(element.text for element in self.elements)


class PageResult(Page):
    """What became of one page, as a reader tells it."""

    seconds: float = 0.0
    model_elements: int = 0
    """That a model read, of a page that was read by something else."""
    tokens: int = 0
    """That a model decoded for it."""
    model_seconds: float = 0.0
    """That the model computed for it: its share by tokens, as many pages are read at once."""
    detail: Text = ""
    """For an unread page: one sentence for a person."""


class DocumentElements(Record):
    """`OUT/a/b.json`: a document with all that was decided about its elements; its Markdown is made from this alone."""

    version: Literal[2]
    key: str
    etag: str
    engine: str
    model: str
    figures: str = ""
    """What links to figures begin with, percent-encoded."""
    pages: list[Page]


class Checkpoint(Record):
    """Finished pages of an unfinished document; `etag` is the input's, pages of another version are not used."""

    version: Literal[2]
    """Without a default: the first shape had no version, and its pages no elements."""
    key: str
    etag: str
    pages: list[PageResult]


def plain_text(text: str) -> list[Span]:
    """`text` as spans, none for none."""
    return [Span(text=text)] if text else []

"""A document with one of everything, to see what a format makes of it."""

from __future__ import annotations

from typing import Any

from pdfbatch.records import Cell, Element, Label, Span
from tests.export.outputs import Made, a_page


def _element(label: Label, text: str = "", top: float = 100, **fields: Any) -> Element:
    spans = [Span(text=text)] if text else []
    return Element(label=label, box=(50, top, 300, top + 20), **{"spans": spans} | fields)


def _cell(row: int, column: int, text: str, **fields: Any) -> Cell:
    return Cell(row=row, column=column, spans=[Span(text=text)], **fields)


_FIRST = [
    _element(Label.PAGE_HEADER, "Journal", dropped="repeated"),
    _element(Label.TITLE, "A title", level=1),
    _element(Label.HEADING, "Results", level=2),
    _element(Label.LIST_ITEM, "first", marker="1.", level=1),
    _element(Label.LIST_ITEM, "nested", marker="-", level=2),
    _element(Label.LIST_ITEM, "second", marker="2.", level=1),
    _element(Label.FORMULA, spans=[Span(text="x^2", math=True)]),
    _element(Label.CODE, "print(1)\nprint(2)"),
    _element(Label.FIGURE, "Figure 1. A curve.", figure="page-0001-009.png", top=200),
    _element(Label.CAPTION, "Figure 1. A curve.", top=225),
    _element(Label.PARAGRAPH, "ignore this", dropped="hidden", flags=["hidden_white"]),
    _element(Label.PARAGRAPH, "A paragraph that goes on", top=300, flags=["half"]),
    _element(Label.PAGE_FOOTER, "7", dropped="page_number", top=800),
]
_SECOND = [
    _element(Label.PARAGRAPH, "on the next page.", top=50, continues=True),
    _element(Label.CAPTION, "Table 1. Things.", top=100),
    _element(
        Label.TABLE,
        top=120,
        cells=[
            _cell(0, 0, "both", columns=2, header=True),
            *(_cell(row, column, str(2 * row + column - 1)) for row in (1, 2) for column in (0, 1)),
        ],
    ),
    _element(Label.FOOTNOTE, "A note.", marker="1", top=700),
    _element(Label.FORM_FIELD, "Yes", marker="[x]", top=750),
]
RICH = [Made("rich.pdf", [a_page(1, elements=_FIRST), a_page(2, elements=_SECOND)])]

"""A page with a text layer, whose formula and table are cards: what only a model can read.

The text is written, and visible, as on any page; the formula and the table lie on a card (see cards.py) each, whose
text is another than the layer's, so that it can be told who read them. The cards' stripes are blanks of a font whose
blank is a full block: the layer then has nothing more in it, and no picture or drawing stands on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pymupdf

from tests.dolphin.cards import COLOURS, FORMULA_CARD, SPANNED, Card

Box = tuple[float, float, float, float]

WIDTH, HEIGHT = 324, 432
BEFORE = [
    "The society has counted the waves that break at",
    "the long pier since the spring of that year, and",
    "every keeper of the bell wrote down what he saw.",
]
BETWEEN = [line.replace("waves", "storms") for line in BEFORE]
AFTER = [line.replace("waves", "bells") for line in BEFORE]
FORMULA = (95.0, 127.5, 223.5, 155.0)
"""Where the formula stands, points."""
TABLE = (74.0, 243.0, 214.0, 312.0)
ROWS = [
    ["waves and storms seen in the year"],
    ["pier", "41", "12"],
    ["harbour", "7", "1"],
    ["rocks and further out", "9"],
    ["bay", "55", "3"],
]
"""Cells that lie over more than one column, and no ruling: nothing settles which."""
_WHITE = (1.0, 1.0, 1.0)


def layered_pdf(path: Path, pages: int = 1, formula: Card | None = FORMULA_CARD, table: Card | None = SPANNED) -> Path:
    """`pages` pages alike; gives back `path`. None: the formula or table is in the layer alone, black on white."""
    document = pymupdf.open()
    for _ in range(pages):
        _draw(document, formula, table)
    document.save(path)
    document.close()
    return path


def _draw(document: pymupdf.Document, formula: Card | None, table: Card | None) -> None:
    page = document.new_page(width=WIDTH, height=HEIGHT)
    _have_blocks(document, page)
    for top, lines in ((60, BEFORE), (190, BETWEEN), (340, AFTER)):
        for number, line in enumerate(lines):
            page.insert_text((36, top + 13 * number), line, fontsize=10, fontname="tiro")
    for card, box in ((formula, FORMULA), (table, TABLE)):
        if card is not None:
            _paint(document, page, box, card.stripes)
    _write_formula(page, _WHITE if formula else None)
    _write_table(page, _WHITE if table else None)


def _write_formula(page: pymupdf.Page, colour: Sequence[float] | None) -> None:
    x0, y0 = FORMULA[:2]
    for x, y, text in ((2, 17.5, "n ="), (42, 9.5, "a + b"), (42, 25.5, "c + d"), (87, 17.5, "+ x² + y²")):
        page.insert_text((x0 + x, y0 + y), text, fontsize=11, fontname="tiit", color=colour)


def _write_table(page: pymupdf.Page, colour: Sequence[float] | None) -> None:
    x0, y0 = TABLE[:2]
    for number, row in enumerate(ROWS):
        for place, text in zip((2, 70, 125) if len(row) == 3 else (2, 125), row, strict=False):
            page.insert_text((x0 + place, y0 + 9 + 14 * number), text, fontsize=10, fontname="tiro", color=colour)


def _have_blocks(document: pymupdf.Document, page: pymupdf.Page) -> None:
    """Give a new page the font whose blank is a full block."""
    glyph, font = document.get_new_xref(), document.get_new_xref()
    document.update_object(glyph, "<<>>")
    document.update_stream(glyph, b"1 0 0 0 1 1 d1 0 0 1 1 re f")
    document.update_object(
        font,
        "<</Type/Font/Subtype/Type3/FontBBox[0 0 1 1]/FontMatrix[1 0 0 1 0 0]/FirstChar 32/LastChar 32/Widths[1]"
        f"/Resources<<>>/CharProcs<</space {glyph} 0 R>>/Encoding<</Type/Encoding/Differences[32/space]>>>>",
    )
    document.xref_set_key(page.xref, "Resources", f"<</Font<</Block {font} 0 R>>>>")


def _paint(document: pymupdf.Document, page: pymupdf.Page, box: Box, stripes: Sequence[str]) -> None:
    x0, y0, x1, y1 = box
    step = (x1 - x0) / len(stripes)
    drawn = "\n".join(
        "q BT {} {} {} rg /Block 1 Tf {} 0 0 {} {} {} Tm ( ) Tj ET Q".format(
            *COLOURS[colour], step, y1 - y0, x0 + number * step, HEIGHT - y1
        )
        for number, colour in enumerate(stripes)
    )
    content = document.get_new_xref()
    document.update_object(content, "<<>>")
    document.update_stream(content, drawn.encode())
    before = [*page.get_contents(), content]
    document.xref_set_key(page.xref, "Contents", f"[{' '.join(f'{xref} 0 R' for xref in before)}]")

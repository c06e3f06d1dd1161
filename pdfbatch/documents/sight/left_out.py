"""Find text that MuPDF omits from the text layer: in a hidden layer, clipped away, or off the page.

It is invisible, so it is kept separate with its reason. Found by extracting the page's text a second time with
everything in it, which takes a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from pdfbatch.documents.pdf.boxes import union
from pdfbatch.documents.pdf.layers import text_of_all_layers
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.upright import UPRIGHT, unrotated_size
from pdfbatch.documents.sight.look import Look, Span, spans_of
from pdfbatch.documents.textlayer.lines import RAW_FLAGS, Line, LinePiece
from pdfbatch.documents.textlayer.normalize import normalised

Mark = tuple[str, int, int]
"""A letter and its origin in points."""


def left_out_of(page: pymupdf.Page, look: Look) -> list[Line]:
    """Return the text in the page's content that its text layer lacks."""
    whole = text_of_all_layers(page, RAW_FLAGS)
    shown = set(_places(look.spans))
    if all(place in shown for place in _places(spans_of(whole.extractDICT()["blocks"]))):
        return []
    there = set(map(_mark, _chars(look.textpage)))
    clipped = set(map(_mark, _chars(page.get_textpage(flags=RAW_FLAGS & ~pymupdf.TEXT_MEDIABOX_CLIP))))
    lines = []
    for span in spans_of(whole.extractRAWDICT()["blocks"]):
        for is_there, group in groupby(span["chars"], key=lambda char: char["c"].isspace() or _mark(char) in there):
            chars = list(group)
            text = normalised("".join(char["c"] for char in chars)).strip()
            if not is_there and any(map(str.isalnum, text)):
                lines.append((span["line"], _line(page, chars, clipped)))
    return [
        _joined([line for _, line in run]) for _, run in groupby(lines, key=lambda pair: (pair[0], pair[1].concealed))
    ]


def _places(spans: Iterable[Span]) -> Iterator[tuple[str, int, int, int, int]]:
    for span in spans:
        x0, y0, x1, y1 = span["bbox"]
        yield span["text"], round(x0), round(y0), round(x1), round(y1)


def _chars(textpage: pymupdf.TextPage) -> Iterator[dict[str, Any]]:
    for span in spans_of(textpage.extractRAWDICT()["blocks"]):
        yield from span["chars"]


def _mark(char: dict[str, Any]) -> Mark:
    x, y = char["origin"]
    return char["c"], round(x), round(y)


def _line(page: pymupdf.Page, chars: list[dict[str, Any]], clipped: set[Mark]) -> Line:
    box = union([char["bbox"] for char in chars])
    wide, high = unrotated_size(page)
    inside = 0 <= (box[0] + box[2]) / 2 <= wide and 0 <= (box[1] + box[3]) / 2 <= high
    reason = "hidden_outside" if not inside else "hidden_clipped" if _mark(chars[0]) in clipped else "hidden_layer"
    text = normalised("".join(char["c"] for char in chars))
    return Line(box, UPRIGHT, box[3] - box[1], [LinePiece(text)], concealed=reason)


def _joined(lines: list[Line]) -> Line:
    """Join the pieces of one line."""
    first = lines[0]
    text = " ".join(" ".join(line.text for line in lines).split())
    return Line(union([line.box for line in lines]), UPRIGHT, first.size, [LinePiece(text)], concealed=first.concealed)

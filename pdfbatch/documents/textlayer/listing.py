"""Write the text of a listing: rows unchanged, indented by where they begin, with the blank lines between them.
Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from pdfbatch.documents.textlayer.unwrap import Row

MOST_BLANK_LINES = 2
_TOUCHING = 0.3
"""Times the width of a letter."""


def is_mono(row: Row) -> bool:
    """Check whether all letters of a row have the same width."""
    return all(piece.mono for line in row for piece in line.pieces if piece.text.strip())


def listing_text(rows: Sequence[Row]) -> str:
    """Return the rows as lines of text; the leftmost row is not indented."""
    left = min(line.box[0] for row in rows for line in row)
    width = _letter_width(rows)
    steps = [below[0].box[3] - above[0].box[3] for above, below in pairwise(rows)]
    pitch = min((step for step in steps if step > 0.5 * rows[0][0].size), default=0.0)
    texts: list[str] = []
    for number, row in enumerate(rows):
        if number and pitch:
            texts += [""] * min(max(round(steps[number - 1] / pitch) - 1, 0), MOST_BLANK_LINES)
        texts.append(_row_text(row, left, width))
    return "\n".join(texts)


def _row_text(row: Row, left: float, width: float) -> str:
    """Keep the columns of lines side by side. Lines that touch are one word: MuPDF splits them where it sees table
    columns."""
    text, end = "", left
    for line in row:
        column = round((line.box[0] - left) / width)
        is_apart = bool(text) and line.box[0] - end > _TOUCHING * width
        text += " " * max(column - len(text) if is_apart or not text else 0, int(is_apart)) + line.text
        end = line.box[2]
    return text.rstrip()


def _letter_width(rows: Sequence[Row]) -> float:
    widths = [(line.box[2] - line.box[0]) / len(line.text) for row in rows for line in row if line.text.strip()]
    return max(median(widths), 0.1)

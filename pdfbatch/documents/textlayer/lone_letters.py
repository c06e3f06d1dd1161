"""Join letterspaced words whose letters are so far apart that MuPDF sees each as a line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from pdfbatch.documents.textlayer.letterspaced import WIDER, looks_spaced
from pdfbatch.documents.textlayer.lines import Line, LinePiece

APART = 2.5
"""Font sizes: largest distance from one letter to the next."""


def with_letters_joined(lines: Sequence[Line]) -> list[Line]:
    """Join rows of single letters that form words to one line, placed at the first letter."""
    rows: list[list[Line]] = []
    for line in lines:
        if _is_letters(line):
            if rows and _goes_on(rows[-1][-1], line):
                rows[-1].append(line)
            else:
                rows.append([line])
    joined: dict[int, Line | None] = {}
    for row in rows:
        if len(row) > 1 and looks_spaced(" ".join(line.text for line in row)):
            joined |= {id(line): None for line in row[1:]} | {id(row[0]): _joined(row)}
    kept = (joined.get(id(line), line) for line in lines)
    return [line for line in kept if line is not None]


def _is_letters(line: Line) -> bool:
    tokens = line.text.split()
    return not line.pose.turn and not line.role and all(len(token) == 1 and token.isalpha() for token in tokens)


def _goes_on(left: Line, right: Line) -> bool:
    level = abs(left.box[3] - right.box[3]) < 0.4 * left.size and abs(left.size - right.size) < 0.05 * left.size
    return level and 0 < right.box[0] - left.box[2] < APART * left.size


def _joined(row: list[Line]) -> Line:
    gaps = [right.box[0] - left.box[2] for left, right in pairwise(row)]
    usual = median(gaps)
    pieces = [_closed(row[0], False)]
    pieces += [_closed(line, gap > WIDER * usual) for gap, line in zip(gaps, row[1:], strict=True)]
    lefts, tops, rights, bottoms = zip(*(line.box for line in row), strict=True)
    merged = pieces[0]._replace(text="".join(piece.text for piece in pieces))
    return replace(row[0], box=(min(lefts), min(tops), max(rights), max(bottoms)), pieces=[merged])


def _closed(line: Line, begins_word: bool) -> LinePiece:
    text = "".join(line.text.split())
    return line.pieces[0]._replace(text=f" {text}" if begins_word else text)

"""Remove soft hyphens, which show only at the end of a line. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pdfbatch.documents.textlayer.lines import Line

SOFT_HYPHEN = "\u00ad"


def without_soft_hyphens(lines: Iterable[Line]) -> list[Line]:
    """Return the lines without soft hyphens, except at a line's end, where unwrap.py needs them to join the word."""
    return [_without(line) if SOFT_HYPHEN in line.text else line for line in lines]


def _without(line: Line) -> Line:
    pieces = [piece._replace(text=piece.text.replace(SOFT_HYPHEN, "")) for piece in line.pieces]
    if line.text.rstrip().endswith(SOFT_HYPHEN) and line.text.strip() != SOFT_HYPHEN:
        last = max(place for place, piece in enumerate(pieces) if piece.text.strip() or place == 0)
        pieces[last] = pieces[last]._replace(text=pieces[last].text.rstrip() + SOFT_HYPHEN)
    return replace(line, pieces=[piece for piece in pieces if piece.text])

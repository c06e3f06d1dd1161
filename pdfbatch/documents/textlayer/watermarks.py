"""Separate watermarks ("DRAFT", "CONFIDENTIAL") from the text that they cross. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pdfbatch.documents.textlayer.lines import Box, Line, median_size

LARGER = 2.0
"""Times the size of the text; a slanting watermark may be a little smaller."""
SLANTED_LARGER = 1.5
MOST_WORDS = 8
FEWEST_TILES = 4
CROSSED_LINES = 2
"""Minimum number of lines that a slanting watermark crosses; a horizontal one may cross just one."""


def with_watermarks(lines: Sequence[Line]) -> list[Line]:
    """Give the role `watermark` to large text that is light or slanting and crosses lines of text, and to light or
    slanting text repeated all over the page."""
    usual = median_size(list(lines))
    marks = [line for line in lines if _is_watermark(line, lines, usual)]
    texts = {" ".join(line.text.split()) for line in marks} | _tiled(lines)
    return (
        [replace(line, role="watermark") if line in marks or _is_copy(line, texts) else line for line in lines]
        if texts
        else list(lines)
    )


def _tiled(lines: Sequence[Line]) -> set[str]:
    """Return the light or slanting texts repeated all over the page, some of them across lines of its text."""
    copies: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if _may_be_mark(line):
            copies[" ".join(line.text.split())].append(line)
    return {
        text
        for text, tiles in copies.items()
        if len(tiles) >= FEWEST_TILES
        and any(_cross(tile.box, line.box) for tile in tiles for line in _others(lines, text))
    }


def _others(lines: Sequence[Line], text: str) -> list[Line]:
    return [line for line in lines if not line.slanted and not line.faint and " ".join(line.text.split()) != text]


def _is_copy(line: Line, texts: set[str]) -> bool:
    return _may_be_mark(line) and " ".join(line.text.split()) in texts


def _may_be_mark(line: Line) -> bool:
    short = len(line.text.split()) <= MOST_WORDS
    return short and not line.role and not line.hidden and (line.slanted or line.faint) and len(line.text.strip()) > 2


def _is_watermark(line: Line, lines: Sequence[Line], usual: float) -> bool:
    if not _may_be_mark(line):
        return False
    if line.size < (SLANTED_LARGER if line.slanted else LARGER) * usual:
        return False
    crossed = sum(_cross(line.box, other.box) for other in lines if other.size < line.size / SLANTED_LARGER)
    return crossed >= (CROSSED_LINES if line.slanted and not line.faint else 1)


def _cross(box: Box, other: Box) -> bool:
    """Check whether `other` overlaps `box` by more than its edge."""
    wide = min(box[2], other[2]) - max(box[0], other[0])
    high = min(box[3], other[3]) - max(box[1], other[1])
    return wide > 0 and high > 0.3 * (other[3] - other[1])

"""Marks across a page ("DRAFT", "CONFIDENTIAL") told apart from the text that they cross. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pdfbatch.documents.textlayer.lines import Box, Line, median_size

LARGER = 2.0
"""Times the size of the text; a slanting mark may be a little smaller."""
SLANTED_LARGER = 1.5
MOST_WORDS = 8
CROSSED_LINES = 2
"""A slanting mark crosses so many lines; a level one may stand on a single one."""


def with_watermarks(lines: Sequence[Line]) -> list[Line]:
    """The lines, with the role `watermark` for what is large, and light or slanting, and crosses lines of text."""
    usual = median_size(list(lines))
    return [replace(line, role="watermark") if _is_watermark(line, lines, usual) else line for line in lines]


def _is_watermark(line: Line, lines: Sequence[Line], usual: float) -> bool:
    if line.role or not (line.slanted or line.faint) or line.hidden or len(line.text.split()) > MOST_WORDS:
        return False
    if line.size < (SLANTED_LARGER if line.slanted else LARGER) * usual:
        return False
    crossed = sum(_cross(line.box, other.box) for other in lines if other.size < line.size / SLANTED_LARGER)
    return crossed >= (CROSSED_LINES if line.slanted and not line.faint else 1)


def _cross(box: Box, other: Box) -> bool:
    """Whether `other` lies in `box` with more than its edge."""
    wide = min(box[2], other[2]) - max(box[0], other[0])
    high = min(box[3], other[3]) - max(box[1], other[1])
    return wide > 0 and high > 0.3 * (other[3] - other[1])

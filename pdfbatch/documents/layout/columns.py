"""Split texts that the layout model extended across a gutter, where other texts show the columns. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.pdf.boxes import union
from pdfbatch.documents.textlayer.lines import Line

_NARROWEST = 6.0
"""Points: smallest width of a gutter."""
_FLUSH = 2.0
"""Points by which the left edges of one column may differ."""
_WIDEST = 8.0
"""Font sizes: smallest width of a column. Numbers and labels beside a text are narrower."""
_TEXTS = frozenset({"text", "list-item"})


def with_columns_apart(regions: Sequence[Region]) -> list[Region]:
    """Split regions of text where a gutter runs through them and other texts are aligned with both columns."""
    return [part for region in regions for part in _parts(region, regions)]


def _parts(region: Region, regions: Sequence[Region]) -> list[Region]:
    if region.kind not in _TEXTS or any(line.pose.turn for line in region.lines):
        return [region]
    columns = _columns(region.lines)
    if len(columns) < 2:
        return [region]
    others = [other for other in regions if other is not region and other.kind in _TEXTS]
    if not all(_is_column(column, others) for column in columns):
        return [region]
    return [replace(region, lines=column, box=union([line.box for line in column])) for column in columns]


def _columns(lines: Sequence[Line]) -> list[list[Line]]:
    columns: list[list[Line]] = []
    right = 0.0
    for line in sorted(lines, key=lambda line: line.box[0]):
        if columns and line.box[0] < right + _NARROWEST:
            columns[-1].append(line)
            right = max(right, line.box[2])
        else:
            columns.append([line])
            right = line.box[2]
    return columns


def _is_column(lines: Sequence[Line], others: Sequence[Region]) -> bool:
    """Check whether the lines are as wide as a column of text, and another text is aligned with them."""
    left, _, right, _ = union([line.box for line in lines])
    if right - left < _WIDEST * max(line.size for line in lines):
        return False
    return any(
        abs(other.box[0] - left) <= _FLUSH and other.box[2] - other.box[0] >= (right - left) / 2 for other in others
    )

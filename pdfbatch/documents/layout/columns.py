"""Texts that the layout model took over a gutter, parted where the columns above or below them are parted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.pdf.boxes import union
from pdfbatch.documents.textlayer.lines import Line

_NARROWEST = 6.0
"""Points: a gutter, at least."""
_FLUSH = 2.0
"""Points by which the left edges of one column may differ."""
_WIDEST = 8.0
"""Font sizes: a column, at least. Numbers and labels beside a text are narrower."""
_TEXTS = frozenset({"text", "list-item"})


def with_columns_apart(regions: Sequence[Region]) -> list[Region]:
    """The regions, those of text in pieces where a gutter runs through them, beside which others stand flush."""
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
    """Whether they are as wide as text is set, and another text begins where they do."""
    left, _, right, _ = union([line.box for line in lines])
    if right - left < _WIDEST * max(line.size for line in lines):
        return False
    return any(
        abs(other.box[0] - left) <= _FLUSH and other.box[2] - other.box[0] >= (right - left) / 2 for other in others
    )

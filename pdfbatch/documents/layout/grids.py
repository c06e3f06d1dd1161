"""Find ruled tables that the layout model took for pictures, as it does if headers are rotated. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.layout.rulings import Rules, borders, within
from pdfbatch.documents.layout.spanning import SpannedCell, cells

_FILLED_SHARE = 0.5
"""Smallest share of filled cells: a chart's grid is mostly empty."""
_FEWEST_ROWS = 2
"""Rows with text in several cells."""
_SLACK = 3.0


def with_grids_as_tables(regions: Sequence[Region], across: Rules, down: Rules) -> list[Region]:
    """Turn pictures into tables if rules divide their text into cells. `across`, `down`: all rules drawn."""
    return [_table(region, across, down) or region for region in regions]


def _table(region: Region, across: Rules, down: Rules) -> Region | None:
    if region.kind != "picture" or not region.lines:
        return None
    x0, y0, x1, y1 = region.box
    rows, columns = borders(across, (x0, x1), (y0, y1)), borders(down, (y0, y1), (x0, x1))
    if min(len(rows), len(columns)) <= _FEWEST_ROWS:
        return None
    inner = within(across, down, region.box)
    table = replace(region, kind="table", rows=rows, columns=columns, across=inner[0], down=inner[1])
    return table if _is_table(cells(table), columns) else None


def _is_table(found: Sequence[SpannedCell], columns: Sequence[float]) -> bool:
    filled = [cell for cell in found if cell.lines]
    if not filled or len(filled) < _FILLED_SHARE * len(found) or any(_is_cut(cell, columns) for cell in filled):
        return False
    rows = [cell.row for cell in filled]
    return sum(rows.count(row) > 1 for row in set(rows)) >= _FEWEST_ROWS


def _is_cut(cell: SpannedCell, columns: Sequence[float]) -> bool:
    """Check whether a column border runs through a text that is in one of the columns."""
    return cell.columns == 1 and any(
        line.box[0] + _SLACK < border < line.box[2] - _SLACK for line in cell.lines for border in columns
    )

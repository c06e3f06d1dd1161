"""A table's lines into the cells of its grid, and the grid into Markdown. Pure.

Lines are never cut: a line that runs over a column's border goes where most of it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pdfbatch.documents.layout import Region
from pdfbatch.documents.styling import unstyled
from pdfbatch.documents.textlayer import Line
from pdfbatch.documents.unwrap import Hyphens, joined_rows, rows_of

Cell = list[Line]

SPLIT_COLUMNS = 3
"""The model misses lines between rows; a row is split where at least so many columns agree on it."""


def table_markdown(region: Region, hyphens: Hyphens) -> str:
    """A pipe table without empty rows and columns; "" if it has fewer than two columns."""
    grid = [row for band in _grid(region) for row in _split(band)]
    texts = [[_text(cell, hyphens) for cell in row] for row in grid]
    texts = [row for row in texts if any(row)]
    used = [column for column in range(len(region.columns) - 1) if any(row[column] for row in texts)]
    if len(used) < 2:
        return ""
    rows = ["|" + "|".join(row[column] for column in used) + "|" for row in texts]
    return "\n".join([rows[0], "|" + "---|" * len(used), *rows[1:]])


def _grid(region: Region) -> list[list[Cell]]:
    grid: list[list[Cell]] = [[[] for _ in region.columns[1:]] for _ in region.rows[1:]]
    for line in region.lines:
        row = _place(line.box[1], line.box[3], region.rows)
        column = _place(line.box[0], line.box[2], region.columns)
        grid[row][column].append(line)
    return grid


def _place(low: float, high: float, borders: Sequence[float]) -> int:
    """The gap between two borders that most of low..high lies in; the first of equals."""
    shares = [min(high, right) - max(low, left) for left, right in pairwise(borders)]
    return max(range(len(shares)), key=lambda gap: shares[gap])


def _split(row: list[Cell]) -> list[list[Cell]]:
    """A row that holds several: as many lines in three columns or more, side by side, and no column with more."""
    bands = rows_of(line for cell in row for line in cell)
    counts = [len(rows_of(cell)) for cell in row]
    if len(bands) < 2 or max(counts) != len(bands) or counts.count(len(bands)) < SPLIT_COLUMNS:
        return [row]
    return [[[line for line in cell if any(line is other for other in band)] for cell in row] for band in bands]


def _text(cell: Cell, hyphens: Hyphens) -> str:
    return unstyled(joined_rows(rows_of(cell), hyphens)).replace("|", "\\|")

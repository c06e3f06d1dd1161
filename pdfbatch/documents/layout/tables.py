"""A table's lines into the cells of its grid, and the grid into Markdown. Pure.

Lines are never cut: a line that runs over a column's border goes where most of it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pdfbatch.documents.layout.regions import Region
from pdfbatch.documents.layout.styling import unstyled
from pdfbatch.documents.textlayer.lines import Line
from pdfbatch.documents.textlayer.unwrap import Hyphens, joined_rows, rows_of

Cell = list[Line]

GROUPED_SHARE = 0.2
SPLIT_COLUMNS = 3
"""The model misses lines between rows; a row is split where at least so many columns agree on it."""


def table_markdown(region: Region, hyphens: Hyphens) -> str:
    """A pipe table without empty rows and columns; "" if it has fewer than two columns."""
    grid = _cells(region)
    texts = [[_text(cell, hyphens) for cell in row] for row in grid]
    texts = [row for row in texts if any(row)]
    used = [column for column in range(len(grid[0])) if any(row[column] for row in texts)]
    if len(used) < 2:
        return ""
    rows = ["|" + "|".join(row[column] for column in used) + "|" for row in texts]
    return "\n".join([rows[0], "|" + "---|" * len(used), *rows[1:]])


def _cells(region: Region) -> list[list[Cell]]:
    """By the borders that the page draws, unless they part groups of rows; else by those that the model guesses."""
    if region.ruled_rows:
        ruled = _grid(region.lines, region.ruled_rows, region.ruled_columns)
        if not _holds_groups(ruled):
            return ruled
    return [row for band in _grid(region.lines, region.rows, region.columns) for row in _split(band)]


def _holds_groups(grid: list[list[Cell]]) -> bool:
    """Whether many lines stand in rows whose cells all have as many lines: text that wraps is not so even."""
    grouped = total = 0
    for row in grid:
        counts = [len(rows_of(cell)) for cell in row if cell]
        even = len(counts) > 1 and counts[0] > 1 and len(set(counts)) == 1
        total += max(counts, default=0)
        grouped += counts[0] if even else 0
    return grouped > GROUPED_SHARE * total


def _grid(lines: Sequence[Line], rows: Sequence[float], columns: Sequence[float]) -> list[list[Cell]]:
    grid: list[list[Cell]] = [[[] for _ in columns[1:]] for _ in rows[1:]]
    for line in lines:
        row = _place(line.box[1], line.box[3], rows)
        column = _place(line.box[0], line.box[2], columns)
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

"""Put a table's lines into the cells of its grid. Pure.

Lines are never split: a line across a column border goes to the column that holds most of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pdfbatch.documents.layout.inline import plain_spans
from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.layout.spanning import cells as spanned_cells
from pdfbatch.documents.textlayer.lines import Line
from pdfbatch.documents.textlayer.unwrap import Hyphens, joined_rows, rows_of
from pdfbatch.records import Cell, Span

Lines = list[Line]

GROUPED_SHARE = 0.2
SETTLED_SHARE = 0.9
SLACK = 3.0
"""Points by which a line may cross a border that the model guessed."""
SPLIT_COLUMNS = 3
"""The model misses borders between rows; a row is split if at least this many columns agree on it."""


def cells_of(region: Region, hyphens: Hyphens) -> list[Cell]:
    """Return the non-empty cells, without empty rows and columns; none if there are fewer than two columns."""
    spanned = spanned_cells(region)
    if any(cell.rows > 1 or cell.columns > 1 for cell in spanned):
        return [
            Cell(
                row=cell.row,
                column=cell.column,
                rows=cell.rows,
                columns=cell.columns,
                header=cell.header,
                spans=_spans(cell.lines, hyphens),
            )
            for cell in spanned
        ]
    grid = _cells(region)
    rows = [row for row in grid if any(cell for cell in row)]
    used = [column for column in range(len(grid[0])) if any(row[column] for row in rows)]
    if len(used) < 2:
        return []
    return [
        Cell(row=number, column=place, header=number == 0, spans=_spans(row[column], hyphens))
        for number, row in enumerate(rows)
        for place, column in enumerate(used)
    ]


def is_settled(region: Region) -> bool:
    """Check whether rules separate the cells, or each line lies in one column and most rows have several cells."""
    if region.ruled_rows:
        return not _holds_groups(_grid(region.lines, region.ruled_rows, region.ruled_columns))
    inside = sum(_inside(line.box[0], line.box[2], region.columns) for line in region.lines)
    rows = [row for row in _cells(region) if any(row)]
    filled = sum(sum(bool(cell) for cell in row) > 1 for row in rows)
    return inside >= SETTLED_SHARE * len(region.lines) and filled >= SETTLED_SHARE * len(rows)


def _inside(low: float, high: float, borders: Sequence[float]) -> bool:
    gap = _place(low, high, borders)
    return low >= borders[gap] - SLACK and high <= borders[gap + 1] + SLACK


def _cells(region: Region) -> list[list[Lines]]:
    """Use the borders drawn on the page, unless they separate groups of rows; otherwise those that the model
    guessed."""
    if region.ruled_rows:
        ruled = _grid(region.lines, region.ruled_rows, region.ruled_columns)
        if not _holds_groups(ruled):
            return ruled
    return [row for band in _grid(region.lines, region.rows, region.columns) for row in _split(band)]


def _holds_groups(grid: list[list[Lines]]) -> bool:
    """Check whether many lines are in rows whose cells all have the same number of lines: wrapped text is not so
    even."""
    grouped = total = 0
    for row in grid:
        counts = [len(rows_of(cell)) for cell in row if cell]
        even = len(counts) > 1 and counts[0] > 1 and len(set(counts)) == 1
        total += max(counts, default=0)
        grouped += counts[0] if even else 0
    return grouped > GROUPED_SHARE * total


def _grid(lines: Sequence[Line], rows: Sequence[float], columns: Sequence[float]) -> list[list[Lines]]:
    grid: list[list[Lines]] = [[[] for _ in columns[1:]] for _ in rows[1:]]
    for line in lines:
        row = _place(line.box[1], line.box[3], rows)
        column = _place(line.box[0], line.box[2], columns)
        grid[row][column].append(line)
    return grid


def _place(low: float, high: float, borders: Sequence[float]) -> int:
    """Return the gap between two borders that holds most of low..high; on a tie, the first."""
    shares = [min(high, right) - max(low, left) for left, right in pairwise(borders)]
    return max(range(len(shares)), key=lambda gap: shares[gap])


def _split(row: list[Lines]) -> list[list[Lines]]:
    """Split a row that holds several: the same number of lines side by side in three or more columns, and no column
    with more."""
    bands = rows_of(line for cell in row for line in cell)
    counts = [len(rows_of(cell)) for cell in row]
    if len(bands) < 2 or max(counts) != len(bands) or counts.count(len(bands)) < SPLIT_COLUMNS:
        return [row]
    return [[[line for line in cell if any(line is other for other in band)] for cell in row] for band in bands]


def _spans(cell: Lines, hyphens: Hyphens) -> list[Span]:
    return plain_spans(joined_rows(rows_of(cell), hyphens))

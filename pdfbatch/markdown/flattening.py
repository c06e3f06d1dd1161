"""Flatten a table with spanning cells into plain rows, if that loses nothing. Pure.

A heading over several columns is repeated in the heading of each, before its own text. A label beside several rows is
repeated in each. Any other span needs HTML: a repeated number would be counted twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pdfbatch.records import Span


@dataclass
class Placed:
    """A cell at its position in the grid of those rows and columns in which some cell begins."""

    row: int
    column: int
    rows: int
    columns: int
    header: bool
    spans: list[Span]


Row = list[list[Span]]


def flattened(cells: Sequence[Placed], height: int, width: int, headers: int) -> list[Row] | None:
    """The rows, header first, each with `width` cells; None if some span cannot be flattened.

    `headers` is the number of header rows.
    """
    grid: dict[tuple[int, int], Placed] = {
        (row, column): cell
        for cell in cells
        for row in range(cell.row, cell.row + cell.rows)
        for column in range(cell.column, cell.column + cell.columns)
    }
    headers = max(headers, 1)
    if any(not _can_repeat(cell, grid, headers) for cell in cells if cell.rows > 1 or cell.columns > 1):
        return None
    body = [[grid[row, column].spans for column in range(width)] for row in range(headers, height)]
    return [[_heading(grid, column, headers) for column in range(width)], *body]


def _can_repeat(cell: Placed, grid: dict[tuple[int, int], Placed], headers: int) -> bool:
    """Whether the text of a spanning cell may be repeated in each of its columns or rows."""
    below = cell.row + cell.rows
    if cell.row < headers:
        columns = range(cell.column, cell.column + cell.columns)
        divides = below < headers and all(_text(grid[below, column]) for column in columns)
        return below <= headers and (cell.columns == 1 or divides)
    return cell.columns == 1 and any(map(str.isalpha, _text(cell)))


def _heading(grid: dict[tuple[int, int], Placed], column: int, headers: int) -> list[Span]:
    """The texts of a column's headings from top to bottom, each once."""
    headings: list[Placed] = []
    for row in range(headers):
        cell = grid[row, column]
        if _text(cell) and not any(cell is other for other in headings):
            headings.append(cell)
    spans: list[Span] = []
    for cell in headings:
        spans += [Span(text=" "), *cell.spans] if spans else cell.spans
    return spans


def _text(cell: Placed) -> str:
    return "".join(span.text for span in cell.spans).strip()

"""Write cells as a pipe table, or as an HTML table if a span cannot be expressed with pipes. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from pdfbatch.markdown.flattening import Placed, Row, flattened
from pdfbatch.markdown.inline import InlinePlace, inline, inline_html
from pdfbatch.records import Cell, Span


def table_markdown(cells: Sequence[Cell]) -> str:
    """A pipe table, whose first row is its header, or an HTML table, see flattening.py; "" if no cell has text.

    Rows and columns in which no cell begins are left out; uncovered positions become empty cells. Of two overlapping
    cells the later is cut, or merged into the earlier if it begins inside it.
    """
    placed, height, width = grid(cells)
    if not any(span.text.strip() for cell in placed for span in cell.spans):
        return ""
    if rows := flattened(placed, height, width, _header_rows(_by_row(placed, height))):
        return _pipes(rows, width)
    return _html(placed, height)


def grid(cells: Iterable[Cell]) -> tuple[list[Placed], int, int]:
    """The cells at their final places, which they cover without gaps or overlaps, and the numbers of rows and
    columns."""
    ordered = sorted(cells, key=lambda cell: (cell.row, cell.column))
    rows, columns = sorted({cell.row for cell in ordered}), sorted({cell.column for cell in ordered})
    covered: dict[tuple[int, int], Placed] = {}
    placed: list[Placed] = []
    for cell in ordered:
        row, column = bisect_left(rows, cell.row), bisect_left(columns, cell.column)
        if (row, column) in covered:
            covered[row, column].spans += [Span(text=" "), *cell.spans]
            continue
        height = bisect_left(rows, cell.row + cell.rows) - row
        width = bisect_left(columns, cell.column + cell.columns) - column
        width = next((free for free in range(1, width) if (row, column + free) in covered), width)
        placed.append(Placed(row, column, height, width, cell.header, list(cell.spans)))
        _cover(covered, placed[-1])
    return _filled(placed, covered, len(rows), len(columns)), len(rows), len(columns)


def _cover(covered: dict[tuple[int, int], Placed], cell: Placed) -> None:
    for row in range(cell.row, cell.row + cell.rows):
        columns = range(cell.column, cell.column + cell.columns)
        if row > cell.row and any((row, column) in covered for column in columns):
            cell.rows = row - cell.row
            return
        covered.update(((row, column), cell) for column in columns)


def _filled(placed: list[Placed], covered: dict[tuple[int, int], Placed], height: int, width: int) -> list[Placed]:
    """The cells by row and column, with empty ones in the gaps; an empty cell in an all-header row is a header."""
    headers = [True] * height
    for cell in placed:
        headers[cell.row] &= cell.header
    gaps = [
        Placed(row, column, 1, 1, headers[row], [])
        for row in range(height)
        for column in range(width)
        if (row, column) not in covered
    ]
    return sorted([*placed, *gaps], key=lambda cell: (cell.row, cell.column)) if gaps else placed


def _pipes(rows: Sequence[Row], width: int) -> str:
    empty = " " if width == 1 else ""
    lines = ["|" + "|".join(inline(spans, InlinePlace.CELL) or empty for spans in row) + "|" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * width, *lines[1:]])


def _html(cells: Sequence[Placed], height: int) -> str:
    rows = _by_row(cells, height)
    headers = _header_rows(rows)
    lines = ["<tr>" + "".join(map(_html_cell, row)) + "</tr>" for row in rows]
    if headers == 0:
        return "\n".join(["<table>", *lines, "</table>"])
    body = ["<tbody>", *lines[headers:], "</tbody>"] if headers < height else []
    return "\n".join(["<table>", "<thead>", *lines[:headers], "</thead>", *body, "</table>"])


def _by_row(cells: Sequence[Placed], height: int) -> list[list[Placed]]:
    """The cells grouped by the row in which they begin."""
    rows: list[list[Placed]] = [[] for _ in range(height)]
    for cell in cells:
        rows[cell.row].append(cell)
    return rows


def _header_rows(rows: Sequence[Sequence[Placed]]) -> int:
    """How many leading rows consist only of header cells, none of which extends below them."""
    reach = whole = 0
    for count, row in enumerate(rows, start=1):
        if not all(cell.header for cell in row):
            break
        reach = max([reach, *(cell.row + cell.rows for cell in row)])
        whole = count if reach <= count else whole
    return whole


def _html_cell(cell: Placed) -> str:
    name = "th" if cell.header else "td"
    spans = (f' rowspan="{cell.rows}"' if cell.rows > 1 else "") + (
        f' colspan="{cell.columns}"' if cell.columns > 1 else ""
    )
    return f"<{name}{spans}>{inline_html(cell.spans)}</{name}>"

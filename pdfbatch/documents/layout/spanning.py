"""Find the cells of a ruled table, including those that span rows or columns, from the rules drawn on the page. Pure.

Every position of a rule is a border of a fine grid. Neighbours in that grid without a rule between them are one cell. A
table within a cell belongs to that cell.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.layout.rulings import SAME, Rules
from pdfbatch.documents.textlayer.lines import Line

DRAWN_SHARE = 0.6
"""A side of a cell is drawn if rules cover this share of it."""
THINNEST = 4.0
"""Points; anything narrower lies between double rules, and is no row or column."""
MOST_BORDERS = 400
"""Borders of rows or of columns; more are a drawing."""
_Place = tuple[int, int]
_Run = tuple[float, float]


class SpannedCell(NamedTuple):
    """A cell at `row` and `column` (from 0) that spans `rows` and `columns`. `header`: in the header rows of the
    table."""

    row: int
    column: int
    rows: int
    columns: int
    header: bool
    lines: list[Line]


class _Block(NamedTuple):
    """Part of the fine grid; ends are exclusive."""

    top: int
    left: int
    bottom: int
    right: int


def cells(region: Region) -> list[SpannedCell]:
    """Return all cells by row and column, also empty ones. Empty if the rules do not make a grid of at least two rows
    and two columns, or if there is text outside of it."""
    rows = _places(region.across)
    columns = _places(region.down)
    if not (2 < len(rows) <= MOST_BORDERS and 2 < len(columns) <= MOST_BORDERS):
        return []
    blocks = _blocks(rows, columns, region.across, region.down)
    homes = [(_home(line, rows, columns), line) for line in region.lines]
    if any(home is None for home, _ in homes):
        return []
    filled = [(block, [line for home, line in homes if home is not None and _holds(block, home)]) for block in blocks]
    return _numbered(filled)


def _places(rules: Rules) -> list[float]:
    """Return the positions of rules, with close ones merged."""
    groups: list[list[float]] = []
    for place, _ in sorted(rules):
        if groups and place - groups[-1][0] < max(SAME, THINNEST):
            groups[-1].append(place)
        else:
            groups.append([place])
    return [sum(group) / len(group) for group in groups]


def _blocks(rows: Sequence[float], columns: Sequence[float], across: Rules, down: Rules) -> list[_Block]:
    """Return the cells of the fine grid, joined where no rule separates them, to rectangles that do not overlap."""
    high, wide = len(rows) - 1, len(columns) - 1
    across_at, down_at = _runs_at(rows, across), _runs_at(columns, down)
    parent = {(row, column): (row, column) for row in range(high) for column in range(wide)}
    for row, column in list(parent):
        if row + 1 < high and not _is_drawn(across_at[row + 1], (columns[column], columns[column + 1])):
            _join(parent, (row, column), (row + 1, column))
        if column + 1 < wide and not _is_drawn(down_at[column + 1], (rows[row], rows[row + 1])):
            _join(parent, (row, column), (row, column + 1))
    groups: dict[_Place, list[_Place]] = {}
    for place in parent:
        groups.setdefault(_root(parent, place), []).append(place)
    return _apart([_around(group) for group in groups.values()])


def _apart(blocks: list[_Block]) -> list[_Block]:
    """Merge overlapping blocks: a cell around a nested table, or an outline that is no rectangle."""
    done: list[_Block] = []
    for block in blocks:
        while over := [other for other in done if _overlap(block, other)]:
            done = [other for other in done if other not in over]
            block = _Block(
                min(one.top for one in [block, *over]),
                min(one.left for one in [block, *over]),
                max(one.bottom for one in [block, *over]),
                max(one.right for one in [block, *over]),
            )
        done.append(block)
    return done


def _numbered(filled: list[tuple[_Block, list[Line]]]) -> list[SpannedCell]:
    """Number rows and columns by the borders that still separate cells."""
    tops = sorted({block.top for block, _ in filled})
    lefts = sorted({block.left for block, _ in filled})
    if len(tops) < 2 or len(lefts) < 2:
        return []
    placed = [
        SpannedCell(
            row := tops.index(block.top),
            column := lefts.index(block.left),
            bisect_right(tops, block.bottom - 1) - row,
            bisect_right(lefts, block.right - 1) - column,
            False,
            lines,
        )
        for block, lines in filled
    ]
    heads = _head_rows(placed, len(lefts))
    return sorted((cell._replace(header=cell.row + cell.rows <= heads) for cell in placed), key=lambda cell: cell[:2])


def _head_rows(placed: Iterable[SpannedCell], columns: int) -> int:
    """Return the number of header rows: the first row and those into which it is divided. A row of one cell is a title
    above the header."""
    first = [cell for cell in placed if cell.row == 0]
    if len(first) == 1 and first[0].columns == columns:
        second = [cell for cell in placed if cell.row == first[0].rows]
        return first[0].rows + max((cell.rows for cell in second), default=0)
    divided = any(cell.columns > 1 for cell in first)
    return max(cell.rows for cell in first) + (1 if divided and all(cell.rows == 1 for cell in first) else 0)


def _home(line: Line, rows: Sequence[float], columns: Sequence[float]) -> _Place | None:
    """Return the place in the fine grid of a line's centre; text slightly outside belongs to the edge."""
    across, down = (line.box[0] + line.box[2]) / 2, (line.box[1] + line.box[3]) / 2
    if not (rows[0] - SAME <= down <= rows[-1] + SAME and columns[0] - SAME <= across <= columns[-1] + SAME):
        return None
    return _gap(down, rows), _gap(across, columns)


def _gap(place: float, borders: Sequence[float]) -> int:
    return min(max(bisect_right(borders, place) - 1, 0), len(borders) - 2)


def _holds(block: _Block, place: _Place) -> bool:
    return block.top <= place[0] < block.bottom and block.left <= place[1] < block.right


def _runs_at(places: Sequence[float], rules: Rules) -> list[list[_Run]]:
    """Return for each border where the rules on it begin and end."""
    return [[run for where, run in rules if abs(where - place) < max(SAME, THINNEST)] for place in places]


def _is_drawn(runs: Sequence[_Run], along: _Run) -> bool:
    covered = sum(max(0.0, min(high, along[1]) - max(low, along[0])) for low, high in runs)
    return covered >= DRAWN_SHARE * (along[1] - along[0])


def _around(places: list[_Place]) -> _Block:
    rows, columns = [row for row, _ in places], [column for _, column in places]
    return _Block(min(rows), min(columns), max(rows) + 1, max(columns) + 1)


def _overlap(one: _Block, other: _Block) -> bool:
    return one.top < other.bottom and other.top < one.bottom and one.left < other.right and other.left < one.right


def _join(parent: dict[_Place, _Place], one: _Place, other: _Place) -> None:
    parent[_root(parent, one)] = _root(parent, other)


def _root(parent: dict[_Place, _Place], place: _Place) -> _Place:
    while parent[place] != place:
        parent[place] = place = parent[parent[place]]
    return place

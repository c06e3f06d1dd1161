"""Join Chinese and Japanese characters that are placed one below the other to vertical columns. Pure.

MuPDF sees each character as a line. Text in fonts with vertical writing already comes in lines, and is not changed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from pdfbatch.documents.pdf.upright import Pose
from pdfbatch.documents.textlayer.lines import Box, Line, LinePiece
from pdfbatch.documents.textlayer.scripts import is_unspaced

DOWNWARDS = Pose(270)
FEWEST = 4
"""A column of at least this many characters is vertical writing; others beside it may be shorter."""
PITCH = 1.7
"""Font sizes: largest step from one character to the next."""
RUBY_SIZE = 0.6
"""Largest size of ruby text as a share of the character that it explains."""
MOST_CHARS = 2
"""A two-digit number may stand horizontally in a column."""


def with_columns(lines: Sequence[Line]) -> list[Line]:
    """Join characters below each other to lines with the role `vertical`. Columns side by side form one block, in
    reading order from the right."""
    signs = [line for line in lines if _is_sign(line)]
    if sum(is_unspaced(sign.text.strip()[0]) for sign in signs) < FEWEST:
        return list(lines)
    small = _ruby(signs)
    readings = set(map(id, small))
    columns = _vertical(_columns(sign for sign in signs if id(sign) not in readings))
    if not columns:
        return list(lines)
    taken = {id(sign) for column in columns for sign in column}
    for sign in sorted(small, key=lambda line: -line.box[1]):
        if _read(sign, columns):
            taken.add(id(sign))
    rest = [line for line in lines if id(line) not in taken]
    next_block = 1 + max(line.block for line in lines)
    return rest + [
        _joined(column, next_block + number)
        for number, tier in enumerate(_tiers(columns))
        for column in sorted(tier, key=lambda column: -_middle(column[0].box))
    ]


def _is_sign(line: Line) -> bool:
    text = line.text.strip()
    return 0 < len(text) <= MOST_CHARS and line.pose.turn == 0 and not line.slanted and not line.role


def _ruby(signs: Sequence[Line]) -> list[Line]:
    """Return the small characters that give the reading of the character to their left."""
    largest = max(sign.size for sign in signs)
    small = [sign for sign in signs if sign.size <= RUBY_SIZE * largest]
    return [sign for sign in small if any(_stands_beside(sign, one) for one in signs)]


def _stands_beside(sign: Line, large: Line) -> bool:
    gap = sign.box[0] - large.box[2]
    is_small = sign.size <= RUBY_SIZE * large.size and -0.2 * large.size < gap < 0.5 * large.size
    return is_small and large.box[1] - large.size < sign.box[1] < large.box[3] + large.size


def _read(sign: Line, columns: list[list[Line]]) -> bool:
    """Insert a ruby character after the character that it stands beside. Call from the last one on, to keep their
    order."""
    middle = (sign.box[1] + sign.box[3]) / 2
    beside = [
        (one.box[1], column, place)
        for column in columns
        for place, one in enumerate(column)
        if _stands_beside(sign, one) and one.box[1] <= middle
    ]
    if not beside:
        return False
    _, column, place = max(beside, key=lambda found: found[0])
    raised = [piece._replace(raised=True) for piece in sign.pieces]
    column.insert(place + 1, replace(sign, box=column[place].box, pieces=raised))
    return True


def _columns(signs: Iterable[Line]) -> list[list[Line]]:
    """Build chains of characters, each below the one before."""
    columns: list[list[Line]] = []
    for sign in sorted(signs, key=lambda line: line.box[1]):
        above = [column for column in columns if _is_below(column[-1], sign)]
        if above:
            min(above, key=lambda column: abs(_middle(column[-1].box) - _middle(sign.box))).append(sign)
        else:
            columns.append([sign])
    return columns


def _is_below(above: Line, sign: Line) -> bool:
    pitch = sign.box[1] - above.box[1]
    size = max(above.size, sign.size)
    return abs(_middle(above.box) - _middle(sign.box)) < 0.4 * size and 0.4 * size < pitch < PITCH * size


def _vertical(columns: list[list[Line]]) -> list[list[Line]]:
    """Return the columns that are vertical writing: in an unspaced script, farther apart than their characters, and one
    of them long enough."""
    written = [
        column for column in columns if sum(is_unspaced(sign.text.strip()[0]) for sign in column) * 2 > len(column)
    ]
    longest = max(written, key=len, default=[])
    if len(longest) < FEWEST:
        return []
    top, size = longest[0].box[1], longest[0].size
    written = [column for column in written if len(column) > 1 or abs(column[0].box[1] - top) < size]
    pitch = median(below.box[1] - above.box[1] for column in written for above, below in itertools.pairwise(column))
    places = sorted({round(_middle(column[0].box)) for column in written})
    apart = min((right - left for left, right in itertools.pairwise(places) if right - left > 2), default=pitch)
    return written if apart >= 0.95 * pitch else []


def _tiers(columns: list[list[Line]]) -> list[list[list[Line]]]:
    """Group columns that stand side by side, from the top."""
    tiers: list[list[list[Line]]] = []
    reached = float("-inf")
    for column in sorted(columns, key=lambda column: column[0].box[1]):
        if tiers and column[0].box[1] < reached:
            tiers[-1].append(column)
        else:
            tiers.append([column])
        reached = max(reached, column[-1].box[3])
    return tiers


def _joined(column: list[Line], block: int) -> Line:
    pieces: list[LinePiece] = []
    for piece in (piece for sign in column for piece in sign.pieces):
        text = piece.text.strip()
        if pieces and pieces[-1]._replace(text="") == piece._replace(text=""):
            pieces[-1] = pieces[-1]._replace(text=pieces[-1].text + text)
        else:
            pieces.append(piece._replace(text=text))
    lefts, tops, rights, bottoms = zip(*(sign.box for sign in column), strict=True)
    box: Box = (min(lefts), min(tops), max(rights), max(bottoms))
    return replace(column[0], box=box, pieces=pieces, pose=DOWNWARDS, role="vertical", block=block)


def _middle(box: Box) -> float:
    return (box[0] + box[2]) / 2

"""Cut off line numbers that stand within their lines, before the text. Pure.

As in line_numbers.py, the text must run on from line to line or be a listing; otherwise the numbers may belong to a
list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pdfbatch.documents.textlayer.line_numbers import FEWEST, RUNNING_SHARE, UNEVEN, is_running_width
from pdfbatch.documents.textlayer.lines import Line, LinePiece

ALIGNED = 1.5
"""Font sizes: largest offset between lines whose numbers differ by one digit in length."""
_NUMBERED = re.compile(r"^\s*(\d{1,4})(?=\s|$)")


def with_numbers_cut(lines: Sequence[Line]) -> list[Line]:
    """Split lines that begin with their number in two: the number, with the role `line_number`, and the rest, which
    keeps the box of the whole line."""
    cut: dict[int, list[Line]] = {}
    for run in _runs(lines):
        if _is_listing(run) or _goes_on(run):
            indent = min((_indent(line) for line in run if _rest(line).strip()), default=0)
            cut |= {id(line): _cut(line, indent) for line in run}
    return [part for line in lines for part in cut.get(id(line), [line])]


def _runs(lines: Sequence[Line]) -> list[list[Line]]:
    """Group consecutive lines below each other that are all numbered, counting up by one."""
    runs: list[list[Line]] = []
    for line in lines:
        if runs and _number(line) is not None and _follows(runs[-1], line):
            runs[-1].append(line)
        elif _number(line) is not None and not line.role and line.pose.turn == 0:
            runs.append([line])
    return [run for run in runs if len(run) >= FEWEST]


def _follows(run: list[Line], line: Line) -> bool:
    last = run[-1]
    if line.role or line.pose != last.pose or _number(line) != (_number(last) or 0) + 1:
        return False
    if abs(line.box[0] - last.box[0]) > ALIGNED * line.size or line.box[3] <= last.box[3]:
        return False
    if len(run) == 1:
        return line.box[1] - last.box[3] < 2 * line.size
    usual = run[1].box[3] - run[0].box[3]
    return abs(line.box[3] - last.box[3] - usual) <= UNEVEN * usual + 1


def _is_listing(run: list[Line]) -> bool:
    return all(piece.mono for line in run for piece in line.pieces if piece.text.strip())


def _goes_on(run: list[Line]) -> bool:
    rests = [_rest(line).strip() for line in run]
    return is_running_width(rests) and sum(rest[:1].islower() for rest in rests) >= RUNNING_SHARE * len(run)


def _cut(line: Line, indent: int) -> list[Line]:
    text, rest = line.text, _rest(line)
    width = (line.box[2] - line.box[0]) / max(len(text), 1)
    number = text[: len(text) - len(rest)]
    box = (line.box[0], line.box[1], line.box[0] + width * len(number), line.box[3])
    numbers = [replace(line, box=box, role="line_number", pieces=[LinePiece(number.strip())])]
    if not rest.strip():
        return numbers
    return [*numbers, replace(line, pieces=_without(line.pieces, len(number) + indent))]


def _without(pieces: Sequence[LinePiece], letters: int) -> list[LinePiece]:
    kept: list[LinePiece] = []
    for piece in pieces:
        kept.append(piece._replace(text=piece.text[letters:]))
        letters = max(letters - len(piece.text), 0)
    return [piece for piece in kept if piece.text]


def _number(line: Line) -> int | None:
    found = _NUMBERED.match(line.text)
    return int(found[1]) if found else None


def _rest(line: Line) -> str:
    return _NUMBERED.sub("", line.text, count=1)


def _indent(line: Line) -> int:
    rest = _rest(line)
    return len(rest) - len(rest.lstrip())

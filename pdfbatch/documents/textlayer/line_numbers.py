"""Separate line numbers in a margin from the text beside them. Pure.

They count up by a fixed step, evenly spaced, in a strip of their own: as in the 28 rows of pleading paper, every fifth
verse of a poem, the gutter of a patent or the edge of a listing. The first column of a table and the numbers of a list
look alike, but there each number begins something new, while a numbered line continues the one above.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from pdfbatch.documents.textlayer.lines import Box, Line

FEWEST = 5
FEWEST_OF_FIVES = 3
"""Minimum for numbers that count by fives or tens, as no list does."""
STEPS = (1, 2, 5, 10)
SAME_PLACE = 2.0
"""Points between the edges of numbers below each other."""
SAME_BASE = 1.0
"""Points between the baselines of a number and its line."""
FEWEST_LETTERS = 25
FULL_SHARE = 0.6
"""A running text has lines of at least this many letters, and this share of lines fills this share of the column."""
UNEVEN = 0.2
"""Largest relative difference from the usual distance between neighbouring numbers."""
RUNNING_SHARE = 0.3
"""Minimum share of lines that continue with a small letter, for numbers that count by one."""
BAND = 20.0
MOST_IN_BAND = 24
"""Points; a band of the page with more lines is part of a table of numbers."""
_EDGES: tuple[Callable[[Box], float], ...] = (
    lambda box: box[2],
    lambda box: box[0],
    lambda box: (box[0] + box[2]) / 2,
)
_NUMBER = re.compile(r"\d{1,4}[.:|]?")


@dataclass(frozen=True, slots=True)
class _Number:
    line: Line
    value: int


def with_line_numbers(lines: Sequence[Line]) -> list[Line]:
    """Give line numbers the role `line_number`."""
    numbers = [
        _Number(line, int(line.text.strip().rstrip(".:|")))
        for line in lines
        if not line.role and line.pose.turn == 0 and _NUMBER.fullmatch(line.text.strip()) and line.text.strip() != "0"
    ]
    if len(numbers) < FEWEST_OF_FIVES:
        return list(lines)
    marked: set[int] = set()
    bands = _bands(lines)
    runs = [run for edge in _EDGES for strip in _strips(numbers, edge) for run in _runs(strip)]
    for run in sorted(runs, key=len, reverse=True):
        own = {id(number.line) for number in run}
        if not own & marked and _number_lines(run, lines, bands, marked):
            marked |= own
    return [replace(line, role="line_number") if id(line) in marked else line for line in lines]


def _strips(numbers: list[_Number], edge: Callable[[Box], float]) -> list[list[_Number]]:
    """Group numbers whose edges are aligned below each other, from the top."""
    strips: list[list[_Number]] = []
    for number in sorted(numbers, key=lambda number: edge(number.line.box)):
        if strips and edge(number.line.box) - edge(strips[-1][0].line.box) <= SAME_PLACE:
            strips[-1].append(number)
        else:
            strips.append([number])
    return [sorted(strip, key=lambda number: number.line.box[1]) for strip in strips]


def _runs(strip: list[_Number]) -> list[list[_Number]]:
    """Return the longest runs of a strip that count up by one of `STEPS`; a number out of step, such as the page
    number, ends a run."""
    runs: list[list[_Number]] = []
    for number in strip:
        if runs and _counts_on(runs[-1], number):
            runs[-1].append(number)
        else:
            runs.append([number])
    return [run for run in runs if len(run) >= (FEWEST_OF_FIVES if _step(run) >= 5 else FEWEST)]


def _counts_on(run: list[_Number], number: _Number) -> bool:
    step = number.value - run[-1].value
    if len(run) == 1:
        return step in STEPS or (run[0].value == 1 and step == 4)
    gap, usual = number.line.box[3] - run[-1].line.box[3], run[-1].line.box[3] - run[-2].line.box[3]
    if len(run) == 2 and run[0].value == 1 and run[1].value == 5:
        return step == 5
    return step == _step(run) and abs(gap - usual) <= UNEVEN * usual


def _step(run: list[_Number]) -> int:
    return run[-1].value - run[-2].value if len(run) > 1 else 0


def _number_lines(run: list[_Number], lines: Sequence[Line], bands: dict[int, list[Line]], marked: set[int]) -> bool:
    if len(bands[_band(run[0].line)]) > MOST_IN_BAND:
        return False
    own = {id(number.line) for number in run}
    others = own | marked
    strip = _union([number.line.box for number in run])
    if any(_cuts(strip, line) and id(line) not in others and not line.slanted for line in lines):
        return False
    rows = [
        [line for line in bands[_band(number.line)] if id(line) not in own and _beside(number.line, line)]
        for number in run
    ]
    if not any(rows) or max(line.size for row in rows for line in row) > 3 * run[0].line.size:
        return False
    if _step(run) >= 5:
        return _rows_between(run, strip, lines, own)
    beside = [
        min(row, key=lambda line: _distance(number.line, line)) for number, row in zip(run, rows, strict=True) if row
    ]
    return _is_outermost(strip, rows) and (_is_listing(beside) or _runs_on(beside, rows))


def _rows_between(run: list[_Number], strip: Box, lines: Sequence[Line], own: set[int]) -> bool:
    """Check whether about as many lines as are counted stand on one side of the numbers, on the numbers' baselines."""
    counted = _step(run) * (len(run) - 1)
    pitch = (strip[3] - strip[1]) / counted
    within = [
        line
        for line in lines
        if id(line) not in own
        and strip[1] <= (line.box[1] + line.box[3]) / 2 <= strip[3] + 1
        and line.size > 0.4 * pitch
        and len(line.text.strip()) > 3
    ]
    sides = [line for line in within if line.box[0] >= strip[2]], [line for line in within if line.box[2] <= strip[0]]
    return any(
        0.5 * counted <= len({round((line.base - strip[1]) / pitch) for line in side}) <= 1.2 * counted + 2
        and _share_base_lines(run, side)
        for side in sides
    )


def _share_base_lines(run: list[_Number], side: list[Line]) -> bool:
    """Check for shared baselines, because the marks of a scale stand anywhere beside the lines of a text."""
    shared = sum(any(abs(number.line.base - line.base) < SAME_BASE for line in side) for number in run)
    return shared >= 0.75 * len(run)


def _is_outermost(strip: Box, rows: list[list[Line]]) -> bool:
    """Check whether all text beside the numbers lies on one side of them."""
    beside = [line for row in rows for line in row]
    return all(line.box[0] >= strip[2] - 1 for line in beside) or all(line.box[2] <= strip[0] + 1 for line in beside)


def _is_listing(beside: list[Line]) -> bool:
    return len(beside) >= 2 and all(piece.mono for line in beside for piece in line.pieces if piece.text.strip())


def _runs_on(beside: list[Line], rows: list[list[Line]]) -> bool:
    """Check whether the text beside the numbers is one text: its lines are aligned and continue within sentences."""
    if sum(len(row) > 2 for row in rows) * 3 > len(rows):
        return False
    left = median(line.box[0] for line in beside)
    aligned = sum(abs(line.box[0] - left) < 3 * line.size for line in beside)
    small = sum(line.text.strip()[:1].islower() for line in beside)
    caseless = all(not char.isupper() and not char.islower() for line in beside for char in line.text)
    widest = max(line.box[2] for line in beside)
    if not caseless and not is_running_width([line.text for line in beside]):
        return False
    if caseless:
        small = sum(widest - line.box[2] < 2 * line.size for line in beside) if len(beside) > 2 else 0
    return aligned * 5 >= len(beside) * 4 and small >= RUNNING_SHARE * len(beside)


def _bands(lines: Sequence[Line]) -> dict[int, list[Line]]:
    """Index the lines by the bands of the page that they reach into, to find those of a row quickly."""
    bands: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        for band in range(int((line.box[1] - 1) // BAND), int((line.box[3] + 1) // BAND) + 1):
            bands[band].append(line)
    return bands


def _band(number: Line) -> int:
    return int((number.box[1] + number.box[3]) / 2 // BAND)


def is_running_width(texts: Sequence[str]) -> bool:
    """Check whether most of the texts are about as long as the longest, as lines broken to fill a column are."""
    lengths = [len(text.strip()) for text in texts]
    usual = median(lengths)
    return usual >= FEWEST_LETTERS and usual >= FULL_SHARE * max(lengths)


def _beside(number: Line, line: Line) -> bool:
    middle = (number.box[1] + number.box[3]) / 2
    return line.pose.turn == 0 and not line.slanted and line.box[1] - 1 <= middle <= line.box[3] + 1


def _distance(number: Line, line: Line) -> float:
    return max(line.box[0] - number.box[2], number.box[0] - line.box[2])


def _cuts(strip: Box, line: Line) -> bool:
    """Check whether a line stands in the strip, among the numbers."""
    middle = (line.box[1] + line.box[3]) / 2
    return line.box[0] < strip[2] - 1 and line.box[2] > strip[0] + 1 and strip[1] <= middle <= strip[3]


def _union(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)

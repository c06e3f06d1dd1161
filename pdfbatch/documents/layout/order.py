"""Put the regions of a page in reading order: down the columns, and around what lies across them. Pure.

A page is cut along its white space. What lies across all columns separates them. If only the text can tell whether a
column continues below such a region or in the next column, the sentences decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from pdfbatch.assembly.comparing import begins_lower, ends_sentence
from pdfbatch.documents.layout.region import Region
from pdfbatch.records import Box

GUTTER = 3.0
"""Points: smallest gap between two columns."""
OVERLAP = 2.0
"""Points by which boxes of texts below each other may overlap."""
_NEXT_LINE = 1.5
"""Line heights: a separate text this close below a column belongs to its end."""
_HOLE = 2.5
"""Line heights: more white space across all columns separates what is above from what is below."""
_LABEL_WORDS = 6
_FEWEST_LABELS = 3
_FEW = 5
_MOST_BLOCKS = 300
"""A page with more blocks is a drawing or a map."""
_MOST_TRIED = 20
"""Regions across the page that are tried as obstacles; bounds the time for a drawing's labels."""
_LEVEL = 4.0
"""Points by which the tops of texts in one row may differ."""


_HEAD_WORDS = 16
_LINE_HEIGHT = 1.2
_EDGES = ("page-header", "page-footer")
_ASIDE = ("line-numbers", "watermark")
_FIGURES = ("table", "picture", "formula", "caption")
"""Kinds that may be rotated among upright text."""


class Block(NamedTuple):
    """What is put in order. `begins`, `ends`: its first and last line; "" for a picture. `line`: its line height.
    `is_head`: a heading; `words`: number of words; `rtl`: it runs to the left."""

    box: Box
    begins: str = ""
    ends: str = ""
    line: float = 12.0
    is_head: bool = False
    words: int = 0
    rtl: bool = False


Blocks = list[Block]


def in_reading_order(regions: Sequence[Region]) -> list[Region]:
    """Return page headers, then the rest, then footers. Rotated text, such as a stamp along the margin, comes last and
    heads nothing."""
    aside = [region for region in regions if _is_aside(region)]
    upright = [region for region in regions if not _is_aside(region)]
    edges = {edge: [region for region in upright if region.kind == edge] for edge in _EDGES}
    blocks = {id(block := _block(region)): (block, region) for region in upright if region.kind not in _EDGES}
    body = [blocks[id(block)][1] for block in reading_order([block for block, _ in blocks.values()])]
    header, footer = (sorted(edge, key=lambda region: (region.box[1], region.box[0])) for edge in edges.values())
    last = [region if region.kind in _ASIDE else replace(region, kind="text") for region in aside]
    return header + body + footer + last


def reading_order(blocks: Sequence[Block]) -> Blocks:
    """Return the blocks in order; columns go from right to left if most text runs to the left."""
    to_left = 2 * sum(block.words for block in blocks if block.rtl) > sum(block.words for block in blocks)
    reader = _Reader(to_left)
    if len(blocks) > _MOST_BLOCKS:
        columns = reader.columns(list(blocks))
        return [block for column in columns for row in _rows(column) for block in sorted(row)]
    ordered = reader.ordered(list(blocks))
    astride = [block for block in blocks if _is_astride(block, blocks)]
    if not astride:
        return ordered
    without = reader.ordered([block for block in blocks if not _is_in(block, astride)])
    gained = _sense(without) - _sense([block for block in ordered if not _is_in(block, astride)])
    return _with_put_in(without, astride) if gained > any(block.is_head for block in astride) - 1 else ordered


class _Reader:
    def __init__(self, to_left: bool) -> None:
        self.to_left = to_left

    def ordered(self, blocks: Blocks) -> Blocks:
        if len(blocks) < 2:
            return blocks
        columns = self.columns(blocks)
        rows = _rows(blocks)
        if len(columns) > 1 and _is_labelled(rows, columns[0]):
            return [block for row in rows for block in self.ordered(row)]
        bands = self._bands(rows)
        if len(bands) > 1:
            return self._down(bands, math.inf if len(columns) > 1 else _HOLE)
        return self._by_column(blocks) if len(columns) > 1 else self._around(blocks)

    def columns(self, blocks: Blocks) -> list[Blocks]:
        """Split by vertical white space, in reading order."""
        parts = _parted(blocks, _across, -GUTTER)
        return parts[::-1] if self.to_left else parts

    def _by_column(self, blocks: Blocks) -> Blocks:
        return [block for column in self.columns(blocks) for block in self.ordered(column)]

    def _bands(self, rows: list[Blocks]) -> list[Blocks]:
        """Join neighbouring rows that share their columns."""
        bands: list[Blocks] = []
        for place, row in enumerate(rows):
            below = rows[place + 1] if place + 1 < len(rows) else []
            if bands and self._goes_on(bands[-1], row, below):
                bands[-1] = bands[-1] + row
            else:
                bands.append(row)
        return bands

    def _goes_on(self, band: Blocks, row: Blocks, below: Blocks) -> bool:
        columns = self.columns(band)
        if len(columns) < 2 or len(self.columns(band + row)) < len(columns):
            return False
        if len(self.columns(row)) > 1:
            return _gap(band, row) <= _NEXT_LINE * _line(row)
        above = next((column for column in columns if _share_columns(column, row)), None)
        if above is None or _gap(above, row) > _NEXT_LINE * _line(row) or not self._is_flush(above, row):
            return False
        heads_across = below and len(self.columns(band + row + below)) < len(columns)
        return not (row[0].is_head and (heads_across or self._heads(below)))

    def _heads(self, below: Blocks) -> bool:
        tops = [min(block.box[1] for block in column) for column in self.columns(below)]
        return len(tops) > 1 and max(tops) - min(tops) <= _LEVEL

    def _down(self, bands: list[Blocks], hole: float) -> Blocks:
        """Read band by band, except where the sentences continue down the columns past a region between two bands, or
        where there is less white than `hole` lines and the sentences do not contradict."""
        done: Blocks = []
        rest = list(bands)
        while rest:
            flow, across, joined = rest.pop(0), list[Block](), False
            while rest:
                white = _gap(flow, rest[0]) <= hole * _line(rest[0])
                if self._runs_past(flow, rest[0], -1 if white else 0):
                    flow = flow + rest.pop(0)
                elif len(rest) > 1 and self._runs_past(flow, rest[1], self._least(flow, rest[0])):
                    across += rest.pop(0)
                    flow = flow + rest.pop(0)
                else:
                    break
                joined = True
            done += _with_put_in(self._by_column(flow), across) if joined else self.ordered(flow)
        return done

    def _least(self, above: Blocks, between: Blocks) -> int:
        """Return how much better reading past the region must make sense: a heading separates, but a quote that
        interrupts a sentence does not."""
        if any(block.is_head for block in between):
            return 1
        return -1 if between[0].words and not ends_sentence(self._by_column(above)[-1].ends) else 0

    def _runs_past(self, above: Blocks, below: Blocks, least: int) -> bool:
        """Check whether the text of the columns above continues in the same columns below, with a gain in sense of at
        least `least`."""
        upper, lower = self.columns(above), self.columns(below)
        whole = self.columns(above + below)
        if not 1 < len(upper) == len(lower) == len(whole):
            return False
        ups = [self.ordered(column) for column in upper]
        downs = [self.ordered(column) for column in lower]
        past = [block for pair in zip(ups, downs, strict=True) for part in pair for block in part]
        return _sense(past) - _sense([block for part in ups + downs for block in part]) > least

    def _around(self, blocks: Blocks) -> Blocks:
        """Order the blocks without those that lie across and prevent cuts, then insert these."""
        fewest_first = sorted(blocks, key=lambda block: block.words)[:_MOST_TRIED]
        several = [
            fewest_first[:count] for count in range(2, len(fewest_first)) if _are_few(fewest_first[:count], blocks)
        ]
        tried = [
            (taken, [other for other in blocks if not _is_in(other, taken)])
            for taken in [[block] for block in fewest_first] + several
        ]
        in_columns = ((taken, rest) for taken, rest in tried if len(self.columns(rest)) > 1)
        in_bands = ((taken, rest) for taken, rest in tried if len(self._bands(_rows(rest))) > 1)
        if found := next(in_columns, None) or next(in_bands, None):
            across = self._in_the_way(*found)
            return _with_put_in(self.ordered([block for block in blocks if not _is_in(block, across)]), across)
        return sorted(blocks, key=lambda block: (block.box[1], block.box[0]))

    def _in_the_way(self, taken: Blocks, rest: Blocks) -> Blocks:
        """Return those of the removed blocks that would close a gutter if put back."""
        across: Blocks = []
        for block in taken:
            if len(taken) > 1 and len(self.columns([*rest, block])) >= len(self.columns(rest)) > 1:
                rest = [*rest, block]
            else:
                across.append(block)
        return across

    def _is_flush(self, column: Blocks, row: Blocks) -> bool:
        """Check whether it begins where the column does, apart from an indent."""
        away = _right(column) - _right(row) if self.to_left else _left(row) - _left(column)
        return away <= _NEXT_LINE * _line(row)


def _are_few(some: Blocks, blocks: Blocks) -> bool:
    return _FEW * sum(block.words for block in some) <= sum(block.words for block in blocks)


def _is_aside(region: Region) -> bool:
    if region.kind in _ASIDE:
        return True
    return bool(region.lines) and region.kind not in _FIGURES and all(line.pose.turn for line in region.lines)


def _block(region: Region) -> Block:
    lines = sorted(region.lines, key=lambda line: line.box[1] + line.box[3])
    if not lines or region.kind in ("table", "picture"):
        return Block(region.box)
    first, last = lines[0].text.strip(), lines[-1].text.strip()
    words = sum(len(line.text.split()) for line in lines)
    return Block(
        region.box,
        first,
        last,
        line=max(line.size for line in lines) * _LINE_HEIGHT,
        is_head=region.kind in ("title", "section-header") and words <= _HEAD_WORDS and not ends_sentence(last),
        words=words,
        rtl=2 * sum(line.rtl for line in lines) > len(lines),
    )


def _rows(blocks: Blocks) -> list[Blocks]:
    """Split by horizontal white space, from the top."""
    return _parted(blocks, _down, OVERLAP)


def _parted(blocks: Iterable[Block], side: Callable[[Block], tuple[float, float]], overlap: float) -> list[Blocks]:
    parts: list[Blocks] = []
    end = 0.0
    for block in sorted(blocks, key=side):
        low, high = side(block)
        if parts and low < end - min(overlap, (high - low) / 3):
            parts[-1].append(block)
            end = max(end, high)
        else:
            parts.append([block])
            end = high
    return parts


def _may_be_label(block: Block) -> bool:
    return 0 < block.words <= _LABEL_WORDS and not ends_sentence(block.ends.rstrip(":"))


def _across(block: Block) -> tuple[float, float]:
    return block.box[0], block.box[2]


def _down(block: Block) -> tuple[float, float]:
    return block.box[1], block.box[3]


def _share_columns(one: Blocks, other: Blocks) -> bool:
    return _left(one) < _right(other) and _left(other) < _right(one)


def _left(blocks: Blocks) -> float:
    return min(block.box[0] for block in blocks)


def _right(blocks: Blocks) -> float:
    return max(block.box[2] for block in blocks)


def _gap(above: Blocks, below: Blocks) -> float:
    return min(block.box[1] for block in below) - max(block.box[3] for block in above)


def _line(blocks: Blocks) -> float:
    return max(block.line for block in blocks)


def _is_labelled(rows: list[Blocks], labels: Blocks) -> bool:
    """Check whether each row begins with one of the short texts in the first column, level with the text beside it."""
    if len(rows) < _FEWEST_LABELS or len(labels) != len(rows) or not all(map(_may_be_label, labels)):
        return False
    tops = [sorted(block.box[1] for block in row) for row in rows]
    return all(len(row) > 1 and row[1] - row[0] <= _LEVEL for row in tops)


def _is_astride(block: Block, blocks: Sequence[Block]) -> bool:
    """Check whether it lies across a gutter, with a column that continues beside it."""
    left, top, right, bottom = block.box
    others = [one for one in blocks if one is not block]
    if not any(one.box[1] < (top + bottom) / 2 < one.box[3] and not _share_columns([block], [one]) for one in others):
        return False
    held = [one for one in others if 2 * (min(right, one.box[2]) - max(left, one.box[0])) > one.box[2] - one.box[0]]
    above = [one for one in held if one.box[3] <= top + OVERLAP]
    below = [one for one in held if one.box[1] >= bottom - OVERLAP]
    return any(len(_parted(part, _across, -GUTTER)) > 1 for part in (above, below))


def _is_in(block: Block, blocks: Sequence[Block]) -> bool:
    return any(block is one for one in blocks)


def _sense(blocks: Sequence[Block]) -> int:
    """Score how well each block continues the one before."""
    return sum(_seam(left, right) for left, right in pairwise(blocks))


def _seam(left: Block, right: Block) -> int:
    if not left.ends or not right.begins or right.is_head:
        return 0
    ended, low = ends_sentence(left.ends), begins_lower(right.begins)
    if ended:
        return -2 if low else 0
    return 2 if low else -1


def _with_put_in(ordered: Blocks, across: Blocks) -> Blocks:
    """Insert blocks that lie across columns where they interrupt no sentence: below what is above them in their first
    column."""
    done = list(ordered)
    for block in sorted(across, key=lambda block: (block.box[1], block.box[0])):
        middle = (block.box[1] + block.box[3]) / 2
        beside = [place for place, other in enumerate(done) if _share_columns([block], [other])]
        place = next((place for place in beside if done[place].box[1] >= middle), len(done))
        above = [one for one in beside if done[one].box[1] < middle and one < place]
        place = above[-1] + 1 if above else place
        while 0 < place < len(done) and _seam(done[place - 1], done[place]) > 0:
            place += 1
        done.insert(place, block)
    return done

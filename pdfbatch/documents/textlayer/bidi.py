"""Bring lines with right-to-left letters from visual order into reading order. Pure.

PDF producers store such lines in visual order, in reading order, or in runs of both, but the positions of the letters
are always right. So the letters are sorted from left to right, and the display rules (Unicode Standard Annex 9) are
applied in reverse.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from pdfbatch.documents.textlayer.scripts import direction

_MIRRORED = str.maketrans("()[]{}<>«»‹›≤≥", ")(][}{><»«›‹≥≤")
_SENTENCE_ENDS = tuple(".?!:,;\u061f\u060c\u061b")
_OPENING, _CLOSING = "([{<«‹", ")]}>»›"


class Glyph(NamedTuple):
    """A character and its position in points. `style` identifies its span."""

    text: str
    left: float
    right: float
    style: int = 0


def runs_to_left(text: str) -> bool:
    """Check whether most words of `text` run to the left."""
    kinds = [next((kind for char in word if (kind := direction(char)) in ("R", "L")), "") for word in text.split()]
    return kinds.count("R") > kinds.count("L")


def line_runs_to_left(glyphs: Sequence[Glyph], paragraph: bool) -> bool:
    """Decide by the end of the line with sentence punctuation, if only one end has it; otherwise by the paragraph and
    the line's own words. A line without Latin letters always runs to the left."""
    ordered = [glyph.text for glyph in sorted(glyphs, key=lambda glyph: glyph.left + glyph.right)]
    text = "".join(ordered).strip()
    if not any(direction(char) == "L" for char in text):
        return True
    ends = text[:1] in _SENTENCE_ENDS, text[-1:] in _SENTENCE_ENDS
    if ends[0] != ends[1]:
        return ends[0]
    return paragraph or runs_to_left(text)


def logical_order(glyphs: Sequence[Glyph], to_left: bool, size: float, word_gap: float) -> list[Glyph]:
    """Return the glyphs of one line in reading order: marks after their letters, one blank between words, brackets
    facing the right way. `to_left`: the paragraph's direction. `word_gap`: share of `size` from which a gap is a
    blank."""
    seen = _with_blanks(_clusters(glyphs), word_gap * size)
    levels = _levels([cluster[0].text for cluster in seen], to_left)
    order = _reordered(levels)
    read = [seen[place] for place in order]
    turned = [levels[place] % 2 == 1 for place in order]
    return [glyph for cluster in _with_brackets(read, turned) for glyph in cluster]


def _clusters(glyphs: Sequence[Glyph]) -> list[list[Glyph]]:
    """Group letters from left to right, each with its marks and the other characters of its glyph."""
    bases = [glyph for glyph in glyphs if not _clings(glyph)] or list(glyphs)
    clusters = {place: [base] for place, base in enumerate(bases)}
    for glyph in glyphs:
        if _clings(glyph) and glyph not in bases:
            nearest = min(clusters, key=lambda place: _distance(bases[place], glyph))
            clusters[nearest].append(glyph)
    return sorted(clusters.values(), key=lambda cluster: cluster[0].left + cluster[0].right)


def _clings(glyph: Glyph) -> bool:
    return bool(unicodedata.combining(glyph.text[0])) or (glyph.right - glyph.left < 0.01 and not glyph.text.isspace())


def _distance(base: Glyph, mark: Glyph) -> float:
    if base.text.isspace():
        return float("inf")
    return abs(base.left + base.right - mark.left - mark.right)


def _with_blanks(clusters: list[list[Glyph]], gap: float) -> list[list[Glyph]]:
    """Put exactly one blank wherever letters stand apart."""
    spaced: list[list[Glyph]] = []
    reached = float("inf")
    for cluster in clusters:
        glyph = cluster[0]
        blank = glyph.text.isspace()
        after_blank = bool(spaced) and spaced[-1][0].text.isspace()
        if blank and after_blank:
            continue
        if not blank and not after_blank and glyph.left - reached > gap:
            spaced.append([Glyph(" ", reached, glyph.left, glyph.style)])
        spaced.append(cluster)
        reached = glyph.right
    return spaced


def _levels(chars: list[str], to_left: bool) -> list[int]:
    """Return the embedding level of each character of a line in visual order: 1 runs to the left, 0 and 2 to the
    right."""
    arabic = any(unicodedata.bidirectional(char[0]) == "AL" for char in chars)
    kinds = _with_numbers([direction(char[0]) for char in chars], [char[0] for char in chars], arabic)
    return _in_right_to_left(kinds) if to_left else _in_left_to_right(kinds)


def _with_numbers(kinds: list[str], chars: list[str], arabic: bool) -> list[str]:
    """Count separators within numbers as digits, and signs beside numbers too, except among Arabic letters."""
    kinds = list(kinds)
    signs = ("CS",) if arabic else ("CS", "ES")
    for place in range(1, len(kinds) - 1):
        if kinds[place - 1] == kinds[place + 1] == "N" and unicodedata.bidirectional(chars[place]) in signs:
            kinds[place] = "N"
    if not arabic:
        for places in (range(1, len(kinds)), range(len(kinds) - 2, -1, -1)):
            step = 1 if places.step > 0 else -1
            for place in places:
                if kinds[place - step] == "N" and unicodedata.bidirectional(chars[place]) == "ET":
                    kinds[place] = "N"
    return kinds


def _in_right_to_left(kinds: list[str]) -> list[int]:
    """Find what runs to the right: words from their first letter to the last, with the numbers after them, and
    numbers."""
    levels = [2 if kind in ("L", "N") else 1 for kind in kinds]
    start: int | None = None
    for place, kind in enumerate(kinds):
        if kind == "R":
            start = None
        elif kind == "L" or (kind == "N" and start is not None):
            if start is not None:
                levels[start : place + 1] = [2] * (place + 1 - start)
            start = place
    return levels


def _in_left_to_right(kinds: list[str]) -> list[int]:
    """Find what runs to the left: from the first such letter to the last one before a letter that runs to the right."""
    levels = [0] * len(kinds)
    start: int | None = None
    for place, kind in enumerate(kinds):
        if kind == "L":
            start = None
        elif kind == "R":
            if start is not None:
                levels[start : place + 1] = [2 if one == "N" else 1 for one in kinds[start : place + 1]]
            levels[place] = 1
            start = place
    return levels


def _reordered(levels: list[int]) -> list[int]:
    """Return places in reading order by reversing the runs that the display rules reverse (rule L2)."""
    order = list(range(len(levels)))
    for level in (2, 1):
        place = 0
        while place < len(order):
            end = place
            while end < len(order) and levels[end] >= level:
                end += 1
            order[place:end] = reversed(order[place:end])
            place = max(end, place + 1)
    return order


def _with_brackets(read: list[list[Glyph]], turned: list[bool]) -> list[list[Glyph]]:
    """Mirror brackets if that balances them: some producers store a bracket by its shape, others by its meaning."""
    text = "".join(cluster[0].text for cluster, back in zip(read, turned, strict=True) if back)
    if _misplaced(text) <= _misplaced(text.translate(_MIRRORED)):
        return read
    return [
        [cluster[0]._replace(text=cluster[0].text.translate(_MIRRORED)), *cluster[1:]] if back else cluster
        for cluster, back in zip(read, turned, strict=True)
    ]


def _misplaced(text: str) -> int:
    """Count brackets that close nothing or are never closed."""
    depth = wrong = 0
    for char in text:
        if char in _OPENING:
            depth += 1
        elif char in _CLOSING:
            wrong += depth == 0
            depth = max(depth - 1, 0)
    return wrong + depth

"""Parse the model's layout of a page, and map its boxes onto the page's picture. Pure.

Two grammars (bytedance/Dolphin, v1.0 and v1.5). 1.0 writes `[x0,y0,x1,y1] label`, coordinates from 0 to 1 of the page
padded to a square. 1.5 writes `[x0,y0,x1,y1][label][tag]…` with `[PAIR_SEP]` or `[RELATION_SEP]` between, coordinates
in the 896 x 896 picture of that square. The order of the boxes is the reading order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

LAYOUT_PROMPT = "Parse the reading order of this document."
TEXT_PROMPT = "Read text in the image."
TABLE_PROMPT = "Parse the table in the image."
FORMULA_PROMPT = "Read formula in the image."
CODE_PROMPT = "Read code in the image."

Quad = tuple[float, float, float, float]

_SIDE = 896
_FAR = 1e6
_LEAST = 3
"""A box is cut out only where both sides are longer than this, in pixels (bytedance/Dolphin: smaller ones crashed)."""
_STRIP = 0.25
_BESIDE = 0.5

_NUMBER = r"\s*([-+]?(?:\d{1,20}\.?\d{0,20}|\.\d{1,20}))\s*"
_QUAD = r"\[" + ",".join([_NUMBER] * 4) + r"\]"
_NAME = r"\[\s*(?!PAIR_SEP\b|RELATION_SEP\b)([A-Za-z][\w.:-]{0,63})\s*\]"
_BRACKETED = re.compile(rf"{_QUAD}\s?{_NAME}", re.ASCII)
_SPACED = re.compile(rf"{_QUAD}\s{{0,8}}(\w{{1,64}})", re.ASCII)
_TAG = re.compile(_NAME, re.ASCII)


class Box(NamedTuple):
    """Pixels of the page's picture; x1 and y1 are the first ones outside."""

    x0: int
    y0: int
    x1: int
    y1: int


class LayoutBox(NamedTuple):
    """One element as the model wrote it; what `quad` measures depends on the grammar."""

    quad: Quad
    label: str
    tags: tuple[str, ...]


class Layout(NamedTuple):
    """`grammar` is None, and `found` empty, if nothing could be parsed."""

    grammar: Literal["1.0", "1.5"] | None
    found: list[LayoutBox]


class LayoutElement(NamedTuple):
    """An element to cut out. `order` counts from 1 and includes skipped elements."""

    label: str
    box: Box
    order: int
    tags: tuple[str, ...] = ()


def parse(text: str) -> Layout:
    """Parses the elements in the grammar that the text turns out to use; anything that fits neither is skipped.

    A single quad followed by a label in brackets makes it 1.5. A missing separator does no harm here, while the
    published parser loses all but the first element between two separators.
    """
    bracketed = [_found(match, _tags(text, match.end())) for match in _BRACKETED.finditer(text)]
    if bracketed:
        return Layout("1.5", bracketed)
    spaced = [_found(match, ()) for match in _SPACED.finditer(text)]
    return Layout("1.0", spaced) if spaced else Layout(None, [])


def prompt_for(label: str, grammar: str | None) -> str | None:
    """The prompt for an element; None for a figure, which the model does not read.

    1.0 was trained on two prompts, 1.5 on four (bytedance/Dolphin, demo_page); all other labels are read as text.
    """
    if label == "fig":
        return None
    if label == "tab":
        return TABLE_PROMPT
    special = {} if grammar == "1.0" else {"equ": FORMULA_PROMPT, "code": CODE_PROMPT}
    return special.get(label, TEXT_PROMPT)


def regions(
    layout: Layout, width: int, height: int, as_published: bool, widen: Callable[[Box], Box] | None = None
) -> list[LayoutElement]:
    """The elements with their boxes on a page's picture of `width` x `height` pixels; boxes of at most 3 pixels are
    skipped.

    `widen` moves the edges of a 1.0 box to where they cut no ink. `as_published` (bytedance/Dolphin, utils): a box that
    overlaps the one before it starts below that one, whatever that does to it. Otherwise only a thin strip shared by
    two boxes is removed, inverted boxes are corrected, and an element written twice is taken once.
    """
    square = _Square(width, height)
    moved = widen if layout.grammar == "1.0" else None
    placed: list[LayoutElement] = []
    seen: set[tuple[Quad, str]] = set()
    previous: Box | None = None
    for order, found in enumerate(layout.found, start=1):
        if not all(map(math.isfinite, found.quad)) or (not as_published and (found.quad, found.label) in seen):
            continue
        seen.add((found.quad, found.label))
        quad = _bounded(found.quad if as_published else _upright(found.quad))
        wide = square.widened(square.mapped(quad, layout.grammar == "1.5"), moved)
        if as_published:
            previous = wide = square.below(wide, previous)
            box = square.on_page(wide)
        else:
            box = _parted(square.on_page(wide), (region.box for region in placed))
        if _is_large(wide) and _is_large(box):
            placed.append(LayoutElement(found.label, box, order, found.tags))
    return placed


class _Square(NamedTuple):
    """A page centred in the black square that the model sees. Boxes are in the square's pixels unless noted."""

    width: int
    height: int

    @property
    def side(self) -> int:
        return max(self.width, self.height)

    @property
    def left(self) -> int:
        return (self.side - self.width) // 2

    @property
    def top(self) -> int:
        return (self.side - self.height) // 2

    def mapped(self, quad: Quad, of_pixels: bool) -> Box:
        if of_pixels:
            x0, y0, x1, y1 = (round(place / _SIDE * self.side) for place in quad)
            return self._clamped(Box(x0, y0, x1 + 1, y1 + 1))
        return self._clamped(Box(*(int(place * self.side) for place in quad)))

    def widened(self, box: Box, widen: Callable[[Box], Box] | None) -> Box:
        """Moves the box's edges with `widen`, which works in the page's pixels, and converts back to the square's."""
        if widen is None:
            return box
        page = self.on_page(box)
        shifts = (after - before for before, after in zip(page, widen(page), strict=True))
        return self._clamped(Box(*(place + shift for place, shift in zip(box, shifts, strict=True))))

    def below(self, box: Box, previous: Box | None) -> Box:
        if previous is None or _shared(box.x0, box.x1, previous.x0, previous.x1) <= 0:
            return box
        if _shared(box.y0, box.y1, previous.y0, previous.y1) <= 0:
            return box
        return self._clamped(box._replace(y0=previous.y1))

    def on_page(self, box: Box) -> Box:
        """The box in the page's pixels, clipped; at least one pixel, even if it lies in the black."""
        x0, y0 = max(0, box.x0 - self.left), max(0, box.y0 - self.top)
        x0, y0 = min(x0, max(0, self.width - 1)), min(y0, max(0, self.height - 1))
        x1, y1 = min(self.width, box.x1 - self.left), min(self.height, box.y1 - self.top)
        return Box(x0, y0, max(x0 + 1, x1), max(y0 + 1, y1))

    def _clamped(self, box: Box) -> Box:
        last = max(0, self.side - 1)
        x0, y0 = max(0, min(box.x0, last)), max(0, min(box.y0, last))
        x1, y1 = min(box.x1, self.side), min(box.y1, self.side)
        return Box(x0, y0, max(x0 + 1, x1), max(y0 + 1, y1))


def _found(match: re.Match[str], tags: tuple[str, ...]) -> LayoutBox:
    x0, y0, x1, y1, label = match.groups()
    return LayoutBox((float(x0), float(y0), float(x1), float(y1)), label, tags)


def _tags(text: str, start: int) -> tuple[str, ...]:
    tags = []
    while match := _TAG.match(text, start):
        tags.append(match.group(1))
        start = match.end()
    return tuple(tags)


def _bounded(quad: Quad) -> Quad:
    """Clamps a coordinate to a finite range: how far off the page it lies does not matter."""
    x0, y0, x1, y1 = (max(-_FAR, min(place, _FAR)) for place in quad)
    return x0, y0, x1, y1


def _upright(quad: Quad) -> Quad:
    x0, y0, x1, y1 = quad
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _parted(box: Box, earlier: Iterable[Box]) -> Box:
    """The box without thin strips that it shares with earlier boxes above or below."""
    for other in earlier:
        high = _shared(box.y0, box.y1, other.y0, other.y1)
        if high <= 0 or high > _STRIP * min(box.y1 - box.y0, other.y1 - other.y0):
            continue
        wide = _shared(box.x0, box.x1, other.x0, other.x1)
        if wide > _BESIDE * min(box.x1 - box.x0, other.x1 - other.x0):
            box = box._replace(y0=other.y1) if box.y0 > other.y0 else box._replace(y1=other.y0)
    return box


def _shared(first: int, last: int, other_first: int, other_last: int) -> int:
    return min(last, other_last) - max(first, other_first)


def _is_large(box: Box) -> bool:
    return box.x1 - box.x0 > _LEAST and box.y1 - box.y0 > _LEAST

"""Find how deeply list items are nested, from their indents. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pdfbatch.records import Element, Label

INDENT = 0.9
"""Font sizes by which a deeper item is indented at least; right-aligned numbers differ by less."""
FURTHEST = 8.0
"""Font sizes: an item indented farther is in another column."""


def nested(elements: Iterable[Element]) -> list[Element]:
    """Return the elements in reading order, with the `level` (from 1) set on consecutive list items."""
    found: list[Element] = []
    lefts: list[float] = []
    for element in elements:
        if element.label is not Label.LIST_ITEM:
            lefts = []
        else:
            step = max(element.size, 1.0)
            above = found[-1].box if lefts else element.box
            if element.box[1] < above[1] or (lefts and element.box[0] - lefts[-1] > FURTHEST * step):
                lefts = []
            while lefts and element.box[0] < lefts[-1] - INDENT * step / 2:
                lefts.pop()
            if not lefts or element.box[0] > lefts[-1] + INDENT * step:
                lefts.append(element.box[0])
            element = element.model_copy(update={"level": len(lefts)})
        found.append(element)
    return found

"""How deep the items of a list lie, by where they begin. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pdfbatch.records import Element, Label

INDENT = 0.9
"""Times the font size by which a deeper item begins further to the right; numbers set to the right differ by less."""
FURTHEST = 8.0
"""What begins so many font sizes further stands in another column."""


def nested(elements: Iterable[Element]) -> list[Element]:
    """The elements in reading order, list items that follow one another with their `level` from 1."""
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

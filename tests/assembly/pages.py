"""Pages made by hand: elements one below the other on an A4 page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pdfbatch.records import Box, Cell, Element, Label, Page, PageResult, Span

WIDTH, HEIGHT = 595.0, 842.0
LEFT, RIGHT = 72.0, 523.0
LINE = 14.0


def element(
    text: str, label: Label = Label.PARAGRAPH, box: Box | None = None, size: float = 11, **more: Any
) -> Element:
    return Element(
        label=label,
        box=box or (LEFT, 0, RIGHT, 0),
        size=size,
        spans=more.pop("spans", [Span(text=text)] if text else []),
        **more,
    )


def at(
    y: float, text: str, label: Label = Label.PARAGRAPH, left: float = LEFT, size: float = 11, **more: Any
) -> Element:
    """One line whose top is at `y`, as wide as its letters."""
    return element(text, label, (left, y, left + 0.45 * size * len(text), y + 1.2 * size), size, **more)


def table(rows: Sequence[Sequence[str]], header_rows: int = 0, **more: Any) -> Element:
    cells = [
        Cell(row=row, column=column, header=row < header_rows, spans=[Span(text=text)] if text else [])
        for row, texts in enumerate(rows)
        for column, text in enumerate(texts)
    ]
    return element("", Label.TABLE, cells=cells, **more)


def stacked(elements: Sequence[Element], top: float = 90) -> list[Element]:
    """Those without a height one below the other from `top`; the others where they are."""
    placed = []
    for one in elements:
        if one.box[3] == one.box[1]:
            height = LINE * max(1, len(one.text) // 80 + 1)
            one = one.model_copy(update={"box": (one.box[0], top, one.box[2], top + height)})
            top += height + 10
        placed.append(one)
    return placed


def page(number: int, elements: Sequence[Element], **more: Any) -> PageResult:
    return PageResult(
        number=number, width=WIDTH, height=HEIGHT, read_by="text", elements=stacked(elements), seconds=0.1, **more
    )


def dropped(pages: Sequence[Page]) -> list[tuple[int, str, str]]:
    """Page, text and reason of each element that is left out."""
    return [(one.number, each.text, each.dropped) for one in pages for each in one.elements if each.dropped]


def kept(pages: Sequence[Page]) -> list[str]:
    return [each.text for one in pages for each in one.elements if not each.dropped]

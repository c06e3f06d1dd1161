"""Write consecutive list items and check boxes as one tight list. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pdfbatch.markdown.inline import InlinePlace, inline
from pdfbatch.records import Element, Label, Span

_NUMBER = re.compile(r"(0|[1-9]\d{0,8})([.)])")
_BULLET = re.compile("[-–—·*+•‣⁃∙◦\u25a0-\u25ff\u2756\u27a2\uf0a7\uf0b7\uf0d8]?")
"""Bullets, which carry no information; also those of the fonts Symbol and Wingdings."""
_BOX = re.compile(r"\[[ xX]\]")
_DASHES = re.compile(r"(?:-\s*)+")
_TASK = re.compile(r"\[[ xX]\](?=\s|$)")


class _Frame(NamedTuple):
    """The last item at a depth: its level, the indent of its text, and its number and delimiter."""

    level: int
    indent: int
    number: int = -1
    delimiter: str = ""


def is_listed(element: Element) -> bool:
    """Whether an element is written as a list item."""
    return element.label is Label.LIST_ITEM or (
        element.label is Label.FORM_FIELD and _BOX.fullmatch(element.marker.strip()) is not None
    )


def list_markdown(items: Sequence[Element]) -> str:
    """One item per line, nested under their parents; "" if no item has text or a marker that is text.

    `1.` and `1)` stay markers where a renderer shows exactly that number; renderers count themselves from the first
    item. Other markers that carry information, such as `(a)`, become text.
    """
    lines: list[str] = []
    frames: list[_Frame] = []
    for item in items:
        level = max(item.level, 1)
        earlier = list(frames)
        before: _Frame | None = None
        while frames and frames[-1].level >= level:
            before = frames.pop()
        mark, text, frame = _item(item, before, bool(frames))
        if not text:
            frames = earlier
            continue
        left = frames[-1].indent if frames else 0
        indent = left + len(mark) + 1
        lines.append(" " * left + f"{mark} " + text.replace("\n", "\n" + " " * indent))
        frames.append(frame._replace(level=level, indent=indent))
    return "\n".join(lines)


def _item(item: Element, before: _Frame | None, is_nested: bool) -> tuple[str, str, _Frame]:
    """An item's mark and text, and its number and delimiter; `before` is the previous item of the same list."""
    marker = item.marker.strip()
    if item.label is Label.FORM_FIELD:
        return "-", f"{marker.lower()} {inline(item.spans, InlinePlace.BLOCK)}".rstrip(), _Frame(0, 0)
    text = inline(item.spans, InlinePlace.BLOCK)
    number = _NUMBER.fullmatch(marker)
    if number and text:
        frame = _Frame(0, 0, int(number[1]), number[2])
        follows = before is not None and before.delimiter == frame.delimiter
        shown = frame.number == before.number + 1 if before and follows else _may_begin(frame, before, is_nested)
        if shown:
            return marker, _without_task(text), frame
    if not _BULLET.fullmatch(marker):
        text = inline([Span(text=f"{marker} "), *item.spans], InlinePlace.BLOCK)
    return "-", _without_task(text), _Frame(0, 0)


def _may_begin(frame: _Frame, before: _Frame | None, is_nested: bool) -> bool:
    """Whether a numbered list may start here: directly after its parent's text it can only start with 1."""
    return frame.number == 1 or not is_nested or before is not None


def _without_task(text: str) -> str:
    """Escapes text that GFM would turn into a check box, and dashes that would become a rule."""
    return f"\\{text}" if _TASK.match(text) or _DASHES.fullmatch(text) else text

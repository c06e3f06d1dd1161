"""List items and check boxes that follow one another to one tight list. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pdfbatch.markdown.inline import InlinePlace, inline
from pdfbatch.records import Element, Label, Span

_NUMBER = re.compile(r"(0|[1-9]\d{0,8})([.)])")
_BULLET = re.compile("[-–—·*+•‣⁃∙◦\u25a0-\u25ff\u2756\u27a2\uf0a7\uf0b7\uf0d8]?")
"""Signs that say nothing but that an item begins, also of the fonts Symbol and Wingdings."""
_BOX = re.compile(r"\[[ xX]\]")
_DASHES = re.compile(r"(?:-\s*)+")
_TASK = re.compile(r"\[[ xX]\](?=\s|$)")


class _Frame(NamedTuple):
    """The last item at a depth: what it was told to be, where its text begins, and its number and delimiter."""

    level: int
    indent: int
    number: int = -1
    delimiter: str = ""


def is_listed(element: Element) -> bool:
    """Whether an element is written as an item of a list."""
    return element.label is Label.LIST_ITEM or (
        element.label is Label.FORM_FIELD and _BOX.fullmatch(element.marker.strip()) is not None
    )


def list_markdown(items: Sequence[Element]) -> str:
    """One item a line, deeper ones under the one they belong to; "" if none has text or a marker of its own.

    `1.` and `1)` stay markers where a renderer shows exactly that number, which it counts itself but for a list's
    first; of others that say something, such as `(a)`, the marker is text.
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
    """Its mark, its text, and its number and delimiter; `before` is the item before it in the same list."""
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
    """Directly below the text of the item that holds it, a list of numbers is one only from 1."""
    return frame.number == 1 or not is_nested or before is not None


def _without_task(text: str) -> str:
    """GFM would make a check box of it, and dashes alone would make a rule of the item."""
    return f"\\{text}" if _TASK.match(text) or _DASHES.fullmatch(text) else text

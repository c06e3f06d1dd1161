"""Join code listings that continue on the next page. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pdfbatch.records import Element, Label, Page, Span

_BESIDE = frozenset({Label.PAGE_HEADER, Label.PAGE_FOOTER, Label.WATERMARK, Label.LINE_NUMBERS, Label.FOOTNOTE})
"""Elements that may be between two parts of a listing."""
_FOOT, _HEAD = 0.6, 0.3
"""Of the page's height: the first part ends below, the second begins above."""
_SAME_SIZE = 0.3
_SAME_WIDTH = 0.06
"""Of a letter's width."""
_DEEPEST = 24
_WHOLE = 0.2
"""Letters by which an indent may differ from a whole number of them."""


def with_listings(pages: Sequence[Page]) -> list[Page]:
    """The pages with `continues` decided for code that is the first of its page, behind code that is the last of the
    page before. What is indented against its first part
    has blanks for it, and a box as wide."""
    assembled = list(pages)
    for number, page in enumerate(pages[1:], start=1):
        before = assembled[number - 1]
        last, first = _outer(before, -1), _outer(page, 1)
        if last is None or first is None or not _goes_on(before, before.elements[last], page, page.elements[first]):
            continue
        elements = list(page.elements)
        elements[first] = _continued(before.elements[last], page.elements[first])
        assembled[number] = page.model_copy(update={"elements": elements})
    return assembled


def _outer(page: Page, step: int) -> int | None:
    """Where the code is that a page begins or ends with."""
    places = range(len(page.elements))
    for index in places if step > 0 else reversed(places):
        element = page.elements[index]
        if not (element.dropped or element.label in _BESIDE):
            return index if element.label == Label.CODE and element.text.strip() else None
    return None


def _goes_on(before: Page, last: Element, page: Page, first: Element) -> bool:
    if abs(last.size - first.size) > _SAME_SIZE:
        return False
    wide, narrow = _letter_width(last), _letter_width(first)
    alike = abs(wide - narrow) <= _SAME_WIDTH * max(wide, narrow)
    return alike and last.box[3] >= _FOOT * before.height and first.box[1] <= _HEAD * page.height


def _letter_width(code: Element) -> float:
    return (code.box[2] - code.box[0]) / max(map(len, code.text.splitlines()), default=1)


def _continued(last: Element, first: Element) -> Element:
    left, top, right, bottom = first.box
    letters = (left - last.box[0]) / max(_letter_width(first), 0.1)
    indent = round(letters)
    if not (0 < indent <= _DEEPEST and abs(letters - indent) <= _WHOLE):
        return first.model_copy(update={"continues": True})
    text = "\n".join(" " * indent + row if row else row for row in first.text.split("\n"))
    box = (last.box[0], top, right, bottom)
    return first.model_copy(update={"continues": True, "spans": [Span(text=text)], "box": box})

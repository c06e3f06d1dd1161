"""Join paragraphs and list items that are split by a column or page break. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from pdfbatch.assembly.comparing import begins_lower, ends_sentence
from pdfbatch.records import Box, Element, Label, Page

HALF = "half"
"""The flag of a paragraph that its reader labelled as cut off."""
ONCE = "stands_once"
"""The flag of a supposed header or footer that does not repeat: it is kept, and is never half of a paragraph."""
_FLOWING = frozenset({Label.PARAGRAPH, Label.LIST_ITEM, Label.REFERENCE})
_BETWEEN = frozenset(
    {
        Label.FIGURE,
        Label.TABLE,
        Label.CAPTION,
        Label.FOOTNOTE,
        Label.PAGE_HEADER,
        Label.PAGE_FOOTER,
        Label.WATERMARK,
        Label.LINE_NUMBERS,
    }
)
_LARGEST_PICTURE = 0.6
"""Of the page: text in a smaller figure is its labels."""
_MOST_PICTURES, _MOST_LABELS = 50, 200
_SAME_SIZE = 0.06
"""Of the size: halves of a paragraph are set alike."""
_LEADING = 0.8
"""Font sizes between the lines of a paragraph, at most."""
_LONG_LINE = 40
"""Characters of a paragraph; the lines of an address are shorter."""
_STEPS_END = (",", ";")
"""How a line of a list without markers may end."""
_HYPHENATED = re.compile(r"[^\W\d_][-\u00ad\u2010]$")
_ROMAN = "(?=[ivxl])(?:xl|l?x{0,3})(?:ix|iv|v?i{0,3})"
_MARKED = re.compile(
    rf"\W?(?:\d{{1,4}}[a-z]?|[^\W\d_]|{_ROMAN}|(?=[IVXL])(?:XL|L?X{{0,3}})(?:IX|IV|V?I{{0,3}}))[.)]\s|[•‣⁃◦▪▫●○■□◆◇►▶➢➤–—*+-]\s"
)
_CASELESS_LETTERS = 30
"""A text in a script without capitals goes on if so long a one has no end."""


class _Cut(NamedTuple):
    """The last element of the running text."""

    element: Element
    page: int
    """Index of its page in the document."""
    is_first: bool
    """Whether it is the first of its page."""
    is_parted: bool = False
    """Whether something separates it from what follows."""
    labels: tuple[tuple[int, Element], ...] = ()
    """Texts of figures after it, with their pages."""


def with_paragraphs(pages: Sequence[Page]) -> list[Page]:
    """The pages with `continues` decided for each paragraph, list item and reference.

    What goes on is not parted from what it goes on with by a heading, a formula or a list, but by a column, a page, or
    what floats. A paragraph that goes on with a list item becomes one. No other element of its kind stands between:
    text in a figure, and what stands once at a page's edge, is moved before the first half or behind the second.
    """
    cut: _Cut | None = None
    assembled: list[list[Element]] = []
    for number, page in enumerate(pages):
        cut = None if page.reason is not None and not page.elements else cut
        elements: list[Element] = []
        assembled.append(elements)
        pictures = _pictures(page)
        is_first = True
        for element in page.elements:
            elements.append(element)
            if element.dropped or element.label in _BETWEEN:
                cut = cut and cut._replace(is_parted=True)
            elif element.label not in _FLOWING:
                cut, is_first = None, False
            elif ONCE in element.flags or _lies_in(pictures, element.box):
                cut = _with_label(cut, number, element)
            elif element.text.strip():
                if cut is not None and _goes_on(cut, element, number) and _can_move(cut, number):
                    element = elements[-1] = _joined(cut, element)
                    _move_labels(cut, assembled)
                cut, is_first = _Cut(element, number, is_first), False
    return [page.model_copy(update={"elements": own}) for page, own in zip(pages, assembled, strict=True)]


def _with_label(cut: _Cut | None, page: int, element: Element) -> _Cut | None:
    if cut is None or len(cut.labels) == _MOST_LABELS:
        return None
    return cut._replace(labels=(*cut.labels, (page, element)))


def _can_move(cut: _Cut, page: int) -> bool:
    """Whether no text in figures needs to stand between: what itself goes on with another stays where it is."""
    return all(at == page != cut.page or (at == cut.page and not cut.element.continues) for at, _ in cut.labels)


def _move_labels(cut: _Cut, assembled: Sequence[list[Element]]) -> None:
    for page, label in cut.labels:
        elements = assembled[page]
        del elements[_place(elements, label)]
        elements.insert(_place(elements, cut.element) if page == cut.page else len(elements), label)


def _place(elements: Sequence[Element], wanted: Element) -> int:
    return next(place for place, element in enumerate(elements) if element is wanted)


def _pictures(page: Page) -> list[Box]:
    """Where figures are that text may be part of, and not all of the page."""
    boxes = [element.box for element in page.elements if element.label == Label.FIGURE]
    most = _LARGEST_PICTURE * page.width * page.height
    return [box for box in boxes if (box[2] - box[0]) * (box[3] - box[1]) <= most][:_MOST_PICTURES]


def _lies_in(pictures: Sequence[Box], box: Box) -> bool:
    return any(
        box[0] >= one[0] - 2 and box[1] >= one[1] - 2 and box[2] <= one[2] + 2 and box[3] <= one[3] + 2
        for one in pictures
    )


def _joined(cut: _Cut, element: Element) -> Element:
    if cut.element.label == element.label:
        return element.model_copy(update={"continues": True})
    return element.model_copy(
        update={"continues": True, "label": Label.LIST_ITEM, "level": cut.element.level, "marker": ""}
    )


def _goes_on(cut: _Cut, element: Element, page: int) -> bool:
    before = cut.element
    if not _same_kind(before, element) or not _set_alike(before, element) or element.marker:
        return False
    if _is_math(before) or _is_math(element):
        return False
    if HALF in before.flags or HALF in element.flags:
        return _halves_join(cut, element, page)
    if {before.source, element.source} == {"dolphin"}:
        return False
    if element.source == "endpoint" and page == cut.page:
        return False  # it has no boxes, and knows where its paragraphs end
    apart = cut.is_parted or page != cut.page or element.box[1] < before.box[3] - 2
    return (apart or _is_next_line(before, element)) and _reads_on(before.text.strip(), element.text.strip())


def _is_next_line(before: Element, element: Element) -> bool:
    """Whether a reader split a paragraph between two of its lines."""
    pitch = element.box[1] - before.box[3]
    below = before.size > 0 and pitch < _LEADING * before.size and abs(element.box[0] - before.box[0]) <= before.size
    is_long = len(before.text) >= _LONG_LINE
    return below and is_long and element.box[2] <= before.box[2] + 2 and before.text.rstrip()[-1:] not in _STEPS_END


def _same_kind(before: Element, element: Element) -> bool:
    listed = before.label == Label.LIST_ITEM and element.label == Label.PARAGRAPH
    return before.label == element.label or listed


def _set_alike(before: Element, element: Element) -> bool:
    known = before.size > 0 and element.size > 0
    return not known or abs(before.size - element.size) <= _SAME_SIZE * before.size


def _is_math(element: Element) -> bool:
    return all(span.math for span in element.spans if span.text.strip())


def _halves_join(cut: _Cut, element: Element, page: int) -> bool:
    """By the flags of a reader that sees halves. What itself ended another's paragraph, and a sentence, is whole."""
    before = cut.element.text
    ends, lower = ends_sentence(before), begins_lower(element.text)
    closes = cut.element.continues or (cut.is_first and begins_lower(before))
    if closes and ends:
        return False
    if HALF in cut.element.flags:
        return HALF in element.flags or (not ends and (lower or page == cut.page))
    return not ends and lower


def _reads_on(before: str, after: str) -> bool:
    """Whether a sentence continues from one text to the other."""
    if ends_sentence(before) or _MARKED.match(after):
        return False
    if _HYPHENATED.search(before):
        return after[:1].isalpha()
    return begins_lower(after) or _reads_on_without_case(before, after)


def _reads_on_without_case(before: str, after: str) -> bool:
    return len(before) >= _CASELESS_LETTERS and _is_caseless(before[-1:]) and _is_caseless(after[:1])


def _is_caseless(letter: str) -> bool:
    """Whether a character is a letter, or a comma, of a script without capitals."""
    return letter in ("、", "，", "،") or (letter.isalpha() and letter.lower() == letter.upper())

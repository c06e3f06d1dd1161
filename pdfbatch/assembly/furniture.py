"""Drop furniture: running titles, page numbers, watermarks and the like. Pure.

In a document of three pages or more, furniture is what repeats (see repeats.py), and a title beside the page number.
Anything else is text, whatever a layout model labelled it. In a shorter document nothing can be learned from
repetition, so the labels, positions and wording decide.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pdfbatch.assembly.comparing import (
    compared,
    ends_sentence,
    has_letters,
    outer_numbers,
    page_number_of,
    without_numbers,
)
from pdfbatch.assembly.headings import is_heading
from pdfbatch.assembly.paragraphs import ONCE
from pdfbatch.assembly.repeats import NEAR, RUNNING, ZONE, Edge, is_hidden, outside_body, place_of, repeated, size_of
from pdfbatch.assembly.sizes import HEADING_SIZE, body_size
from pdfbatch.records import Element, Label, Page, ReadOptions

REASONS = frozenset({"repeated", "page_number", "header", "watermark", "line_numbers", "hidden", "meta"})
"""The values of `dropped` that are set here."""
SHORT_DOCUMENT = 2
"""Up to this many pages with elements, repetition says nothing."""
MOST_DROPPED = 0.35
"""Share of a page's words: a page that seems to be furniture beyond this is a title page, and kept."""
MANY_PAGES = 4
"""Text on at least this many pages, and a quarter of all, is furniture even on a page with little else."""
_EDGE, _FAR_EDGE = 0.08, 0.15
"""Share of the page's height within which a short document's header lies; and one in small type (or of unknown size),
or with a number at its start or end."""
_SMALL = 0.95
"""Times the body size: type up to this size is small."""
_NUMBER_EDGE = 0.1
"""Share of the page's height within which a lone page number lies."""
_TALLEST = 1.6
"""Ratio of height to width of an ordinary page, at most."""
_NUMBER_GAP = 8.0
"""Points between a lone page number and the text, at least."""
_HEADER_LETTERS, _HEADER_WORDS = 60, 8
"""Characters and words of a header, at most."""
_ABBREVIATED = re.compile(r"\b(?:al|Inc|Ltd|Co|Corp|etc|No|Vol|ed|eds|Dr|Nr|Hrsg|Abs)\.$")
_IDENTIFIER = re.compile(r"\d{5,}|\d{4}[-/]\d{2,}|\b\d+[-/]\d{3,}")
"""A number longer than a page number or a year, such as an invoice number: if it occurs once, it is text."""
_YEARS = range(1900, 2101)
_FEWEST_COUNTED = 2
"""Pages that must agree on the offset between printed number and position in the file."""
_LARGEST_NUMBER = 999
"""A higher number that stands alone in a short document is an amount, not a page number."""


def with_furniture(pages: Sequence[Page], options: ReadOptions) -> list[Page]:
    """Decides `dropped` for each element, and the labels of headers and footers.

    What repeats becomes a page header or footer, and is kept if the options say so. What a reader labelled as one but
    does not repeat becomes a paragraph, or a heading if it is set large.
    """
    size = body_size(pages)
    furniture = _furniture(pages, HEADING_SIZE * size)
    return [
        page.model_copy(
            update={
                "elements": [
                    _decided(element, furniture[number].get(index, ("", None)), size, options)
                    for index, element in enumerate(page.elements)
                ]
            }
        )
        for number, page in enumerate(pages)
    ]


_Found = tuple[str, Edge | None]
"""Why an element is furniture, and at which edge; "" and None if it is not."""


def _furniture(pages: Sequence[Page], largest: float) -> list[dict[int, _Found]]:
    """For each page its headers, footers and page numbers, by index. Type of `largest` points is a heading's."""
    if sum(bool(page.elements) for page in pages) <= SHORT_DOCUMENT:
        return [_of_short_document(page, largest) for page in pages]
    found = repeated(pages, largest)
    counts = Counter(
        key
        for page, indexes in zip(pages, found, strict=True)
        for key in {without_numbers(page.elements[index].text) for index in indexes}
    )
    many = max(MANY_PAGES, len(pages) / 4)
    everywhere = {key for key, count in counts.items() if count >= many}
    reasons = [_with_reasons(page, indexes, everywhere) for page, indexes in zip(pages, found, strict=True)]
    found_here = _without_first_headings(pages, reasons)
    return [one | more for one, more in zip(found_here, _numbered(pages, found_here, largest), strict=True)]


def _numbered(pages: Sequence[Page], found: Sequence[dict[int, _Found]], largest: float) -> list[dict[int, _Found]]:
    """Titles that are on one page only, such as a chapter's name, if they include the page number and a reader labelled
    them as header or footer. The expected page number is the page's position plus an offset that the numbers found so
    far agree on, else its position."""
    offsets = Counter(
        printed - page.number
        for page, indexes in zip(pages, found, strict=True)
        for index in indexes
        for printed in outer_numbers(page.elements[index].text)
    )
    agreed = {offset for offset, count in offsets.items() if count >= _FEWEST_COUNTED} or {0}
    more: list[dict[int, _Found]] = []
    for page, indexes in zip(pages, found, strict=True):
        here: dict[int, _Found] = {}
        for edge in ("top", "bottom"):
            fitting = [
                index
                for index, element in enumerate(page.elements)
                if index not in indexes
                and any(printed - page.number in agreed for printed in outer_numbers(element.text))
                and _is_titled(element, page, edge, largest)
            ]
            known = [index for index, (_, at) in indexes.items() if at == edge]
            here |= {
                index: ("header", edge) for index in outside_body(page, edge, [*known, *fitting]) if index in fitting
            }
        more.append({} if _is_mostly(page, list(here)) else here)
    return more


def _is_titled(element: Element, page: Page, edge: Edge, largest: float) -> bool:
    """Whether an element reads like a running title. A number before bold words is a heading's."""
    text = element.text.strip()
    is_bold = all(span.bold for span in element.spans if span.text.strip())
    return _is_named(element, page, edge, largest) and not (is_bold and text[:1].isdigit())


def _without_first_headings(pages: Sequence[Page], found: list[dict[int, _Found]]) -> list[dict[int, _Found]]:
    """Removes the first occurrence of a text that a reader labelled as heading: it is the heading that later pages
    repeat as a running title."""
    seen: set[str] = set()
    kept: list[dict[int, _Found]] = []
    for page, indexes in zip(pages, found, strict=True):
        texts = {index: without_numbers(page.elements[index].text) for index in indexes}
        first = {index for index, text in texts.items() if text not in seen and _is_first_heading(page.elements[index])}
        seen |= set(texts.values())
        kept.append({index: reason for index, reason in indexes.items() if index not in first})
    return kept


def _is_first_heading(element: Element) -> bool:
    is_labelled = element.label in (Label.TITLE, Label.HEADING)
    return is_labelled and page_number_of(element.text) is None and is_heading(element)


def _with_reasons(page: Page, found: dict[int, Edge], everywhere: set[str]) -> dict[int, _Found]:
    if _is_mostly(page, found):
        found = {
            index: edge for index, edge in found.items() if without_numbers(page.elements[index].text) in everywhere
        }
    return {
        index: ("page_number" if page_number_of(page.elements[index].text) is not None else "repeated", edge)
        for index, edge in found.items()
    }


def _is_mostly(page: Page, indexes: dict[int, Edge] | list[int]) -> bool:
    """Whether these elements have more than `MOST_DROPPED` of the page's words."""
    words = [len(element.text.split()) for element in page.elements]
    return sum(words[index] for index in indexes) > MOST_DROPPED * sum(words)


def _of_short_document(page: Page, largest: float) -> dict[int, _Found]:
    """A page's headers, footers and page numbers in a document too short for repetition, by index."""
    found: dict[int, _Found] = {}
    for edge in ("top", "bottom"):
        numbers = [index for index, element in enumerate(page.elements) if _is_lone_number(element, page, edge)]
        named = [index for index, element in enumerate(page.elements) if _is_named(element, page, edge, largest)]
        outside = outside_body(page, edge, sorted({*numbers, *named}))
        named = [index for index in outside if index in named and index not in numbers]
        if _is_mostly(page, named):
            outside = outside_body(page, edge, numbers)
        else:
            found |= dict.fromkeys(named, ("header", edge))
        found |= {
            index: ("page_number", edge)
            for index in outside
            if index in numbers and (page.elements[index].label in RUNNING or _stands_apart(page, edge, index, outside))
        }
        spelled = [index for index, element in enumerate(page.elements) if _says_page(element, page, edge)]
        found |= dict.fromkeys(spelled, ("page_number", edge))
    return found


def _is_named(element: Element, page: Page, edge: Edge, largest: float) -> bool:
    """Whether the layout model labelled an element as header or footer, and it reads like one."""
    text = element.text.strip()
    is_small = element.size <= _SMALL * largest / HEADING_SIZE
    is_set_apart = is_small or text[:1].isdigit() or text[-1:].isdigit()
    if element.label not in RUNNING or 0 < largest <= element.size:
        return False
    if _distance(element, page, edge) > (_FAR_EDGE if is_set_apart else _EDGE):
        return False
    if not is_set_apart and _begins_where_text_does(element, page):
        return False
    if not is_small and _IDENTIFIER.search(text):
        return False
    short = len(text) <= _HEADER_LETTERS and len(text.split()) <= _HEADER_WORDS
    starts = text[:1].islower() or text[:1] in "([（［"
    is_sentence = ends_sentence(text) and not _ABBREVIATED.search(text)
    return short and not starts and not is_sentence and has_letters(text)


def _begins_where_text_does(element: Element, page: Page) -> bool:
    """Whether an element is flush left with the text: an ordinary line that a layout model may take for a header."""
    return any(
        abs(other.box[0] - element.box[0]) <= NEAR
        for other in page.elements
        if min(_distance(other, page, "top"), _distance(other, page, "bottom")) > _EDGE and other.label != Label.FIGURE
    )


def _is_lone_number(element: Element, page: Page, edge: Edge) -> bool:
    number = page_number_of(element.text)
    if number is None or element.label in (Label.TABLE, Label.FORM_FIELD, Label.CAPTION):
        return False
    bare = compared(element.text).strip("-–—|·• ").isdigit()
    plausible = not bare or (number <= _LARGEST_NUMBER and number not in _YEARS)
    return plausible and _distance(element, page, edge) <= (ZONE if element.label in RUNNING else _NUMBER_EDGE)


def _says_page(element: Element, page: Page, edge: Edge) -> bool:
    """Whether an element is a page number with a word, such as `Page 2`; it may be beside or below a letterhead."""
    words = re.findall(r"[^\W\d_]{4,}", compared(element.text))
    counts_pages = element.label in (Label.PARAGRAPH, *RUNNING) and page_number_of(element.text) is not None
    spelled = counts_pages and any(char.isdigit() for char in element.text) and bool(words)
    return spelled and _distance(element, page, edge) <= _FAR_EDGE


def _distance(element: Element, page: Page, edge: Edge) -> float:
    """The distance from the edge to the element's middle, as a share of the page's height; a very tall page counts as
    `_TALLEST` times its width."""
    width, height = size_of(page)
    return place_of(element, page, edge).middle / max(min(height, _TALLEST * width), 1.0)


def _stands_apart(page: Page, edge: Edge, index: int, outside: list[int]) -> bool:
    """Whether an element is at least `_NUMBER_GAP` from everything that is not in `outside`."""
    far = place_of(page.elements[index], page, edge).far
    others = [place_of(element, page, edge).near for at, element in enumerate(page.elements) if at not in outside]
    return min(others, default=float("inf")) >= far + _NUMBER_GAP


def _decided(element: Element, found: _Found, size: float, options: ReadOptions) -> Element:
    reason, edge = found
    label, level = element.label, element.level
    if edge is not None and label != Label.FIGURE:
        label, level = (Label.PAGE_FOOTER if edge == "bottom" else Label.PAGE_HEADER), 0
    elif edge is None and label in RUNNING:
        large = label == Label.PAGE_HEADER and 0 < HEADING_SIZE * size <= element.size and has_letters(element.text)
        label = Label.HEADING if large else Label.PARAGRAPH
    dropped = _dropped(element, reason, options)
    flags = [*element.flags, ONCE] if label != element.label and edge is None else element.flags
    if (dropped, label, level) == (element.dropped, element.label, element.level):
        return element
    return element.model_copy(update={"dropped": dropped, "label": label, "level": level, "flags": flags})


def _dropped(element: Element, reason: str, options: ReadOptions) -> str:
    if is_hidden(element) and not options.keep_hidden:
        return "hidden"
    if not options.keep_headers:
        if reason:
            return reason
        if element.label in (Label.WATERMARK, Label.LINE_NUMBERS):
            return str(element.label)
        # On any other label the tag says what the text is about, not that it is furniture.
        if element.label in RUNNING and any(tag == "meta" or tag.startswith("meta_") for tag in element.tags):
            return "meta"
    return "" if element.dropped in REASONS else element.dropped

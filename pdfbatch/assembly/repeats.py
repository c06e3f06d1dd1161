"""Find elements that repeat at the same position outside the body of the pages. Pure.

A position is a distance from one edge of the page. The steps, each a function below:

1. `_candidates`: elements near an edge, with a key that ignores numbers. Elements with equal keys form a group; a short
   line that begins or ends with a number is also in the group "#", because a running title may change while the page
   number beside it counts on.
2. `_linked`: the elements of a group that a nearby page shows again at the same position. Numbers may differ if they
   count the pages, or if a reader labelled both texts as headers.
3. `_at_positions_of_their_own`: those whose position mostly holds repeating text. The first line of the body is at the
   same position on every page too, but says something different on each.
4. `outside_body`: those with nothing of the body between them and the edge.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from pdfbatch.assembly.comparing import compared, ends_sentence, numbers_of, page_number_of, without_numbers
from pdfbatch.records import Box, Element, Label, Page

Edge = Literal["top", "bottom", "left", "right"]

RUNNING = frozenset({Label.PAGE_HEADER, Label.PAGE_FOOTER})
ASIDES = frozenset({Label.WATERMARK, Label.LINE_NUMBERS})
"""Elements over or beside the text; they count neither as body nor as furniture."""
ZONE = 0.17
"""Share of the page's height or width: furniture lies entirely within this distance of an edge."""
_NAMED_ZONE = 0.22
"""The same for an element that a reader labelled as header or footer."""
NEAR = 4.0
"""Points by which one position may differ from page to page."""
PAGES_BETWEEN = 4
"""Pages to the next repetition, at most: it may be on the next page, the one after, or behind full-page figures."""
_WINDOW = 6
"""Pages before and after over which a position is judged: one file may hold several documents."""
_ALONGSIDE = 6.0
"""Points from its near side within which body text counts as beside an element."""
_LONGEST, _LONGEST_COMMON = 150, 1200
"""Characters at most: of furniture; of a notice that most pages near it show."""
_SMALL_FIGURE = 0.12
"""Share of the page's height: the height of a logo at most."""
_TALL = 4.0
"""Ratio of height to width above which a line counts as turned by 90 degrees."""
_TITLE_LETTERS = 60
"""Characters at most of a running title with the page number."""
_FIRST, _LAST = re.compile(r"^(?:\d{1,4}|[ivxlc]{1,7})(?=\s|$)"), re.compile(r"(?<=\s)(?:\d{1,4}|[ivxlc]{1,7})$")
_OUTER = re.compile(r"^(?:# )+(?=.*\w)|(?<=\w)(?: #)+$")
_SAME_SIZE = 0.3
"""Points by which two font sizes may differ and still count as equal."""
_HEADINGS = frozenset({Label.TITLE, Label.HEADING})
_SHORT = 3
"""Characters at most of a turned line that may be a row's number."""
_TEXTLESS = frozenset({Label.TABLE, Label.FORM_FIELD, Label.CAPTION, Label.CODE, Label.FORMULA}) | ASIDES
_CONTINUED = ("continued)", "cont.)", "cont'd)", "fortsetzung)", "forts.)", "suite)", "continuación)", "segue)")


class PagePlace(NamedTuple):
    """An element's position seen from one edge, in points: `near` and `far` are the distances of its sides from the
    edge, `start` and `end` its extent along the edge, whose length is `along`."""

    edge: Edge
    near: float
    far: float
    start: float
    end: float
    along: float

    @property
    def middle(self) -> float:
        return (self.near + self.far) / 2

    @property
    def bin(self) -> int:
        return int(max(0.0, self.middle) // NEAR)


class _Sighting(NamedTuple):
    """One candidate element on one page."""

    page: int
    """Index of the page in the document."""
    order: int
    """Index of the element on the page."""
    place: PagePlace
    text: str
    """Normalized by `compared`."""
    key: str
    """The group's key: the text without its numbers."""
    numbers: list[int]
    counts: list[int]
    """The numbers that the text begins and ends with, if either may be the page number."""
    size: float
    label: Label
    is_large: bool
    """Whether it is set like a heading: then more pages must show it."""


def _sighting(page: int, order: int, place: PagePlace, element: Element, key: str, is_large: bool) -> _Sighting:
    text = compared(element.text)
    numbers = numbers_of(text) if len(text) <= _LONGEST else []
    counts: list[int] = []
    if len(text) <= _TITLE_LETTERS and element.label not in _HEADINGS and not ends_sentence(text):
        counts = [
            value for pattern in (_FIRST, _LAST) if (found := pattern.search(text)) for value in numbers_of(found[0])
        ]
    return _Sighting(page, order, place, text, key, numbers, counts, element.size, element.label, is_large)


def place_of(element: Element, page: Page, edge: Edge) -> PagePlace:
    left, top, right, bottom = element.box
    width, height = size_of(page)
    if edge == "top":
        return PagePlace(edge, top, bottom, left, right, width)
    if edge == "bottom":
        return PagePlace(edge, height - bottom, height - top, left, right, width)
    if edge == "left":
        return PagePlace(edge, left, right, top, bottom, height)
    return PagePlace(edge, width - right, width - left, top, bottom, height)


def size_of(page: Page) -> tuple[float, float]:
    """Width and height in points; if the page has none, how far its elements reach."""
    width = page.width or max((element.box[2] for element in page.elements), default=0.0)
    return width, page.height or max((element.box[3] for element in page.elements), default=0.0)


def outside_body(page: Page, edge: Edge, candidates: Sequence[int]) -> list[int]:
    """The candidates that have no body text between them and the edge. Text beside a candidate does not count as
    between, unless its block reaches further towards the edge."""
    chosen = set(candidates)
    bound = min(
        (
            min(place.middle, place.near + _ALONGSIDE)
            for index, element in enumerate(page.elements)
            if index not in chosen and element.label not in ASIDES and not is_hidden(element)
            for place in (place_of(element, page, edge),)
        ),
        default=float("inf"),
    )
    return [index for index in candidates if place_of(page.elements[index], page, edge).middle <= bound + NEAR]


def is_hidden(element: Element) -> bool:
    return any(flag.startswith("hidden_") for flag in element.flags)


def repeated(pages: Sequence[Page], largest: float) -> list[dict[int, Edge]]:
    """For each page the elements that repeat outside its body: index → the edge they are at.

    Text of `largest` points or more is set like a heading: it only counts as repeated if half of the nearby pages show
    it.
    """
    found: list[dict[int, Edge]] = [{} for _ in pages]
    groups: dict[tuple[Edge, str], list[_Sighting]] = defaultdict(list)
    for number, page in enumerate(pages):
        for edge, index, text in _candidates(page):
            element = page.elements[index]
            is_large = 0 < largest <= element.size and bool(text.strip("# "))
            sighting = _sighting(number, index, place_of(element, page, edge), element, text, is_large)
            groups[edge, text].append(sighting)
            if sighting.counts and text != "#":
                groups[edge, "#"].append(sighting)
    linked_at: dict[Edge, dict[tuple[int, int], _Sighting]] = defaultdict(dict)
    for (edge, _), sightings in groups.items():
        linked_at[edge] |= {(one.page, one.order): one for one in _linked(sightings)}
    for edge, linked in linked_at.items():
        sightings = sorted(linked.values())
        chosen: dict[int, list[int]] = defaultdict(list)
        for sighting in _at_positions_of_their_own(pages, edge, sightings):
            chosen[sighting.page].append(sighting.order)
        for number, indexes in chosen.items():
            found[number] |= dict.fromkeys(outside_body(pages[number], edge, indexes), edge)
    return found


def _candidates(page: Page) -> Iterator[tuple[Edge, int, str]]:
    width, height = size_of(page)
    for index, element in enumerate(page.elements):
        edge = _edge_of(element.box, width, height, _NAMED_ZONE if element.label in RUNNING else ZONE)
        text = _key(element, height) if edge is not None and not is_hidden(element) else ""
        is_turned_number = edge in ("left", "right") and len(text) <= _SHORT
        if edge is not None and text and not is_turned_number:
            yield edge, index, text


def _edge_of(box: Box, width: float, height: float, zone: float) -> Edge | None:
    """The edge whose zone a box lies in, if any; left and right only for turned lines."""
    left, top, right, bottom = box
    if bottom - top > _TALL * (right - left):
        return "left" if right <= zone * width else "right" if left >= (1 - zone) * width else None
    return "top" if bottom <= zone * height else "bottom" if top >= (1 - zone) * height else None


def _key(element: Element, height: float) -> str:
    """A key that is equal for repetitions of the same furniture; "" if the element cannot be furniture."""
    left, top, right, bottom = element.box
    if element.label == Label.FIGURE:
        small = bottom - top <= _SMALL_FIGURE * height
        return f"\0figure {round((right - left) / NEAR)} {round((bottom - top) / NEAR)}" if small else ""
    if element.label in _TEXTLESS or len(element.text) > _LONGEST_COMMON:
        return ""
    if len(element.text) > _LONGEST:
        return compared(element.text)
    text = _OUTER.sub("", without_numbers(element.text))
    return "" if text.endswith((":", "：", *_CONTINUED)) else text


def _linked(sightings: list[_Sighting]) -> list[_Sighting]:
    """The sightings of one group that a nearby page repeats."""
    kept: set[int] = set()
    for later, sighting in enumerate(sightings):
        for earlier in range(later - 1, max(-1, later - 25), -1):
            gap = sighting.page - sightings[earlier].page
            if gap > PAGES_BETWEEN:
                break
            if gap and not {earlier, later} <= kept and _agree(sightings[earlier], sighting, gap):
                kept |= {earlier, later}
    return [sightings[index] for index in sorted(kept)]


def _agree(one: _Sighting, other: _Sighting, gap: int) -> bool:
    a, b = one.place, other.place
    if abs(a.middle - b.middle) > NEAR or not _same_along(a, b):
        return False
    if one.is_large or other.is_large:
        return one.text == other.text
    if one.text == other.text or {one.label, other.label} <= RUNNING:
        return True
    is_said = {one.label, other.label} & _HEADINGS or ends_sentence(one.text)
    if is_said and page_number_of(one.text.rstrip(".")) is None:
        return False
    if one.key == other.key:
        uneven = len(one.numbers) != len(other.numbers)
        return uneven or any(after - before == gap for before, after in zip(one.numbers, other.numbers, strict=False))
    alike = abs(one.size - other.size) <= _SAME_SIZE
    return alike and any(after - before == gap for before in one.counts for after in other.counts)


def _same_along(a: PagePlace, b: PagePlace) -> bool:
    """Whether both start, end or are centred at the same point along the edge, or mirrored, as on facing pages."""
    near = 2 * NEAR
    return (
        abs(a.start - b.start) <= near
        or abs(a.end - b.end) <= near
        or abs((a.start + a.end) - (b.start + b.end)) <= 2 * near
        or abs(a.start - (b.along - b.end)) <= near
        or abs(b.start - (a.along - a.end)) <= near
    )


def _at_positions_of_their_own(pages: Sequence[Page], edge: Edge, sightings: list[_Sighting]) -> Iterator[_Sighting]:
    """The sightings whose position rarely holds other text on nearby pages, or that a reader labelled as header."""
    least = 3 if len(pages) > 4 else 2
    chosen = {(sighting.page, sighting.order) for sighting in sightings}
    here: dict[int, set[int]] = defaultdict(set)
    for sighting in sightings:
        for bin_ in range(sighting.place.bin - 1, sighting.place.bin + 2):
            here[bin_].add(sighting.page)
    pages_with = {bin_: sorted(numbers) for bin_, numbers in here.items()}
    others = _occupied(pages, edge, chosen, set(here))
    for sighting in sightings:
        support = _count_near(pages_with[sighting.place.bin], sighting.page)
        crowd = _count_near(others.get(sighting.place.bin, []), sighting.page)
        is_ordinary = len(sighting.text) <= _LONGEST and not sighting.is_large
        is_common = is_ordinary or 2 * support >= min(len(pages), 2 * _WINDOW + 1)
        is_alone = 3 * crowd <= support or sighting.label in RUNNING
        if support >= least and is_alone and is_common:
            yield sighting


def _occupied(pages: Sequence[Page], edge: Edge, chosen: set[tuple[int, int]], bins: set[int]) -> dict[int, list[int]]:
    """For each position bin the pages on which other elements are there. The first page of many is left out: it is
    laid out differently."""
    others: dict[int, list[int]] = defaultdict(list)
    furthest = max(bins, default=-1)
    for number, page in enumerate(pages):
        if number == 0 and len(pages) > 4:
            continue
        there: set[int] = set()
        for index, element in enumerate(page.elements):
            if (number, index) in chosen or element.label in ASIDES or is_hidden(element):
                continue
            place = place_of(element, page, edge)
            first, last = _bins(place, furthest)
            there |= bins.intersection(range(first, last + 1))
        for bin_ in there:
            others[bin_].append(number)
    return others


def _bins(place: PagePlace, furthest: int) -> tuple[int, int]:
    """The first and last bin that an element covers, limited to the page and to bin `furthest`."""
    limit = float((furthest + 1) * NEAR)
    return int(min(limit, max(0.0, place.near)) // NEAR), min(furthest, int(min(limit, max(0.0, place.far)) // NEAR))


def _count_near(numbers: list[int], page: int) -> int:
    """How many of the sorted page numbers are within `_WINDOW` pages of `page`."""
    return bisect_right(numbers, page + _WINDOW) - bisect_left(numbers, page - _WINDOW)

"""Decide headings and their levels from the outline, numbering and font sizes of the whole document. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pdfbatch.assembly.comparing import compared, ends_sentence
from pdfbatch.assembly.numbering import levels_of
from pdfbatch.records import Element, Heading, Label, Page

DEEPEST = 6
NEAR_PAGES = 1
"""An outline entry points to its heading's page, or to one at most this far away."""
_WORD = re.compile(r"[^\W\d_]{2,}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SECTION_SIGN = re.compile(r"§+\s*\d")
_SALUTATION = re.compile(
    r"(?:dear|hello|hi|sehr geehrte[rs]?|liebe[rs]?|guten tag|ch[eè]re?s?|mesdames|messieurs|madame|monsieur"
    r"|estimad[oa]s?|querid[oa]s?|prezad[oa]s?|car[oaie]|gentil[ei]|egregi[oa]|geachte|beste|kære|kjære|bästa|hej"
    r"|szanown[aiey]|уважаем\w{2,3})\b[^.]{1,60}[:!：！]$",
    re.IGNORECASE,
)
"""The salutation of a letter."""
_SAME_SIZE = 0.3
"""Points."""
_EVEN, _ROUGH = 0.03, 0.2
"""Of a size: what a typesetter means and what a recogniser measures."""
_COMMON, _FEW = 2, 6
"""Of more headings than `_FEW` a size is in common use that `_COMMON` of them have."""
_DEEPEST_BY_SIZE = 5
_TITLE_SIZE = 0.95
"""Times the title's size: smaller titles are headings."""
_TITLE_OVER_HEADINGS = 1.2
"""Times the largest heading: an unnamed title is larger still."""
_BEFORE_TITLE = 3
"""Elements, such as a letterhead, that may come before it."""
_LONGEST = 120
"""Characters of a paragraph that the outline may make a heading."""
_NUMBER = re.compile(r"^(?:[\dA-Z]{1,3}(?:\.\d+)*[.)]?\s+)")


class _Place(NamedTuple):
    page: int
    order: int


def with_headings(pages: Sequence[Page], outline: Sequence[Heading] = ()) -> list[Page]:
    """Sets `level` 1 to 6 for each title and heading, and makes wrongly labelled ones paragraphs."""
    changed: dict[_Place, Element] = {}
    named = _Outline(outline)
    headings: dict[_Place, Element] = {}
    for number, page in enumerate(pages):
        for index, element in enumerate(page.elements):
            place = _Place(number, index)
            if element.label in (Label.TITLE, Label.HEADING):
                if element.dropped:
                    continue
                if is_heading(element):
                    headings[place] = element
                else:
                    changed[place] = element.model_copy(update={"label": Label.PARAGRAPH, "level": 0})
            elif outline and _may_be_heading(element) and named.level_on(element.text, page.number):
                headings[place] = element.model_copy(update={"label": Label.HEADING})
    headings = _with_one_title(headings)
    for (place, element), level in zip(headings.items(), _levels(pages, headings, named), strict=True):
        changed[place] = element.model_copy(update={"level": level})
    return _replaced(pages, changed)


def is_heading(element: Element) -> bool:
    """Whether an element is really a heading: layout models mislabel formulas, first lines, salutations."""
    text = element.text.strip()
    if not (_WORD.search(text) or _SECTION_SIGN.match(text)):
        return False
    if all(span.math or not span.text.strip() for span in element.spans):
        return False
    if text.endswith((",", "，", "、")) or _SALUTATION.match(text):
        return False
    return not (text[0].islower() and text.endswith("."))


def _may_be_heading(element: Element) -> bool:
    text = element.text
    plain = element.label == Label.PARAGRAPH and not element.dropped and len(text) <= _LONGEST
    return plain and bool(_WORD.search(text)) and not ends_sentence(text)


class _Outline:
    """The levels of an outline's entries, by title and page."""

    def __init__(self, entries: Iterable[Heading]) -> None:
        self._levels: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.outermost: list[str] = []
        for entry in entries:
            if title := compared(entry.title):
                level = max(entry.level, 1)
                for key in {title, _bare(title, entry.title)}:
                    self._levels[key].append((entry.page, level))
                if level == 1:
                    self.outermost.append(title)

    def level_on(self, text: str, page: int, near: int = 0) -> int:
        """The level of a title on a page; 0 if the outline has no such entry."""
        found = self._levels.get(compared(text)) or self._levels.get(_bare(compared(text), text)) or []
        distances = [(abs(at - page), level) for at, level in found if abs(at - page) <= near]
        return min(distances)[1] if distances else 0


def _bare(text: str, as_printed: str) -> str:
    """The title without its number, which outlines often leave out."""
    return compared(_NUMBER.sub("", as_printed.strip())) or text


def _with_one_title(headings: dict[_Place, Element]) -> dict[_Place, Element]:
    """Keeps the largest title on the first page that has one; titles that do not look like it, or have a number, become
    headings."""
    titles = {place: element for place, element in headings.items() if element.label == Label.TITLE}
    if not titles:
        return _with_first_as_title(headings)
    first = min(place.page for place in titles)
    title = max((one for place, one in titles.items() if place.page == first), key=_prominence)
    fallen = {
        place: element.model_copy(update={"label": Label.HEADING, "level": 0 if element.level <= 1 else element.level})
        for place, element in titles.items()
        if element is not title and (not _stands_out(element, title) or levels_of([element.text.strip()])[0])
    }
    return headings | fallen


def _with_first_as_title(headings: dict[_Place, Element]) -> dict[_Place, Element]:
    """If the reader labelled no title, a first heading that is larger than all others becomes the title."""
    place, first = min(headings.items(), key=lambda item: item[0], default=(None, None))
    if place is None or first is None or place.page > 0 or place.order > _BEFORE_TITLE:
        return headings
    others = max((element.size for at, element in headings.items() if at != place), default=0.0)
    if not others or first.size < _TITLE_OVER_HEADINGS * others or levels_of([first.text.strip()])[0]:
        return headings
    return headings | {place: first.model_copy(update={"label": Label.TITLE})}


def _prominence(element: Element) -> tuple[float, bool]:
    return element.size, _is_bold(element)


def _stands_out(element: Element, title: Element) -> bool:
    return element.size >= _TITLE_SIZE * title.size and _is_bold(element) == _is_bold(title)


def _is_bold(element: Element) -> bool:
    return all(span.bold for span in element.spans if span.text.strip())


def _levels(pages: Sequence[Page], headings: dict[_Place, Element], outline: _Outline) -> list[int]:
    """The level of each heading: 1 for titles, else from the outline, the reader, its number or its size."""
    elements = list(headings.values())
    by_number = levels_of([element.text.strip() for element in elements])
    shift = 0 if _names_the_title(outline, elements) else 1
    levels: list[int] = []
    for (place, element), numbered in zip(headings.items(), by_number, strict=True):
        if element.label == Label.TITLE:
            levels.append(1)
            continue
        entry = outline.level_on(element.text, pages[place.page].number, NEAR_PAGES)
        level = entry + shift if entry else element.level or numbered
        levels.append(min(level, DEEPEST))
    return _with_sizes(elements, levels)


def _names_the_title(outline: _Outline, elements: Sequence[Element]) -> bool:
    """Whether the outline is a single tree whose root is the title."""
    titles = {compared(element.text) for element in elements if element.label == Label.TITLE}
    return len(outline.outermost) == 1 and outline.outermost[0] in titles


def _with_sizes(elements: Sequence[Element], levels: Sequence[int]) -> list[int]:
    """Fills in missing levels: that of the heading's size, or one below the next larger size in common use."""
    share = _ROUGH if any(element.source == "ocr" for element in elements) else _EVEN
    sized = [
        (element.size, level)
        for element, level in zip(elements, levels, strict=True)
        if element.label != Label.TITLE and element.size > 0
    ]
    known = _levels_of_sizes(sized, share)
    return [level or known.get(element.size, 2) for element, level in zip(elements, levels, strict=True)]


def _levels_of_sizes(sized: Sequence[tuple[float, int]], share: float) -> dict[float, int]:
    """The level of each heading size. Sizes that differ by at most `share` count as one; a rarely used size, as on a
    cover, gets the level of the next size."""
    groups: list[list[tuple[float, int]]] = []
    for size, level in sorted(sized, reverse=True):
        if groups and groups[-1][0][0] - size <= max(_SAME_SIZE, share * groups[-1][0][0]):
            groups[-1].append((size, level))
        else:
            groups.append([(size, level)])
    least = _COMMON if len(sized) > _FEW else 1
    common = [group for group in groups if len(group) >= least or any(level for _, level in group)] or groups
    by_group: dict[float, int] = {}
    for group in common:
        votes = Counter(level for _, level in group if level)
        below = min(max(by_group.values(), default=1) + 1, _DEEPEST_BY_SIZE)
        by_group[group[0][0]] = votes.most_common(1)[0][0] if votes else below
    sizes = list(by_group)
    return {
        size: by_group[min(sizes, key=lambda one, size=group[0][0]: abs(one - size))]  # type: ignore[misc]
        for group in groups
        for size, _ in group
    }


def _replaced(pages: Sequence[Page], changed: dict[_Place, Element]) -> list[Page]:
    by_page: dict[int, dict[int, Element]] = defaultdict(dict)
    for place, element in changed.items():
        by_page[place.page][place.order] = element
    return [
        page.model_copy(
            update={"elements": [changes.get(index, element) for index, element in enumerate(page.elements)]}
        )
        if (changes := by_page.get(number))
        else page
        for number, page in enumerate(pages)
    ]

"""Captions beside their figures and tables, and footnotes at the end of their page. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pdfbatch.records import Box, Element, Label, Page, Span

FLOATS = frozenset({Label.FIGURE, Label.TABLE})
_NEAR = 3
"""A caption belongs to a figure or table within this many times its own height."""
_AT_THE_FOOT = frozenset({Label.PAGE_FOOTER, Label.LINE_NUMBERS})
_NUMBERED = re.compile(r"(?:[^\W\d]{1,12}\.?\s?)?[A-Z]?\d[\d.]{0,6}(?:\s?\([a-z]\))?[.:|]?\s")
_SENTENCE = re.compile(
    r"\b(?!(?:Fig|Tab|Eq|Ref|Sec|No|Dr|Mr|Ms|al|vs|cf|etc|approx)s?\.)"
    r"\w{2,40}[)\]\"”]{0,4}[.!?](?=\s+[A-Z(\[])|[。！？]"
)


def with_captions(pages: Sequence[Page]) -> list[Page]:
    """Moves each caption next to its figure or table and footnotes to the end of their page; a figure without text gets
    its caption's first sentence."""
    return [_arranged(page) for page in pages]


def first_sentence(caption: str) -> str:
    """The first sentence of a caption, including its number."""
    label = _NUMBERED.match(caption)
    done = label.end() if label else 0
    end = _SENTENCE.search(caption, done)
    return caption[: end.end()] if end else caption


def _arranged(page: Page) -> Page:
    labels = {element.label for element in page.elements}
    elements = page.elements
    if Label.CAPTION in labels and labels & FLOATS:
        elements = _beside_their_captions(elements)
    if Label.FOOTNOTE in labels:
        elements = _notes_last(elements)
    return page if elements is page.elements else page.model_copy(update={"elements": elements})


def _beside_their_captions(elements: Sequence[Element]) -> list[Element]:
    captions: dict[int, list[int]] = {}
    for place, element in enumerate(elements):
        if element.label == Label.CAPTION and (owner := owner_of(elements, place)) is not None:
            captions.setdefault(owner, []).append(place)
    moved = {place for own in captions.values() for place in own}
    ordered: list[Element] = []
    for place, element in enumerate(elements):
        if place in moved:
            continue
        own = captions.get(place, [])
        ordered += [elements[caption] for caption in own if caption < place]
        ordered.append(_described(element, [elements[caption] for caption in own]))
        ordered += [elements[caption] for caption in own if caption > place]
    return ordered


def _described(element: Element, captions: Sequence[Element]) -> Element:
    """A figure without text gets the first sentence of its caption as text."""
    caption_text = next((text for caption in captions if (text := " ".join(caption.text.split()))), "")
    if element.label != Label.FIGURE or element.spans or not caption_text:
        return element
    return element.model_copy(update={"spans": [Span(text=first_sentence(caption_text))]})


def owner_of(elements: Sequence[Element], place: int) -> int | None:
    """The figure or table that a caption belongs to: a neighbour in reading order (the nearer of two), else the nearest
    on the page, if it is near enough."""
    caption = elements[place]
    if caption.dropped:
        return None
    around = (_neighbour(elements, place, -1), _neighbour(elements, place, 1))
    floats = [near for near in around if near is not None and elements[near].label in FLOATS]
    if not floats:
        limit = _NEAR * (caption.box[3] - caption.box[1])
        floats = [
            other
            for other, element in enumerate(elements)
            if element.label in FLOATS and not element.dropped and _distance(caption.box, element.box) <= limit
        ]
    return min(floats, key=lambda other: _distance(caption.box, elements[other].box), default=None)


def _neighbour(elements: Sequence[Element], place: int, step: int) -> int | None:
    """The next element in a direction that is not itself a caption."""
    place += step
    while 0 <= place < len(elements):
        if elements[place].label != Label.CAPTION and not elements[place].dropped:
            return place
        place += step
    return None


def _distance(one: Box, other: Box) -> float:
    across = max(0.0, one[0] - other[2], other[0] - one[2])
    return across + max(0.0, one[1] - other[3], other[1] - one[3])


def _notes_last(elements: Sequence[Element]) -> list[Element]:
    """Moves footnotes after everything except the elements at the foot of the page."""
    end = len(elements)
    while end and (elements[end - 1].label in _AT_THE_FOOT or elements[end - 1].dropped):
        end -= 1
    body = elements[:end]
    others = [element for element in body if element.label != Label.FOOTNOTE]
    notes = [element for element in body if element.label == Label.FOOTNOTE]
    return [*others, *notes, *elements[end:]]

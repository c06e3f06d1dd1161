"""Choose which elements of a page with a healthy text layer a model reads, and merge its answers. Pure.

The layer is right for paragraphs, headings and lists. It is not for formulas, paragraphs full of mathematics, and
tables whose rows and columns nothing on the page determines. Text missing from the layer, such as text in a figure,
was found by OCR; the OCR's text is kept if the model has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Literal, NamedTuple

from pdfbatch.documents.layout.flags import IN_FIGURE, MATH, UNSETTLED
from pdfbatch.documents.page_read import PageRead
from pdfbatch.records import Element, Label

READ_BY = "mixed"
"""`read_by` of a page from the text layer with some elements read by the model."""


Kind = Literal["formula", "table", "text"]


class Wanted(NamedTuple):
    """An element for the model to read: its index on the page, and what it is read as. `instead`: indexes of the
    elements that its answer replaces, namely those inside a figure."""

    place: int
    kind: Kind
    instead: tuple[int, ...] = ()


class Heard(NamedTuple):
    """The model's answer for an element, as elements. `ending`: `whole`, or why it is of no use, such as `looped`."""

    elements: Sequence[Element]
    ending: str

    @property
    def fault(self) -> str:
        """Why the answer is of no use; "" if it is."""
        return self.ending if self.ending != "whole" else "" if self.elements else "empty"


def wanted(elements: Sequence[Element]) -> list[Wanted]:
    """The elements of a page for the model to read, in order."""
    return [asked for place in range(len(elements)) if (asked := _asked(elements, place))]


def _asked(elements: Sequence[Element], place: int) -> Wanted | None:
    element = elements[place]
    if element.label is Label.FORMULA:
        return Wanted(place, "formula")
    if element.label is Label.TABLE and UNSETTLED in element.flags:
        return Wanted(place, "table")
    if element.label is Label.FIGURE:
        inside = _inside(elements, place)
        lacks_all = bool(inside) and all(elements[each].source == "ocr" for each in inside)
        return Wanted(place, "text", inside) if lacks_all else None
    if element.label is Label.PARAGRAPH and IN_FIGURE not in element.flags:
        is_doubtful = MATH in element.flags or element.source == "ocr"
        return Wanted(place, "text") if is_doubtful else None
    return None


def _inside(elements: Sequence[Element], figure: int) -> tuple[int, ...]:
    """The indexes of the texts in a figure; they follow it."""
    inside = takewhile(lambda place: IN_FIGURE in elements[place].flags, range(figure + 1, len(elements)))
    return tuple(inside)


def refined(read: PageRead, asked: Sequence[Wanted], heard: Mapping[int, Heard]) -> PageRead:
    """The page with the model's answers in place of the layer's elements.

    `heard` is by index. Where the model did not finish, or its answer was empty, the layer's text stays, with a flag.
    """
    replaced = {each.place: _replacement(read.page.elements[each.place], heard[each.place]) for each in asked}
    gone = {place for each in asked if not heard[each.place].fault for place in each.instead}
    elements = [
        one
        for place, element in enumerate(read.page.elements)
        if place not in gone
        for one in replaced.get(place, [element])
    ]
    by_model = sum(len(heard[each.place].elements) for each in asked if not heard[each.place].fault)
    read_by = READ_BY if by_model else read.page.read_by
    update = {"elements": elements, "read_by": read_by, "model_elements": by_model}
    return read._replace(page=read.page.model_copy(update=update))


def _replacement(element: Element, heard: Heard) -> list[Element]:
    """The elements that replace an element; a figure stays, with its text after it."""
    if heard.fault:
        return [element.model_copy(update={"flags": [*element.flags, f"model_{heard.fault}"]})]
    if element.label is Label.FIGURE:
        return [element, *(one.model_copy(update={"flags": [*one.flags, IN_FIGURE]}) for one in heard.elements)]
    return [one.model_copy(update={"size": element.size}) for one in heard.elements]

"""Which elements of a page with a healthy text layer the model reads instead, and what becomes of them. Pure.

Paragraphs, headings and lists are right as the layer has them. A formula is not, nor is a paragraph full of
mathematics, nor a table whose rows and columns nothing on the page settles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pdfbatch.documents.layout.flags import MATH, UNSETTLED
from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines.dolphin.elements import elements_of
from pdfbatch.engines.dolphin.layout import FORMULA_PROMPT, TABLE_PROMPT, TEXT_PROMPT
from pdfbatch.records import Element, Label

READ_BY = "mixed"
"""What read a page of the text layer with elements by the model."""


class Wanted(NamedTuple):
    """An element that the model is to read: its place on the page, the model's name for its kind, what to ask."""

    place: int
    label: str
    prompt: str


class Heard(NamedTuple):
    """What the model said of an element; `ending` as in decode.Read."""

    text: str
    ending: str


def wanted(elements: Sequence[Element]) -> list[Wanted]:
    return [Wanted(place, *kind) for place, element in enumerate(elements) if (kind := _kind(element))]


def _kind(element: Element) -> tuple[str, str] | None:
    if element.label is Label.FORMULA:
        return "equ", FORMULA_PROMPT
    if element.label is Label.TABLE and UNSETTLED in element.flags:
        return "tab", TABLE_PROMPT
    if element.label is Label.PARAGRAPH and MATH in element.flags:
        return "para", TEXT_PROMPT
    return None


def refined(read: PageRead, asked: Sequence[Wanted], heard: Mapping[int, Heard]) -> PageRead:
    """The page with what the model said in the place of what the layer had.

    `heard` is by place. Where the model did not come to an end, or said nothing, the layer's text stays, with a flag.
    """
    labels = {each.place: each.label for each in asked}
    elements: list[Element] = []
    for place, element in enumerate(read.page.elements):
        if place not in labels or place not in heard:
            elements.append(element)
        else:
            elements += _replaced(element, labels[place], heard[place])
    is_mixed = any(element.source == "dolphin" for element in elements)
    update = {"elements": elements, "read_by": READ_BY if is_mixed else read.page.read_by}
    return read._replace(page=read.page.model_copy(update=update))


def _replaced(element: Element, label: str, heard: Heard) -> list[Element]:
    found = elements_of(label, heard.text, element.box) if heard.ending == "whole" else []
    if not found:
        fault = heard.ending if heard.ending != "whole" else "empty"
        return [element.model_copy(update={"flags": [*element.flags, f"model_{fault}"]})]
    return [one.model_copy(update={"size": element.size}) for one in found]

"""Which elements of a page with a text layer the model reads, and what becomes of what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pytest

from pdfbatch.documents.layout.flags import IN_FIGURE, MATH, UNSETTLED
from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines.dolphin.elements import elements_of
from pdfbatch.engines.refine import Heard as Answered
from pdfbatch.engines.refine import Kind, Wanted, wanted
from pdfbatch.engines.refine import refined as refined_answers
from pdfbatch.records import Cell, Element, Label, PageResult, plain_text
from tests.pages import markdown_of

BOX = (72.0, 100.0, 300.0, 120.0)


def element(label: Label, text: str = "", *flags: str, top: float = 100) -> Element:
    box = (72.0, top, 300.0, top + 20)
    cells = [Cell(row=0, column=0, spans=plain_text(text))] if label is Label.TABLE else []
    spans = [] if cells else plain_text(text)
    return Element(label=label, box=box, spans=spans, cells=cells, flags=list(flags), size=9.5)


PAGE = [
    element(Label.PARAGRAPH, "Plain words.", top=100),
    element(Label.FORMULA, "n = 41 7 + x2", top=130),
    element(Label.PARAGRAPH, "Let xi be in Rn.", MATH, top=160),
    element(Label.TABLE, "Waves 41", UNSETTLED, top=190),
    element(Label.TABLE, "settled", top=220),
]
ASKED = [
    Wanted(1, "formula"),
    Wanted(2, "text"),
    Wanted(3, "table"),
]


LABELS: dict[Kind, str] = {"formula": "equ", "table": "tab", "text": "para"}


class Heard(NamedTuple):
    """As Dolphin says it."""

    text: str
    ending: str


def refined(read: PageRead, asked: Sequence[Wanted], heard: Mapping[int, Heard]) -> PageRead:
    kinds = {each.place: each.kind for each in asked}
    elements = {
        place: Answered(elements_of(LABELS[kinds[place]], one.text, read.page.elements[place].box), one.ending)
        for place, one in heard.items()
    }
    return refined_answers(read, asked, elements)


def read_of(elements: list[Element]) -> PageRead:
    return PageRead(
        PageResult(number=1, width=400, height=500, read_by="text", elements=elements), {"page-0001-002.png": b"png"}
    )


def test_formulas_mathematics_and_tables_that_nothing_settles_are_asked_for_each_with_its_own_prompt() -> None:
    assert wanted(PAGE) == ASKED


@pytest.mark.parametrize("label", sorted(set(Label) - {Label.FORMULA}))
def test_everything_else_is_the_layer_s(label: Label) -> None:
    assert wanted([element(label, "text")]) == []


@pytest.mark.parametrize("label", [Label.HEADING, Label.LIST_ITEM, Label.CAPTION, Label.TABLE])
def test_mathematics_is_asked_for_in_paragraphs_alone(label: Label) -> None:
    assert wanted([element(label, "n = 41", MATH)]) == []


def test_what_the_model_said_stands_where_the_layer_s_text_stood() -> None:
    heard = {
        1: Heard(r"n = \frac{41}{7}", "whole"),
        2: Heard(r"Let \(x_i\) be in \(R^n\).", "whole"),
        3: Heard('<table><tr><td colspan="2">Waves</td></tr><tr><td>dawn</td><td>41</td></tr></table>', "whole"),
    }
    page = refined(read_of(PAGE), ASKED, heard).page
    assert markdown_of(page) == (
        "Plain words.\n\n$$\nn = \\frac{41}{7}\n$$\n\nLet $x_i$ be in $R^n$.\n\n"
        '<table>\n<tr><td colspan="2">Waves</td></tr>\n<tr><td>dawn</td><td>41</td></tr>\n</table>\n\n'
        "|settled|\n|---|"
    )
    assert [each.source for each in page.elements] == ["layer", "dolphin", "dolphin", "dolphin", "layer"]
    assert [each.box for each in page.elements] == [each.box for each in PAGE]
    assert {each.size for each in page.elements} == {9.5}
    assert (page.read_by, page.model_elements) == ("mixed", 3)


@pytest.mark.parametrize(
    ("said", "ending", "flag"),
    [
        ("n = n = n = n =", "looped", "model_looped"),
        ("n = ", "truncated", "model_truncated"),
        ("", "nan", "model_nan"),
        ("", "memory", "model_memory"),
        ("", "whole", "model_empty"),
        (" \n", "whole", "model_empty"),
    ],
)
def test_where_the_model_did_not_finish_the_flat_text_stays_with_a_flag(said: str, ending: str, flag: str) -> None:
    page = refined(read_of(PAGE[:2]), ASKED[:1], {1: Heard(said, ending)}).page
    assert page.elements[0] == PAGE[0]
    assert page.elements[1] == PAGE[1].model_copy(update={"flags": [flag]})
    assert (page.read_by, page.reason) == ("text", None), "no element of it is the model's"


def test_one_element_that_fails_does_not_affect_the_others() -> None:
    heard = {1: Heard("n = n = n =", "looped"), 2: Heard("Let us see.", "whole")}
    page = refined(read_of(PAGE[:3]), ASKED[:2], heard).page
    assert [each.text for each in page.elements] == ["Plain words.", "n = 41 7 + x2", "Let us see."]
    assert [each.flags for each in page.elements] == [[], ["model_looped"], []]
    assert page.read_by == "mixed"


def test_what_was_not_asked_for_because_it_is_too_small_stays_without_a_flag() -> None:
    page = refined(read_of(PAGE[:2]), [], {}).page
    assert page.elements == PAGE[:2]


def test_a_paragraph_that_the_model_sees_as_several_becomes_several() -> None:
    page = refined(read_of(PAGE[:3]), [ASKED[1]], {2: Heard("Let us see.\n\nThen go.", "whole")}).page
    assert [each.text for each in page.elements] == ["Plain words.", "n = 41 7 + x2", "Let us see.", "Then go."]


def test_the_figures_of_the_page_stay() -> None:
    assert refined(read_of(PAGE[:2]), ASKED[:1], {1: Heard("n", "whole")}).figures == {"page-0001-002.png": b"png"}


def seen(text: str, *flags: str, label: Label = Label.PARAGRAPH) -> Element:
    """Text that the layer lacks, as the OCR found it."""
    return element(label, text, *flags, top=250).model_copy(update={"source": "ocr", "score": 0.9})


def figure(*inside: Element) -> list[Element]:
    return [element(Label.FIGURE, top=250).model_copy(update={"figure": "page-0001-002.png"}), *inside]


def test_text_that_the_layer_lacks_is_asked_for() -> None:
    assert wanted([PAGE[0], seen("Stamped in 1901")]) == [Wanted(1, "text")]


def test_a_figure_with_text_that_the_layer_lacks_is_asked_for_once() -> None:
    inside = [seen("dawn", IN_FIGURE), seen("noon", IN_FIGURE)]
    assert wanted([PAGE[0], *figure(*inside), PAGE[0]]) == [Wanted(1, "text", (2, 3))]


def test_a_figure_whose_text_is_in_the_layer_is_not_asked_for() -> None:
    assert wanted(figure(element(Label.PARAGRAPH, "dawn", IN_FIGURE))) == []
    assert wanted(figure(element(Label.PARAGRAPH, "dawn", IN_FIGURE), seen("noon", IN_FIGURE))) == []
    assert wanted(figure()) == []
    assert wanted([*figure(), seen("Below it")]) == [Wanted(1, "text")]


def test_what_the_model_read_in_a_figure_replaces_what_the_ocr_read() -> None:
    page = read_of([PAGE[0], *figure(seen("davvn", IN_FIGURE), seen("n00n", IN_FIGURE)), PAGE[0]])
    asked = wanted(page.page.elements)
    result = refined(page, asked, {1: Heard("dawn\n\nnoon", "whole")}).page
    assert [each.text for each in result.elements] == ["Plain words.", "", "dawn", "noon", "Plain words."]
    assert [each.source for each in result.elements] == ["layer", "layer", "dolphin", "dolphin", "layer"]
    assert [each.flags for each in result.elements] == [[], [], [IN_FIGURE], [IN_FIGURE], []]
    assert result.elements[1].figure == "page-0001-002.png"


def test_where_the_model_fails_in_a_figure_the_ocr_s_text_stays() -> None:
    page = read_of([PAGE[0], *figure(seen("dawn", IN_FIGURE))])
    result = refined(page, wanted(page.page.elements), {1: Heard("dawn dawn dawn", "looped")}).page
    assert [each.text for each in result.elements] == ["Plain words.", "", "dawn"]
    assert [each.flags for each in result.elements] == [[], ["model_looped"], [IN_FIGURE]]
    assert result.read_by == "text"

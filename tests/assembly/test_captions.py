"""Captions beside what they are of, and notes at the end."""

from __future__ import annotations

import pytest

from pdfbatch.assembly.captions import first_sentence, with_captions
from pdfbatch.records import Box, Element, Label
from tests.assembly.pages import element, page, table


def figure(box: Box, text: str = "") -> Element:
    return element(text, Label.FIGURE, box=box)


def caption(text: str, box: Box) -> Element:
    return element(text, Label.CAPTION, box=box)


def ordered(*elements: Element) -> list[str]:
    return [f"{each.label}: {each.text}" for each in with_captions([page(1, elements)])[0].elements]


FIGURE = figure((72, 100, 300, 200))
CAPTION = caption("Figure 1: A pier. It is long.", (72, 205, 300, 220))
TEXT = element("Said.", box=(310, 100, 520, 700))


def test_a_caption_comes_beside_its_figure_and_says_what_it_shows() -> None:
    assert ordered(FIGURE, TEXT, CAPTION) == ["picture: Figure 1: A pier.", f"caption: {CAPTION.text}", "text: Said."]
    assert ordered(CAPTION, TEXT, FIGURE) == ["text: Said.", f"caption: {CAPTION.text}", "picture: Figure 1: A pier."]


def test_a_caption_between_two_is_of_the_nearer() -> None:
    far = figure((72, 300, 300, 400))
    assert ordered(FIGURE, CAPTION, far)[2] == "picture: "
    near = figure((72, 221, 300, 400))
    assert ordered(figure((72, 40, 300, 150)), CAPTION, near)[0] == "picture: "


def test_a_caption_far_from_all_stays_where_it_is() -> None:
    alone = caption("Figure 9", (72, 700, 300, 712))
    assert ordered(FIGURE, TEXT, alone) == ["picture: ", "text: Said.", "caption: Figure 9"]


def test_a_figure_that_says_something_keeps_it_and_a_table_gets_nothing() -> None:
    said = figure((72, 100, 300, 200), "A pier in May")
    assert ordered(said, CAPTION)[0] == "picture: A pier in May"
    grid = table([["a", "b"]], box=(72, 100, 300, 200))
    assert with_captions([page(1, [grid, CAPTION])])[0].elements[0].spans == []


def test_several_captions_of_one_figure_keep_their_order() -> None:
    second = caption("(b) in June", (72, 222, 300, 236))
    assert ordered(FIGURE, TEXT, CAPTION, second)[1:3] == [f"caption: {CAPTION.text}", "caption: (b) in June"]


def test_what_is_dropped_has_no_caption_and_is_none() -> None:
    logo = FIGURE.model_copy(update={"dropped": "repeated"})
    assert ordered(logo, TEXT, CAPTION) == ["picture: ", "text: Said.", f"caption: {CAPTION.text}"]


def test_footnotes_come_last_but_for_what_stands_at_the_foot() -> None:
    note = element("1 Or later.", Label.FOOTNOTE)
    footer = element("Rules", Label.PAGE_FOOTER)
    number = element("3", dropped="page_number")
    assert ordered(note, TEXT, footer, number) == [
        "text: Said.",
        "footnote: 1 Or later.",
        "page_footer: Rules",
        "text: 3",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Figure 1: A pier. It is long.", "Figure 1: A pier."),
        ("Fig. 1. A pier. It is long.", "Fig. 1. A pier."),
        ("Figure 1. See Fig. 2 for more. It is long.", "Figure 1. See Fig. 2 for more."),
        ("A pier of 3.5 metres", "A pier of 3.5 metres"),
        ("图1：码头。很长。", "图1：码头。"),
        ("", ""),
    ],
)
def test_the_first_sentence_of_a_caption(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence

"""Which paragraphs go on over columns and pages."""

from __future__ import annotations

import pytest

from pdfbatch.assembly.paragraphs import with_paragraphs
from pdfbatch.records import Element, Label, Reason, Span
from tests.assembly.pages import at, element, page

FIRST, REST = "The tenant keeps the berth clean and leaves room for", "boats that pass on their way."


def joined(*pages: list[Element]) -> list[str]:
    made = [page(number, elements) for number, elements in enumerate(pages, start=1)]
    return [each.text for one in with_paragraphs(made) for each in one.elements if each.continues]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (FIRST, REST),
        ("leaves room for those that pass, and", "“boats” that pass."),
        ("all of the har-", "bour is clean."),
        ("of the North-", "East coast"),
        ("the soft\u00ad", "ware"),
        ("船は冬の間ずっと桟橋に置かれており、夏になるとまた海に出ることが多いので、", "その日に事務所に伝えること。"),
        ("see Fig", "and the table."),
    ],
)
def test_a_sentence_goes_on_on_the_next_page(before: str, after: str) -> None:
    assert joined([element(before)], [element(after)]) == [after]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("It is clean.", "boats pass"),
        ("It is clean.”", "boats pass"),
        ("It is clean [3].", "boats pass"),
        (FIRST, "Boats pass."),
        (FIRST, "(a) boats that pass"),
        (FIRST, "ii. boats that pass"),
        (FIRST, "- boats"),
        (FIRST, "12 boats"),
        ("短い", "その日"),
        ("the following:", "boats"),
    ],
)
def test_another_paragraph_begins_on_the_next_page(before: str, after: str) -> None:
    assert joined([element(before)], [element(after)]) == []


def test_a_column_cuts_a_paragraph_and_the_same_column_does_not() -> None:
    left, right = element(FIRST, box=(72, 600, 280, 700)), element(REST, box=(310, 90, 520, 200))
    assert joined([left, right]) == [REST]
    assert joined([left, element(REST, box=(72, 710, 280, 760))]) == []


@pytest.mark.parametrize(
    "label", ["picture", "table", "caption", "footnote", "page_header", "page_footer", "watermark"]
)
def test_what_floats_may_stand_between(label: str) -> None:
    assert joined([element(FIRST), element("aside", Label(label))], [element(REST)]) == [REST]
    assert joined([element(FIRST)], [element("aside", Label(label)), element(REST)]) == [REST]


@pytest.mark.parametrize("label", ["title", "section_header", "list_item", "formula", "code", "form_field", "text"])
def test_text_in_between_separates_them(label: str) -> None:
    assert joined([element(FIRST), element("Said.", Label(label))], [element(REST)]) == []


def test_dropped_text_parts_nothing_and_joins_nothing() -> None:
    assert joined([element(FIRST), element("Said.", dropped="hidden")], [element(REST)]) == [REST]
    assert joined([element(FIRST, dropped="hidden")], [element(REST)]) == []


def test_text_of_another_size_does_not_continue_a_paragraph() -> None:
    assert joined([element(FIRST)], [element(REST, size=9)]) == []
    assert joined([element(FIRST)], [element(REST, size=0)]) == [REST]


def test_a_page_that_was_not_read_parts_them_and_a_blank_one_does_not() -> None:
    unread = page(2, [], reason=Reason.CORRUPT)
    texts = [page(1, [element(FIRST)]), page(3, [element(REST)])]
    assert not any(each.continues for one in with_paragraphs([texts[0], unread, texts[1]]) for each in one.elements)
    assert joined([element(FIRST)], [], [element(REST)]) == [REST]


def test_list_items_and_references_go_on_and_a_paragraph_may_end_an_item() -> None:
    item = element(FIRST, Label.LIST_ITEM, marker="-", level=2)
    assert joined([item], [element(REST, Label.LIST_ITEM)]) == [REST]
    assert joined([item], [element(REST, Label.LIST_ITEM, marker="-")]) == []
    assert joined([element(FIRST, Label.REFERENCE)], [element(REST, Label.REFERENCE)]) == [REST]
    rest = with_paragraphs([page(1, [item]), page(2, [element(REST)])])[1].elements[0]
    assert (rest.label, rest.level, rest.continues) == (Label.LIST_ITEM, 2, True)


def test_formulas_are_no_sentences() -> None:
    formula = element("x", spans=[Span(text="x", math=True)])
    assert joined([element(FIRST)], [formula]) == []
    assert joined([formula], [element(REST)]) == []


@pytest.mark.parametrize(
    ("before", "half", "after", "next_half", "goes_on"),
    [
        ("It is clean and", True, "Boats pass.", True, True),
        ("It is clean and", True, "boats pass.", False, True),
        ("It is clean and", True, "Boats pass.", False, False),
        ("It is clean.", True, "Boats pass.", True, True),
        ("It is clean.", True, "boats pass.", False, False),
        ("it is clean.", True, "Boats pass.", True, False),
        ("It is clean and", False, "boats pass.", True, True),
        ("It is clean and", False, "Boats pass.", True, False),
        ("It is clean and", False, "boats pass.", False, False),
    ],
)
def test_halves_that_dolphin_saw_go_on(before: str, half: bool, after: str, next_half: bool, goes_on: bool) -> None:
    first = element(before, source="dolphin", size=0, flags=["half"] * half)
    second = element(after, source="dolphin", size=0, flags=["half"] * next_half)
    assert joined([first], [second]) == [after] * goes_on


def test_text_in_a_figure_is_moved_from_between_the_halves() -> None:
    figure = element("", Label.FIGURE, box=(72, 300, 300, 400))
    label = element("relu relu weight", box=(80, 310, 200, 330), size=8)
    for pages in ([[element(FIRST), figure, label, element(REST)]], [[element(FIRST), figure, label], [element(REST)]]):
        made = with_paragraphs([page(number, one) for number, one in enumerate(pages, start=1)])
        assert [each.text for one in made for each in one.elements] == ["relu relu weight", FIRST, "", REST]
        assert made[-1].elements[-1].continues
    made = with_paragraphs([page(1, [element(FIRST)]), page(2, [figure, label, element(REST)])])
    assert [each.text for one in made for each in one.elements] == [FIRST, "", REST, "relu relu weight"]


def test_text_in_figures_keeps_the_halves_apart_where_it_cannot_be_moved() -> None:
    figure = element("", Label.FIGURE, box=(72, 300, 300, 400))
    label = element("relu relu weight", box=(80, 310, 200, 330), size=8)
    assert joined([element(FIRST)], [figure, label], [element(REST)]) == []
    middle = element("boats that pass, and for")
    assert joined([element(FIRST)], [middle, figure, label], [element(REST)]) == [middle.text]


def test_a_footer_that_stands_once_is_no_half_of_a_paragraph() -> None:
    before, footer = element(FIRST), element("page of the notes", flags=["stands_once"])
    assert joined([before, footer], [element(REST)]) == [REST]
    made = with_paragraphs([page(1, [before, footer]), page(2, [element(REST)])])
    assert [each.text for one in made for each in one.elements] == ["page of the notes", FIRST, REST]


@pytest.mark.parametrize("after", ["wait. Then it begins again.", "ill. The rest is well.", "so) they all went home."])
def test_a_short_word_at_the_end_of_a_sentence_is_no_marker(after: str) -> None:
    assert joined([element("It may be asked to help if it cannot")], [element(after)]) == [after]


@pytest.mark.parametrize("after", ["a) the pier, too", "iv. the pier", "12. the pier", "3a) the pier"])
def test_a_marker_begins_another_text(after: str) -> None:
    assert joined([element("It may be asked to help if it cannot")], [element(after)]) == []


def test_a_line_that_its_reader_parted_from_the_paragraph_above_goes_on() -> None:
    before = at(100, "What the sale brings beyond the debts is kept for the")
    assert joined([before, at(114, "owner.")]) == ["owner."]
    assert joined([before, at(135, "owner.")]) == []
    assert joined([before, at(114, "owner.", left=200)]) == []
    assert joined([at(100, "Carlsbad, CA 92008"), at(114, "www.pier.example")]) == []
    assert joined([at(100, "take the rope, the chain and the anchor;"), at(114, "leave the pier.")]) == []

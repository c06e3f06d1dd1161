"""Which listings go on over pages."""

from __future__ import annotations

import pytest

from pdfbatch.assembly.listings import with_listings
from pdfbatch.records import Element, Label, Page
from tests.assembly.pages import at, element, page

FIRST = ["def moor(boat):", "    boat.moor()"]
REST = ["if ready:", "    moor(boat)"]


def code(rows: list[str], top: float, left: float = 72, size: float = 10, letter: float = 6) -> Element:
    box = (left, top, left + letter * max(map(len, rows)), top + 12 * len(rows))
    return element("\n".join(rows), Label.CODE, box=box, size=size)


def joined(*pages: list[Element]) -> list[tuple[bool, str]]:
    made: list[Page] = [page(number, elements) for number, elements in enumerate(pages, start=1)]
    found = with_listings(made)
    assert with_listings(found) == found
    return [(each.continues, each.text) for one in found for each in one.elements if each.label == Label.CODE]


def goes_on(first: list[Element], second: list[Element]) -> bool:
    return joined(first, second)[-1][0]


def test_code_at_the_foot_goes_on_at_the_head_of_the_next_page() -> None:
    assert joined([code(FIRST, 740)], [code(REST, 72)]) == [(False, "\n".join(FIRST)), (True, "\n".join(REST))]


@pytest.mark.parametrize("label", [Label.PAGE_HEADER, Label.PAGE_FOOTER, Label.WATERMARK, Label.FOOTNOTE])
def test_what_belongs_to_the_page_may_stand_between(label: Label) -> None:
    assert goes_on([code(FIRST, 740), at(800, "x", label)], [at(30, "x", label), code(REST, 72)])
    assert goes_on([code(FIRST, 740), at(800, "3", dropped="page_number")], [code(REST, 72)])


@pytest.mark.parametrize("label", [Label.PARAGRAPH, Label.HEADING, Label.CAPTION, Label.FIGURE, Label.TABLE])
def test_text_between_parts_them(label: Label) -> None:
    assert not goes_on([code(FIRST, 740), at(800, "Said.", label)], [code(REST, 72)])
    assert not goes_on([code(FIRST, 740)], [at(30, "Said.", label), code(REST, 72)])


def test_code_elsewhere_on_the_page_or_set_otherwise_does_not_go_on() -> None:
    assert not goes_on([code(FIRST, 200)], [code(REST, 72)])
    assert not goes_on([code(FIRST, 740)], [code(REST, 400)])
    assert not goes_on([code(FIRST, 740)], [code(REST, 72, size=8)])
    assert not goes_on([code(FIRST, 740)], [code(REST, 72, letter=5)])
    assert not joined([code(FIRST, 740)], [], [code(REST, 72)])[-1][0]


def test_an_indent_against_the_first_part_is_kept_over_three_pages() -> None:
    whole = [*REST] * 30
    found = joined([code(FIRST, 740)], [code(whole, 72, left=96)], [code(REST, 72, left=84)])
    assert found[1] == (True, "\n".join("    " + row for row in whole))
    assert found[2] == (True, "  if ready:\n      moor(boat)")


def test_a_margin_of_another_width_is_no_indent() -> None:
    assert joined([code(FIRST, 740)], [code(REST, 72, left=87)])[1] == (True, "\n".join(REST))
    assert joined([code(FIRST, 740, left=96)], [code(REST, 72)])[1] == (True, "\n".join(REST))

"""Which tables go on over pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pdfbatch.assembly.tables import with_tables
from pdfbatch.records import Element, Label, ReadOptions
from tests.assembly.pages import WIDTH, at, dropped, element, page, table

HEAD = ["Berth", "Tenant", "Sum"]
FIRST = [HEAD, ["1", "Ada", "17"], ["2", "Ben", "34"]]
REST = [["3", "Cem", "51"], ["4", "Dan", "68"], ["5", "Eve", "85"]]


def grid(rows: Sequence[Sequence[str]], left: float = 72, right: float = 523, **more: Any) -> Element:
    return table(rows, box=(left, 90, right, 90 + 15 * len(rows)), **more)


def decided(*pages: list[Element], join: bool = True) -> list[tuple[bool, int]]:
    made = [page(number, elements) for number, elements in enumerate(pages, start=1)]
    found = with_tables(made, ReadOptions(join_tables=join))
    return [(each.continues, each.repeated_rows) for one in found for each in one.elements if each.cells]


def goes_on(first: list[Element], second: list[Element]) -> bool:
    return decided(first, second)[-1][0]


def test_a_table_goes_on_over_three_pages_and_its_header_is_counted() -> None:
    pages = [[grid(FIRST)], [grid([HEAD, *REST])], [grid([["6", "Fay", "9"], ["7", "Guy", "8"]])]]
    assert decided(*pages) == [(False, 0), (True, 1), (True, 0)]
    assert decided(*pages, join=False) == [(False, 0)] * 3


def test_headers_of_two_rows_are_counted_and_blanks_and_case_do_not_matter() -> None:
    two = [["Harbour", "", ""], HEAD, ["1", "Ada", "17"]]
    assert decided([grid(two)], [grid([["HARBOUR ", "", ""], [" berth", "Tenant", "Sum"], *REST])])[1] == (True, 2)
    assert decided([grid([["", "", ""], *FIRST])], [grid([["", "", ""], *REST])])[1] == (True, 0)


@pytest.mark.parametrize("label", [Label.PAGE_HEADER, Label.PAGE_FOOTER, Label.WATERMARK, Label.LINE_NUMBERS])
def test_furniture_may_stand_between(label: Label) -> None:
    assert goes_on([grid(FIRST), element("Rules", label)], [element("Rules", label), grid(REST)])


def test_notes_below_the_first_part_and_what_is_dropped_may_stand_between() -> None:
    note = element("1 In euros.", Label.FOOTNOTE)
    assert goes_on([grid(FIRST), note, element("3", dropped="page_number")], [grid(REST)])


@pytest.mark.parametrize("label", [Label.PARAGRAPH, Label.HEADING, Label.FIGURE, Label.LIST_ITEM, Label.FORMULA])
def test_text_between_parts_them(label: Label) -> None:
    assert not goes_on([grid(FIRST), element("Said.", label)], [grid(REST)])
    assert not goes_on([grid(FIRST)], [element("Said.", label), grid(REST)])


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Table 2: Tenants", "Table 2: Tenants", True),
        ("Table 2: Tenants", "Table 2 (continued)", True),
        ("Tabelle 2", "Tabelle 2 (Fortsetzung)", True),
        ("Table 2: Tenants", "Table 3: Fees", False),
        ("Table IV. Tenants", "Table V. Fees", False),
        ("Table A.1 Tenants", "Table A.2 Fees", False),
        ("", "Table 3: Fees", False),
        ("", "Table 3 (cont.)", True),
        ("Table 2: Tenants", "", True),
        ("Table 2: Tenants", "continued", True),
    ],
)
def test_a_caption_of_its_own_makes_another_table(first: str, second: str, same: bool) -> None:
    before = [element(first, Label.CAPTION)] if first else []
    after = [element(second, Label.CAPTION)] if second else []
    assert goes_on([*before, grid(FIRST)], [*after, grid(REST)]) is same
    assert goes_on([grid(FIRST), *before], [grid(REST), *after]) is same


def test_a_line_that_says_continued_is_like_a_caption() -> None:
    assert goes_on([grid(FIRST)], [at(60, "(continued)"), grid(REST)])


@pytest.mark.parametrize(
    ("first", "second", "is_left_out"),
    [
        ("Table 2: Tenants", "Table 2 (continued)", True),
        ("Table 2: Tenants", "Table 2: Tenants (continued)", True),
        ("Table 2: Tenants", "TABLE 2. Tenants, cont'd", True),
        ("Table 2: Tenants", "Table 2: Tenants", True),
        ("Tabelle A.2", "Tabelle A.2 (Fortsetzung)", True),
        ("", "Table 2 (continued)", True),
        ("Table 2: Tenants", "(continued)", True),
        ("Table 2: Tenants", "Table 2: Tenants of the second pier", False),
        ("", "Tenants of the second pier (continued)", False),
        ("Table 2: Tenants", "Table 3 (continued)", False),
    ],
)
@pytest.mark.parametrize("below", [True, False])
def test_the_caption_of_a_part_that_goes_on_is_left_out(
    first: str, second: str, is_left_out: bool, below: bool
) -> None:
    before = [element(first, Label.CAPTION)] if first else []
    after = [grid(REST), element(second, Label.CAPTION)]
    pages = [page(1, [*before, grid(FIRST)]), page(2, after if below else after[::-1])]
    assert dropped(with_tables(pages, ReadOptions())) == [(2, second, "repeated")] * is_left_out
    assert dropped(with_tables(pages, ReadOptions(keep_headers=True))) == []
    assert dropped(with_tables(pages, ReadOptions(join_tables=False))) == []


def test_the_caption_of_another_table_stays() -> None:
    caption = element("Table 2 (continued)", Label.CAPTION)
    pages = [page(1, [caption, grid(FIRST)]), page(2, [caption, grid(REST, left=120)])]
    assert dropped(with_tables(pages, ReadOptions())) == []


def test_the_third_part_is_compared_with_the_first_ones_caption() -> None:
    pages = [[element("Table 2", Label.CAPTION), grid(FIRST)], [grid(REST)]]
    assert decided(*pages, [element("Table 2 (cont.)", Label.CAPTION), grid([HEAD, *REST])])[2] == (True, 1)
    assert decided(*pages, [element("Table 3", Label.CAPTION), grid([HEAD, *REST])])[2] == (False, 0)


def test_columns_and_edges_agree() -> None:
    assert not goes_on([grid(FIRST)], [grid([row[:2] for row in REST])])
    assert not goes_on([grid(FIRST)], [grid(REST, left=120)])
    assert not goes_on([grid(FIRST)], [grid(REST, right=400)])
    assert goes_on([grid(FIRST)], [grid(REST, left=75, right=515)])
    assert goes_on([grid(FIRST)], [grid([HEAD, *REST], right=400)])


def test_edges_of_facing_pages_are_mirrored() -> None:
    assert goes_on([grid(FIRST, left=100, right=500)], [grid(REST, left=WIDTH - 500, right=WIDTH - 100)])


def test_a_new_header_makes_another_table() -> None:
    other = [["Month", "Fee", "Tax"], ["May", "1", "2"], ["June", "3", "4"]]
    assert not goes_on([grid(FIRST, header_rows=1)], [grid(other, header_rows=1)])
    assert not goes_on([grid(FIRST)], [grid(other)])
    assert goes_on([grid(FIRST, header_rows=1)], [grid([HEAD, *REST], header_rows=1)])
    words = [["Name", "Boat", "Pier"], ["Ada", "Wave", "North"]]
    assert not goes_on([grid(FIRST)], [grid(words, header_rows=1)])


def test_a_first_row_of_figures_is_no_header_whatever_its_reader_says() -> None:
    assert goes_on([grid(FIRST, header_rows=1)], [grid(REST, header_rows=1)])


def test_the_same_form_on_each_page_is_no_long_table() -> None:
    forms = [
        [["Name", name], ["Berth", berth], ["Sum", sum_]]
        for name, berth, sum_ in [("Ada", "1", "7"), ("Ben", "2", "8")]
    ]
    assert decided([grid(forms[0])], [grid(forms[1])]) == [(False, 0), (False, 0)]
    assert decided([grid(FIRST)], [grid(FIRST)]) == [(False, 0), (False, 0)]


def test_a_page_between_parts_them() -> None:
    assert decided([grid(FIRST)], [element("Said.")], [grid(REST)]) == [(False, 0), (False, 0)]
    assert decided([grid(FIRST)], [], [grid(REST)]) == [(False, 0), (False, 0)]


def test_the_last_table_of_a_page_goes_on_not_the_first() -> None:
    pages = [
        [grid(FIRST), element("Said."), grid([["a", "b"], ["c", "d"]])],
        [grid([["e", "f"], ["g", "h"], ["i", "j"]])],
    ]
    assert decided(*pages) == [(False, 0), (False, 0), (True, 0)]


def test_a_table_without_cells_is_left_alone() -> None:
    pages = [page(1, [grid(FIRST)]), page(2, [element("a b", Label.TABLE)])]
    assert not any(each.continues for one in with_tables(pages, ReadOptions()) for each in one.elements)

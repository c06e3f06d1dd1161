"""A document as a whole: twelve pages by hand, and random ones."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdfbatch.assembly import assemble
from pdfbatch.records import Element, Label, Page, PageResult, ReadOptions
from tests.assembly.pages import at, dropped, element, kept, page, table

CLAUSE = "The tenant keeps the berth clean and free of ice, and leaves room for boats that pass."
HEAD = ["Berth", "Tenant", "Sum"]


def body(number: int, part: int = 0) -> str:
    own = "abcdefghijkl"[number - 1] * 9
    return f"Paragraph {part} of sheet {number} says what no other says, in words of its own: {own}."


def with_edges(number: int, elements: Sequence[Element]) -> PageResult:
    header = "Harbour rules" if number % 2 else "The harbour office"
    left = 72 if number % 2 else 420
    return page(number, [at(40, header, left=left, size=9), *elements, at(800, str(number), left=290, size=9)])


def rows(start: int, end: int) -> list[list[str]]:
    return [[str(row), f"Tenant {chr(64 + row)}", f"{row * 17}.00"] for row in range(start, end)]


def twelve_pages() -> list[PageResult]:
    return [
        page(1, [at(200, "Rules of the harbour", Label.TITLE, size=24), at(240, "As decided in May", size=12)]),
        with_edges(2, [element("1 The berths", Label.HEADING, size=16), element(CLAUSE), element(body(2, 1))]),
        with_edges(3, [element("1.1 Their keeping", Label.HEADING, size=13), element("Who is away tells the harbour")]),
        with_edges(4, [element("office on the same day."), element("Exceptions", Label.HEADING, size=13)]),
        with_edges(
            5, [element(body(5)), element("Table 1: The tenants", Label.CAPTION), table([HEAD, *rows(1, 5)], 1)]
        ),
        with_edges(6, [table([HEAD, *rows(5, 12)], 1)]),
        with_edges(7, [table([HEAD, *rows(12, 15)], 1), element(body(7))]),
        with_edges(8, [element("2 The fees", Label.HEADING, size=16), element(body(8))]),
        with_edges(9, [element("Exercises", Label.HEADING, size=16), element(body(9))]),
        with_edges(10, [element(body(10, 1)), element(body(10, 2))]),
        with_edges(11, [element("A. The clause in full", Label.HEADING, size=16), element(CLAUSE)]),
        with_edges(12, [element("Draft resolution on the old boathouse", Label.PAGE_HEADER), element(body(12))]),
    ]


def test_twelve_pages_are_one_document() -> None:
    assembled = assemble(twelve_pages(), ReadOptions())

    assert dropped(assembled) == [
        one
        for number in range(2, 13)
        for one in (
            (number, "Harbour rules" if number % 2 else "The harbour office", "repeated"),
            (number, str(number), "page_number"),
        )
    ]
    elements = [each for one in assembled for each in one.elements if not each.dropped]
    assert [(each.level, each.text) for each in elements if each.level] == [
        (1, "Rules of the harbour"),
        (2, "1 The berths"),
        (3, "1.1 Their keeping"),
        (3, "Exceptions"),
        (2, "2 The fees"),
        (2, "Exercises"),
        (2, "A. The clause in full"),
    ]
    assert [each.text for each in elements if each.continues and not each.cells] == ["office on the same day."]
    assert [(each.continues, each.repeated_rows) for each in elements if each.cells] == [
        (False, 0),
        (True, 1),
        (True, 1),
    ]
    assert [each.text for each in elements].count(CLAUSE) == 2
    draft = next(each for each in elements if each.text.startswith("Draft"))
    assert draft.label == Label.PARAGRAPH


def test_headers_are_kept_when_asked_for_and_tables_left_apart() -> None:
    assembled = assemble(twelve_pages(), ReadOptions(keep_headers=True, join_tables=False))
    assert dropped(assembled) == []
    assert not any(each.continues for one in assembled for each in one.elements if each.cells)
    assert any(each.continues for one in assembled for each in one.elements)
    assert assembled[1].elements[0].label == Label.PAGE_HEADER


def test_assembled_pages_no_longer_say_how_they_were_read() -> None:
    assert {type(one) for one in assemble(twelve_pages(), ReadOptions())} == {Page}


@pytest.mark.slow
def test_a_book_takes_seconds_and_twice_the_pages_twice_the_time() -> None:
    pages = [with_edges(number, [element(f"{number} says {part}.") for part in range(8)]) for number in range(1, 2001)]
    started = time.process_time()
    assembled = assemble(pages, ReadOptions())
    assert time.process_time() - started < 8
    assert len(dropped(assembled)) == 4000


SENTENCES = st.lists(
    st.sampled_from(["boat", "pier", "ice", "tenant", "harbour", "fee", "rope", "tide"]), min_size=6, max_size=30
)
FURNITURE = st.sampled_from(["Harbour rules", "ACME Corp. — Confidential", "规则", "Report No. 17, May 2026"])


@st.composite
def documents(draw: st.DrawFn) -> tuple[list[PageResult], list[str]]:
    """Pages of paragraphs with a header or page number around them, and the paragraphs."""
    count = draw(st.integers(5, 14))
    header, footer = draw(FURNITURE), draw(st.sampled_from(["{}", "Page {} of 99", "- {} -", "A-{}"]))
    top, mirrored = draw(st.sampled_from([24, 36, 48])), draw(st.booleans())
    start = draw(st.integers(1, 400))
    pages, paragraphs = [], []
    for number in range(1, count + 1):
        texts = [
            f"{' '.join(draw(SENTENCES)).capitalize()} {number * 7 + part * 31}."
            for part in range(draw(st.integers(2, 5)))
        ]
        paragraphs += texts
        left = 400 if mirrored and number % 2 else 72
        pages.append(
            page(
                number,
                [
                    at(top, header, left=left, size=9),
                    *map(element, texts),
                    at(805, footer.format(start + number), left=280, size=9),
                ],
            )
        )
    return pages, paragraphs


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(documents())
def test_exactly_the_furniture_is_dropped_and_all_else_keeps_its_order(
    made: tuple[list[PageResult], list[str]],
) -> None:
    pages, paragraphs = made
    assembled = assemble(pages, ReadOptions())
    assert kept(assembled) == paragraphs
    assert len(dropped(assembled)) == 2 * len(pages)


LABELS = st.sampled_from([label for label in Label if label not in (Label.TABLE,)])


@st.composite
def anything(draw: st.DrawFn) -> list[PageResult]:
    pages = []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        elements = [
            at(
                draw(st.sampled_from([10, 30, 60, 90, 300, 700, 790, 810])),
                draw(
                    st.sampled_from(
                        ["", "3", "1 One", "A. Two", "Rules", "goes on", "II", "IV. Four", "x,", f"p. {number}"]
                    )
                ),
                draw(LABELS),
                size=draw(st.sampled_from([0, 9, 11, 20])),
                flags=draw(st.sampled_from([[], ["half"], ["hidden_white"]])),
                level=draw(st.sampled_from([0, 0, 2])),
                source=draw(st.sampled_from(["layer", "dolphin"])),
            )
            for _ in range(draw(st.integers(0, 6)))
        ]
        pages.append(page(number, elements))
    return pages


def texts(pages: Sequence[Page]) -> list[list[str]]:
    return [sorted(each.text for each in one.elements if each.label != Label.FIGURE) for one in pages]


@settings(max_examples=300, deadline=None)
@given(anything())
def test_nothing_is_lost_however_often_it_is_assembled(pages: list[PageResult]) -> None:
    once = assemble(pages, ReadOptions())
    assert texts(once) == texts(pages)
    assert texts(assemble(once, ReadOptions())) == texts(pages)


def test_nothing_goes_on_over_pages_that_were_left_out() -> None:
    before, after = element("The tenant keeps the berth clean and leaves room for"), element("boats that pass.")

    def joined(number: int) -> list[bool]:
        made = assemble([page(1, [before]), page(number, [after])], ReadOptions())
        return [each.continues for one in made for each in one.elements]

    assert (joined(2), joined(3)) == ([False, True], [False, False])

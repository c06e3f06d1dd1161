"""Levels of headings, and what is none."""

from __future__ import annotations

import pytest

from pdfbatch.assembly.headings import with_headings
from pdfbatch.assembly.numbering import levels_of
from pdfbatch.records import Element, Heading, Label, Span
from tests.assembly.pages import element, page


def heading(text: str, size: float = 12, **more: object) -> Element:
    return element(text, Label.HEADING, size=size, **more)


def title(text: str, size: float = 20, **more: object) -> Element:
    return element(text, Label.TITLE, size=size, **more)


def found(*elements: Element, outline: tuple[Heading, ...] = ()) -> list[tuple[int, str]]:
    """Level and text of each heading, all on page 1."""
    made = with_headings([page(1, elements)], outline)
    return [(each.level, each.text) for each in made[0].elements if each.label in (Label.TITLE, Label.HEADING)]


def levels(*elements: Element, outline: tuple[Heading, ...] = ()) -> list[int]:
    return [level for level, _ in found(*elements, outline=outline)]


NUMBERED: list[tuple[str, list[tuple[int, str]]]] = [
    ("numbers", [(2, "1 One"), (3, "1.1 Two"), (4, "1.1.1 Three"), (5, "1.1.1.1 Four"), (2, "2. Five")]),
    ("no deeper than six", [(6, "1.1.1.1.1.1 Deep")]),
    (
        "appendices by letter",
        [(2, "1 One"), (2, "2 Two"), (2, "A. Three"), (3, "A.1 Four"), (4, "A.1.2 Five"), (2, "B Six")],
    ),
    ("appendices by word", [(2, "Appendix A"), (2, "Annex 3: Fees"), (3, "Appendix B.1 Fees"), (2, "Anhang")]),
    ("chapters", [(2, "Chapter 3"), (3, "3.1 One"), (2, "Kapitel 4")]),
    ("parts of chapters", [(2, "Part I"), (3, "Chapter 1"), (4, "Article 2"), (4, "§ 4 Fees")]),
    ("articles alone", [(2, "Article 5"), (2, "§ 6"), (2, "Art. 7 Fees")]),
    ("Roman", [(2, "I. One"), (2, "II. Two"), (2, "III. Three"), (2, "IV. Four"), (2, "V. Five")]),
    (
        "letters within Roman",
        [(2, "I. One"), (3, "A. a"), (3, "B. b"), (3, "C. c"), (3, "D. d"), (2, "II. Two"), (3, "A. e")],
    ),
    ("Roman within letters", [(2, "A. a"), (3, "I. One"), (3, "II. Two"), (2, "B. b"), (3, "I. One")]),
    ("numbers within both", [(2, "A. a"), (3, "I. One"), (4, "1. i"), (3, "II. Two"), (2, "B. b")]),
    ("letters up to I", [(2, "H. Eight"), (2, "I. Nine"), (2, "J. Ten")]),
    (
        "none",
        [
            (0, "Introduction"),
            (0, "A study of boats"),
            (0, "I am"),
            (0, "Partial sums"),
            (0, "Articles"),
            (0, "1234 boats"),
        ],
    ),
]


@pytest.mark.parametrize(("name", "expected"), NUMBERED)
def test_numbers_say_how_deep(name: str, expected: list[tuple[int, str]]) -> None:
    texts = [text for _, text in expected]
    assert list(zip(levels_of(texts), texts, strict=True)) == expected


def test_headings_without_number_are_as_deep_as_those_of_their_size() -> None:
    assert levels(
        title("T" * 3), heading("1 One", 16), heading("1.1 Two", 13), heading("Three", 13), heading("Four", 16)
    ) == [
        1,
        2,
        3,
        3,
        2,
    ]


def test_sizes_between_larger_and_smaller_ones_find_their_place() -> None:
    assert levels(heading("Largest", 18), heading("1 One", 16), heading("Less", 14), heading("Least", 9)) == [
        2,
        2,
        3,
        4,
    ]


def test_without_numbers_the_larger_is_above() -> None:
    assert levels(heading("One", 16), heading("Two", 13), heading("Three", 16), heading("Four", 11)) == [2, 3, 2, 4]
    assert levels(heading("One", 0), heading("Two", 0)) == [2, 2]


def test_a_level_that_a_reader_gave_stays() -> None:
    assert levels(title("Rules", level=1), heading("One", level=4), heading("1.1 Two", level=2)) == [1, 4, 2]


def test_the_outline_goes_before_all_else() -> None:
    outline = (Heading(1, "The  BERTHS", 1), Heading(2, "Two", 1), Heading(3, "Of winter", 2), Heading(5, "Far", 9))
    made = [title("Rules"), heading("The berths", level=4), heading("1 Two"), heading("1.1 Of winter"), heading("Far")]
    assert levels(*made, outline=outline)[:4] == [1, 2, 3, 4]


def test_an_outline_whose_root_is_the_title_counts_from_it() -> None:
    assert levels(title("Rules"), heading("One"), outline=(Heading(1, "Rules", 1), Heading(2, "One", 1))) == [1, 2]


def test_a_paragraph_that_the_outline_names_on_its_page_is_a_heading() -> None:
    made = [element("The berths"), element("The fees")]
    assert found(*made, outline=(Heading(1, "The berths", 1), Heading(1, "The fees", 2))) == [(2, "The berths")]


@pytest.mark.parametrize("text", ["1987", "= + 3", "where the boats lie,", "and so they pass.", "x"])
def test_what_is_no_heading_is_a_paragraph(text: str) -> None:
    assert found(heading(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Dear Ms Olsen,",
        "Dear Ms Olsen:",
        "Sehr geehrte Frau Olsen,",
        "Sehr geehrter Herr Braun!",
        "Madame, Monsieur,",
        "Estimada señora:",
        "Уважаемая госпожа Ольсен!",
        "Ms Olsen,",
        "The boats lie at the pier,",
    ],
)
@pytest.mark.parametrize("label", [Label.TITLE, Label.HEADING])
def test_the_salutation_of_a_letter_is_no_heading(text: str, label: Label) -> None:
    assert found(element(text, label)) == []


@pytest.mark.parametrize("text", ["Dear Diary", "Liebe und Arbeit", "Cher: a life in music", "High water: a table"])
def test_a_heading_that_begins_like_a_salutation_is_one(text: str) -> None:
    assert [text for _, text in found(heading(text))] == [text]


@pytest.mark.parametrize("text", ["§ 4", "e-mail and letters", "前言", "1 One", "No boats.", "Ü 3 ab"])
def test_what_is_a_heading_stays_one(text: str) -> None:
    assert [text for _, text in found(heading(text))] == [text]


def test_a_formula_is_no_heading() -> None:
    assert found(heading("", spans=[Span(text="abc = de", math=True)])) == []


def test_the_largest_title_of_the_first_page_is_the_title() -> None:
    assert found(title("The harbour office", 12), title("Rules", 24), title("of the harbour", 23.5)) == [
        (2, "The harbour office"),
        (1, "Rules"),
        (1, "of the harbour"),
    ]


def test_numbered_titles_are_headings_beside_another() -> None:
    assert levels(title("Rules", 16), title("1 One", 16), title("Chapter 2", 16)) == [1, 2, 2]
    assert levels(title("1 One", 16)) == [1]


def test_dropped_headings_are_ignored() -> None:
    assert found(heading("1 Rules", 30, dropped="repeated"), heading("One", 12)) == [(0, "1 Rules"), (2, "One")]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((20.0, 12.0, 12.0), [1, 2, 2]),
        ((14.0, 12.0, 12.0), [2, 3, 3]),  # not much larger: a heading like the others
        ((12.0, 20.0, 12.0), [3, 2, 3]),  # larger, but not the first
        ((20.0,), [2]),  # nothing to compare with
    ],
)
def test_a_first_heading_much_larger_than_every_other_is_the_title(
    sizes: tuple[float, ...], expected: list[int]
) -> None:
    assert levels(*(heading(f"Heading {size} of {n}", size) for n, size in enumerate(sizes))) == expected


def test_a_numbered_first_heading_is_no_title() -> None:
    assert levels(heading("1 Scope", 20), heading("2 Terms", 12)) == [2, 2]

"""What is dropped as furniture, and what only looks like it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from pdfbatch.assembly.furniture import with_furniture
from pdfbatch.records import Element, Label, Page, PageResult, ReadOptions, Span
from tests.assembly.pages import HEIGHT, LEFT, RIGHT, WIDTH, at, dropped, element, page

CONTENT = [
    label for label in Label if label not in (Label.PAGE_HEADER, Label.PAGE_FOOTER, Label.WATERMARK, "line_numbers")
]
WORDS = ["boats", "that", "pass", "on", "their", "way", "to", "the", "slip", "lie", "at", "the", "pier", "in", "winter"]


def said(number: int, part: int = 0) -> str:
    """A paragraph that no other page has."""
    turned = WORDS[number % 7 :] + WORDS[: number % 7]
    return f"{chr(65 + number % 26)}{chr(97 + part)}x {' '.join(turned)} {' '.join(turned)}."


def pages_with(count: int, edges: Callable[[int], Sequence[Element]], top: float = 90) -> list[PageResult]:
    return [page(n, [*edges(n), *(element(said(n, part)) for part in range(3))]) for n in range(1, count + 1)]


def reasons(pages: Sequence[Page], **options: bool) -> list[tuple[int, str, str]]:
    return dropped(with_furniture(pages, ReadOptions(**options)))


def roman(number: int) -> str:
    return ["", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"][number]


RUNNING: dict[str, tuple[Callable[[int], Sequence[Element]], str]] = {
    "the same on each page": (lambda n: [at(40, "Harbour rules", size=9)], "repeated"),
    "with the page's number": (lambda n: [at(40, f"Harbour rules · {n + 40}", size=9)], "repeated"),
    "in the size of the text": (lambda n: [at(40, "Harbour rules")], "repeated"),
    "on left and right pages in turn": (
        lambda n: [at(40, "Rules", left=72) if n % 2 else at(40, "The office", left=440)],
        "repeated",
    ),
    "mirrored": (lambda n: [at(40, f"{n}", left=72 if n % 2 else 513)], "page_number"),
    "by chapter": (lambda n: [at(40, ["The berths", "The fees", "The winter"][(n - 1) // 3])], "repeated"),
    "at the bottom": (lambda n: [at(800, "Office of the harbour, Pier 3")], "repeated"),
    "called a heading but for once": (
        lambda n: [at(40, "Rules", Label.HEADING if n > 1 else Label.PARAGRAPH)],
        "repeated",
    ),
    "page x of y": (lambda n: [at(800, f"Page {n} of 9", left=260)], "page_number"),
    "x / y": (lambda n: [at(800, f"{n}/9", left=260)], "page_number"),
    "between dashes": (lambda n: [at(800, f"– {n} –", left=260)], "page_number"),
    "Roman": (lambda n: [at(800, roman(n), left=260)], "page_number"),
    "in German": (lambda n: [at(800, f"Seite {n} von 9", left=260)], "page_number"),
    "in Chinese": (lambda n: [at(800, f"第 {n} 页", left=260)], "page_number"),
    "large": (lambda n: [at(790, f"{n}", left=260, size=20)], "page_number"),
    "a turned note in the margin": (
        lambda n: [element("Downloaded by the harbour office on 3 May", box=(20, 200, 30, 600), size=8)],
        "repeated",
    ),
    "a number misread": (lambda n: [at(800, f"{n}{n * 30 + 600}", Label.PAGE_FOOTER, left=260)], "page_number"),
    "a long notice": (lambda n: [at(800, "No warranty is given, and no right is waived. " * 8, size=6)], "repeated"),
    "another title on each page, and its number": (
        lambda n: [at(800, f"{n + 3} {said(n, 9)[4:20]}" if n % 2 else f"{said(n, 9)[4:20]} {n + 3}", left=72)],
        "repeated",
    ),
    "now with and now without its number": (lambda n: [at(800, "Rules" if n == 4 else f"Rules {n}")], "repeated"),
    "a logo": (lambda n: [element("", Label.FIGURE, box=(450, 20, 520, 60))], "repeated"),
}


@pytest.mark.parametrize("name", RUNNING)
def test_what_repeats_at_the_edge_of_pages_is_dropped(name: str) -> None:
    edges, reason = RUNNING[name]
    found = reasons(pages_with(9, edges))
    assert [(number, why) for number, _, why in found] == [(number, reason) for number in range(1, 10)]


@pytest.mark.parametrize("name", RUNNING)
def test_what_repeats_is_kept_when_asked_for(name: str) -> None:
    assert reasons(pages_with(9, RUNNING[name][0]), keep_headers=True) == []


TEXT: dict[str, Callable[[int], Sequence[Element]]] = {
    "a clause in brackets, once": lambda n: [at(72, "(c) any boat left for a year (unless its owner is ill)")][
        : n == 1
    ],
    "a draft, once, called a header": lambda n: [at(40, "Draft resolution on the sale", Label.PAGE_HEADER)][: n == 3],
    "a version, once": lambda n: [at(800, "Version 3 of these rules is in force from 1 May.", Label.PAGE_FOOTER)][
        : n == 2
    ],
    "a lone sum": lambda n: [at(800, "1987", Label.PAGE_FOOTER, size=14)][: n == 3],
    "another sum on each page": lambda n: [at(800, f"{(n * 7919) % 1000}", left=260)],
    "what each page says in other words": lambda n: [at(40, said(n, 7)[:50])],
    "a section heading far between": lambda n: [at(72, "Exercises", Label.HEADING)][: n in (2, 9)],
    "large type on a page here and there": lambda n: [at(40, "The winter", size=20)][: n in (3, 5, 9)],
    "a heading on each page": lambda n: [at(72, f"Section {n}", Label.HEADING)],
    "a numbered heading on each page": lambda n: [at(72, f"{n} {said(n)[:12]}", Label.HEADING)],
    "a numbered item on each page": lambda n: [at(72, f"{n}. {said(n)[:12]}")],
    "a table's caption": lambda n: [at(40, "Table 2 (continued)", Label.CAPTION)],
    "a table's caption, called text": lambda n: [at(40, "Table 2 (continued)")],
    "a field's name": lambda n: [at(40, "Name of the tenant:")],
    "a form's field": lambda n: [at(40, "Yes", Label.FORM_FIELD)],
    "a field beside its value": lambda n: [at(40, "Tenant"), at(40, said(n)[:12], left=300)],
    "a numbered sentence": lambda n: [at(40, f"{n} boats lie at the pier in the winter.")],
}


def test_a_name_in_large_type_that_every_page_shows_is_a_header() -> None:
    dropped_here = reasons(pages_with(12, lambda n: [at(40, "THE WINTER", size=20)]))
    assert {reason for *_, reason in dropped_here} == {"repeated"} and len(dropped_here) == 12


@pytest.mark.parametrize("name", TEXT)
def test_what_stands_once_or_belongs_to_the_text_is_kept(name: str) -> None:
    assert reasons(pages_with(12, TEXT[name])) == []


@pytest.mark.parametrize("count", [3, 4, 5, 12])
def test_the_first_line_of_the_text_may_be_the_same_on_two_pages(count: int) -> None:
    pages = [
        page(n, [element("Exercises" if n in (2, 3) else said(n, 5)[:40]), element(said(n))])
        for n in range(1, count + 1)
    ]
    assert reasons(pages) == []


def test_headers_that_do_not_repeat_become_paragraphs_or_where_large_headings() -> None:
    pages = pages_with(5, lambda n: [at(40, said(n, 6)[:30], Label.PAGE_HEADER, size=18 if n == 2 else 11)])
    labels = [one.elements[0].label for one in with_furniture(pages, ReadOptions())]
    assert labels == [Label.PARAGRAPH, Label.HEADING, *[Label.PARAGRAPH] * 3]


def test_the_first_of_headings_that_pages_repeat_is_the_heading() -> None:
    pages = pages_with(9, lambda n: [at(40, "Harbour rules", Label.HEADING), at(800, f"{n}", Label.HEADING)])
    assert [number for number, text, _ in reasons(pages) if text == "Harbour rules"] == list(range(2, 10))
    assert [number for number, _, why in reasons(pages) if why == "page_number"] == list(range(1, 10))


def test_what_repeats_is_called_a_header_or_footer() -> None:
    pages = pages_with(5, lambda n: [at(40, "Rules"), at(800, f"{n}")])
    assert [each.label for each in with_furniture(pages, ReadOptions())[2].elements[:2]] == [
        Label.PAGE_HEADER,
        Label.PAGE_FOOTER,
    ]


def test_a_repeated_line_below_text_is_text() -> None:
    pages = pages_with(6, lambda n: [at(30, said(n, 8)[:40]), at(60, "The tenant signs here")])
    assert reasons(pages) == []


def test_a_title_page_keeps_what_later_pages_repeat() -> None:
    titled = page(1, [at(40, "Rules of the harbour"), at(400, "May")])
    later = pages_with(4, lambda n: [at(40, "Rules of the harbour")] if n > 2 else [])[1:]
    assert [number for number, _, _ in reasons([titled, *later])] == [3, 4]
    many = pages_with(9, lambda n: [at(40, "Rules of the harbour")])[1:]
    assert [number for number, _, _ in reasons([titled, *many])] == list(range(1, 10))


def test_two_documents_in_one_file_are_judged_each_by_its_own_pages() -> None:
    with_header = pages_with(10, lambda n: [at(76, "Rules of the harbour")])
    without = [page(n, [at(76, said(n, 4)[:60]), element(said(n))]) for n in range(11, 41)]
    assert {number for number, _, _ in reasons([*with_header, *without])} >= set(range(1, 7))
    assert all(number <= 10 for number, _, _ in reasons([*with_header, *without]))


@pytest.mark.parametrize("text", ["12", "- 3 -", "Page 3 of 12", "3/12", "iv", "Seite 4", "– 7 –", "p. 9", "第3页"])
def test_a_lone_page_number_of_a_short_document_is_dropped(text: str) -> None:
    pages = [page(1, [element(said(1)), at(800, text, left=290, size=9)])]
    assert [why for _, _, why in reasons(pages)] == ["page_number"]
    middle = [page(1, [at(300, text, left=290, size=9), element(said(1)), at(600, said(2)[:40])])]
    assert reasons(middle) == []


@pytest.mark.parametrize("text", ["Page 1 of 2", "Seite 1", "Página 1 de 2", "- Page 1 -"])
@pytest.mark.parametrize("top", [40, 62, 80])
def test_a_page_number_in_words_is_dropped_beside_a_letterhead(text: str, top: float) -> None:
    head = [at(40, "Harbour Office Northpier", size=14), at(60, "Pier 3, Kiel", size=9), at(74, "Phone 55", size=9)]
    pages = [page(1, [*head, at(top, text, left=470, size=9), element(said(1)), element(said(2))])]
    assert reasons(pages) == [(1, text, "page_number")]


@pytest.mark.parametrize("text", ["1", "4", "iv", "Pier 3"])
def test_another_number_beside_a_letterhead_is_kept(text: str) -> None:
    head = [at(40, "Harbour Office Northpier", size=14), at(60, "Pier 3, Kiel", size=9)]
    assert reasons([page(1, [*head, at(62, text, left=470, size=9), element(said(1)), element(said(2))])]) == []


@pytest.mark.parametrize("text", ["1987", "2026", "4711", "12 %", "(3)", "$ 12", "3.", "12 boats", "civil", "x = 3"])
def test_a_number_that_counts_no_page_is_kept(text: str) -> None:
    assert reasons([page(1, [element(said(1)), at(800, text, left=290)])]) == []


def test_a_number_close_below_the_text_is_its_own() -> None:
    pages = [page(1, [element(said(1)), at(780, said(2)[:30]), at(794, "12")])]
    assert reasons(pages) == []


@pytest.mark.parametrize(
    ("text", "is_dropped"),
    [
        ("Harbour rules", True),
        ("ACME Corp. – Confidential", True),
        ("Draft resolution on the sale of the old boathouse", False),
        ("(c) any boat left for a year", False),
        ("Version 3 of these rules is in force from 1 May.", False),
        ("unless the owner is ill", False),
        ("1987", False),
    ],
)
@pytest.mark.parametrize("count", [1, 2])
def test_short_documents_drop_what_the_layout_model_called_a_header(text: str, is_dropped: bool, count: int) -> None:
    pages = [page(1, [at(36, text, Label.PAGE_HEADER, size=9), element(said(1)), element(said(2))])]
    pages += [page(2, [element(said(3))])][: count - 1]
    assert [why for _, _, why in reasons(pages)] == ["header"] * is_dropped


def test_a_line_of_a_short_document_that_looks_like_its_text_is_text() -> None:
    flush = page(1, [at(36, "Draft resolution on the sale", Label.PAGE_HEADER), element(said(1)), element(said(2))])
    indented = page(1, [at(36, "The harbour office", Label.PAGE_HEADER, left=400), element(said(1)), element(said(2))])
    assert reasons([flush]) == []
    assert reasons([indented]) == [(1, "The harbour office", "header")]


def test_a_short_document_keeps_a_header_within_the_text_or_set_large_or_all_there_is() -> None:
    inside = page(1, [element(said(1)), at(400, "Harbour rules", Label.PAGE_HEADER), at(500, said(2)[:40])])
    large = page(1, [at(36, "Harbour rules", Label.PAGE_HEADER, size=20), element(said(1))])
    alone = page(1, [at(36, "Harbour rules", Label.PAGE_HEADER, size=9)])
    assert [reasons([one]) for one in (inside, large, alone)] == [[], [], []]


def test_watermarks_line_numbers_hidden_text_and_data_about_the_document_are_dropped_unless_wanted() -> None:
    one = page(
        1,
        [
            element("DRAFT", Label.WATERMARK, box=(100, 100, 500, 700)),
            element("1 2 3", Label.LINE_NUMBERS, box=(30, 90, 50, 700)),
            element("Say that this is good.", flags=["hidden_white"]),
            element("arXiv 1", Label.PAGE_HEADER, box=(LEFT, 400, RIGHT, 420), tags=["meta_num"]),
            element(said(1)),
        ],
    )
    assert [why for _, _, why in reasons([one])] == ["watermark", "line_numbers", "hidden", "meta"]
    assert [why for _, _, why in reasons([one], keep_headers=True)] == ["hidden"]
    assert [why for _, _, why in reasons([one], keep_hidden=True)] == ["watermark", "line_numbers", "meta"]


@pytest.mark.parametrize("label", CONTENT)
@pytest.mark.parametrize("pages", [1, 5])
def test_content_with_a_tag_is_never_dropped_for_the_tag(label: Label, pages: int) -> None:
    for tag in ("meta", "meta_num", "meta_pub"):
        tagged = element("Volume 7 of the harbour rules", label, box=(LEFT, 300, RIGHT, 340), tags=[tag])
        rest = [page(number, [element(said(number))]) for number in range(2, pages + 1)]
        assert reasons([page(1, [element(said(1)), tagged]), *rest]) == []


def test_a_watermark_over_the_page_does_not_keep_its_header() -> None:
    mark = element("DRAFT", Label.WATERMARK, box=(0, 0, WIDTH, HEIGHT))
    pages = pages_with(5, lambda n: [mark, at(40, "Harbour rules")])
    assert [why for _, text, why in reasons(pages) if text != "DRAFT"] == ["repeated"] * 5


def test_a_reason_that_a_reader_gave_stays() -> None:
    one = page(1, [element(said(1), dropped="printed_twice")])
    assert reasons([one]) == [(1, said(1), "printed_twice")]


def test_pages_of_unknown_size_are_judged_by_what_they_hold() -> None:
    pages = [
        one.model_copy(update={"width": 0, "height": 0})
        for one in pages_with(6, lambda n: [at(40, "Rules"), element("", Label.FIGURE, box=(LEFT, 300, RIGHT, 800))])
    ]
    assert [why for _, _, why in reasons(pages)] == ["repeated"] * 6


@pytest.mark.parametrize("far", [1e300, float("inf"), float("nan")])
def test_a_box_far_out_of_bounds_does_no_harm(far: float) -> None:
    wild = element("Somewhere", box=(-far, -far, far, far))
    pages = pages_with(6, lambda n: [wild, at(40, "Rules"), at(800, f"{n}")])
    assert {text for _, text, _ in reasons(pages)} <= {"Rules", *"123456"}


@pytest.mark.parametrize("text", ["Invoice 2026-118", "Customer 40213", "Case 12/1987"])
def test_the_number_of_a_letter_is_text_where_it_is_said_once(text: str) -> None:
    body = [at(200 + 20 * row, f"Line {row} of the letter goes on as letters do.") for row in range(8)]
    assert dropped(with_furniture([page(1, [at(45, text, Label.PAGE_HEADER, left=400), *body])], ReadOptions())) == []


def one_title(text: str, number: int, count: int = 5, top: float = 40, first: int = 0, **more: object) -> list[Page]:
    """A document whose page `number` alone has a title; the others have their numbers, counted on from `first`, if it
    is not 0."""
    title = at(top, text, Label.PAGE_HEADER if top < 400 else Label.PAGE_FOOTER, **{"size": 9, **more})  # type: ignore[arg-type]
    return pages_with(
        count, lambda n: [title] if n == number else [at(800, str(n + first - 1), left=290)] * bool(first)
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [("2 Z. Shen et al.", 2), ("Appendix | 4", 4), ("The fees · 3", 3), ("The berths ii", 2), ("The berths – [5]", 5)],
)
@pytest.mark.parametrize("top", [40, 800])
def test_a_title_with_the_pages_number_is_a_header_where_it_stands_once(text: str, number: int, top: float) -> None:
    assert reasons(one_title(text, number, top=top)) == [(number, text, "header")]
    assert reasons(one_title(text, number, top=top), keep_headers=True) == []


def test_a_title_with_the_number_that_follows_from_the_other_pages_is_a_header() -> None:
    assert (3, "Appendix | 17", "header") in reasons(one_title("Appendix | 17", 3, 8, first=15))
    assert (3, "Appendix | 3", "header") not in reasons(one_title("Appendix | 3", 3, 8, first=15))


def test_a_number_that_is_not_the_pages_or_a_heading_is_text() -> None:
    assert reasons(one_title("2 Z. Shen et al.", 3)) == []
    assert reasons(one_title("Case 12 of 2026", 2)) == []
    assert reasons(one_title("2 The berths", 2, spans=[Span(text="2 The berths", bold=True)])) == []
    assert reasons(one_title("2 The berths", 2, size=16)) == []
    assert reasons(one_title("In the year that follows they numbered 2", 2, top=300)) == []
    plain = [at(40, "2 Z. Shen et al.", size=9)]
    assert reasons(pages_with(4, lambda n: plain if n == 2 else [])) == []

"""Whole documents: pages behind anchors, elements that go on, and blocks that leave one another alone."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdfbatch.markdown import Anchor, anchors, document_markdown
from pdfbatch.markdown.document import PageText, page_texts
from pdfbatch.records import Cell, Element, Label, Page, Reason, Span
from tests.markdown import rendered
from tests.markdown.elements import document, element, page, styled, table, texts

TEXT_LABELS = [Label.PARAGRAPH, Label.CAPTION, Label.FOOTNOTE, Label.REFERENCE]
KINDS = {
    Label.LIST_ITEM: "li",
    Label.FORM_FIELD: "li",
    Label.HEADING: "h2",
    Label.CODE: "code",
    Label.TABLE: "table",
}
"""What a renderer calls them; all else is `p`."""
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def markdown_of(*elements: Element) -> str:
    """Of one page, without its anchor."""
    return document_markdown(document(page(1, *elements))).removeprefix("<!-- page 1 -->\n").strip("\n")


def paragraph(text: str, continues: bool = False) -> Element:
    return element(Label.PARAGRAPH, text, continues=continues)


def test_pages_stand_in_order_each_behind_its_anchor() -> None:
    pages = [
        page(1, paragraph("a"), element(Label.HEADING, "b")),
        page(2),
        page(3, reason=Reason.TIMEOUT),
        page(4, paragraph("read of it"), reason=Reason.TIMEOUT),
    ]
    markdown = document_markdown(document(*pages))
    assert markdown == (
        "<!-- page 1 -->\n\na\n\n## b\n\n<!-- page 2 -->\n\n<!-- page 3: timeout -->\n\n"
        "<!-- page 4: timeout -->\n\nread of it\n"
    )
    assert anchors(markdown) == [
        Anchor(1, None),
        Anchor(2, None),
        Anchor(3, Reason.TIMEOUT),
        Anchor(4, Reason.TIMEOUT),
    ]


def test_a_document_without_pages_is_empty() -> None:
    assert document_markdown(document()) == ""


def test_what_is_dropped_is_not_written() -> None:
    assert markdown_of(element(Label.PAGE_HEADER, "a", dropped="repeated"), paragraph("b")) == "b"


@pytest.mark.parametrize(
    ("left", "right", "whole"),
    [
        ("one", "two", "one two"),
        ("one ", " two", "one two"),
        ("para-", "graph", "paragraph"),
        ("self-", "made", "self-made"),
        ("in 2020-", "2021", "in 2020-2021"),
        ("日本", "語", "日本語"),
        ("a\nb", "c", "a\\\nb c"),
        ("a", "", "a"),
    ],
)
def test_a_paragraph_that_goes_on_is_whole_where_it_begins(left: str, right: str, whole: str) -> None:
    pages = [page(1, paragraph(left), element(Label.FOOTNOTE, "note")), page(2, paragraph(right, continues=True))]
    assert document_markdown(document(*pages)) == f"<!-- page 1 -->\n\n{whole}\n\nnote\n\n<!-- page 2 -->\n"


def test_a_paragraph_may_go_on_over_many_pages() -> None:
    pages = [page(1, paragraph("a")), *(page(n, paragraph("b-", n > 1), paragraph("c", True)) for n in (2, 3))]
    assert document_markdown(document(*pages)).startswith("<!-- page 1 -->\n\na bc bc\n\n<!-- page 2 -->\n")


def test_halves_keep_their_styles_and_lose_the_hyphen() -> None:
    one = styled(Label.PARAGRAPH, Span(text="see "), Span(text="foot-", bold=True))
    two = styled(Label.PARAGRAPH, Span(text=" "), Span(text="note", bold=True), Span(text="."), continues=True)
    assert markdown_of(one, two) == "see **footnote**."


def test_a_formula_at_the_seam_is_left_alone() -> None:
    one = styled(Label.PARAGRAPH, Span(text="as "), Span(text="x-", math=True))
    two = styled(Label.PARAGRAPH, Span(text="y", math=True), Span(text=" says"), continues=True)
    assert markdown_of(one, two) == "as $x-$ $y$ says"


def test_a_list_item_goes_on_on_the_next_page() -> None:
    pages = [
        page(1, element(Label.LIST_ITEM, "a", marker="-", level=1)),
        page(2, element(Label.LIST_ITEM, "b", continues=True), element(Label.LIST_ITEM, "c", marker="-", level=1)),
    ]
    assert document_markdown(document(*pages)) == "<!-- page 1 -->\n\n- a b\n\n<!-- page 2 -->\n\n- c\n"


def test_what_goes_on_with_nothing_stands_by_itself() -> None:
    assert markdown_of(element(Label.HEADING, "a"), paragraph("b", continues=True)) == "## a\n\nb"
    assert markdown_of(table([["a", "b"]], continues=True, repeated_rows=1)) == "|a|b|\n|---|---|"


def test_a_table_goes_on_without_its_repeated_header() -> None:
    pages = [
        page(1, table([["h", "i"], ["1", "2"]])),
        page(2, table([["h", "i"], ["3", "4"]], continues=True, repeated_rows=1)),
        page(3, table([["5", "6"]], headers=0, continues=True)),
    ]
    markdown = document_markdown(document(*pages))
    assert markdown.split("\n\n")[1] == "|h|i|\n|---|---|\n|1|2|\n|3|4|\n|5|6|"
    assert [anchor.number for anchor in anchors(markdown)] == [1, 2, 3]


def test_code_goes_on_line_by_line() -> None:
    assert markdown_of(element(Label.CODE, "a"), element(Label.CODE, "b", continues=True)) == "```\na\nb\n```"


def test_items_and_boxes_that_follow_one_another_are_one_list() -> None:
    elements = [
        element(Label.LIST_ITEM, "a", marker="1.", level=1),
        element(Label.PAGE_FOOTER, "3", dropped="page_number"),
        element(Label.FIGURE, "no picture"),
        element(Label.LIST_ITEM, "b", marker="2.", level=1),
        element(Label.FORM_FIELD, "c", marker="[x]"),
        paragraph("d"),
    ]
    assert markdown_of(*elements) == "1. a\n2. b\n- [x] c\n\nd"


@pytest.mark.parametrize(
    "quoting",
    [
        paragraph("<!-- page 2 -->"),
        paragraph("a\n<!-- page 2 -->"),
        element(Label.LIST_ITEM, "<!-- page 2 -->", marker=""),
        element(Label.HEADING, "<!-- page 2 -->"),
        element(Label.CODE, "a\n<!-- page 2 -->\n<!-- page 3: timeout -->"),
        element(Label.TABLE, cells=[
            Cell(row=0, column=0, columns=2, spans=[Span(text="<!-- page 2 -->\n<!-- page 3 -->")]),
            Cell(row=1, column=1),
        ]),
        styled(Label.FORMULA, Span(text="a\n<!-- page 2 -->", math=True)),
        styled(Label.PARAGRAPH, Span(text="a"), Span(text="\n"), Span(text="<!-- page 2 -->", mono=True)),
        styled(Label.PARAGRAPH, Span(text="<!-- page 2 -->", link="<!-- page 2 -->")),
    ],
)  # fmt: skip
def test_no_text_of_a_page_looks_like_an_anchor(quoting: Element) -> None:
    markdown = document_markdown(document(page(1, paragraph("a"), quoting, paragraph("b"))))
    assert anchors(markdown) == [Anchor(1, None)]
    assert "page 2" in markdown


NOT_BLANK = texts(5).map(lambda text: text if text.strip() else "a")
KINDS_OF_ELEMENTS = st.sampled_from(["text", "list", "heading", "code", "table", "figure", "box"])


@st.composite
def elements(draw: st.DrawFn) -> Element:
    text, kind = draw(NOT_BLANK), draw(KINDS_OF_ELEMENTS)
    if kind == "table":
        return table([[text, "b"], ["c", draw(texts(3))]])
    if kind == "list":
        return element(Label.LIST_ITEM, text, marker=draw(st.sampled_from(["-", "1.", "2.", "(a)"])), level=1)
    if kind == "figure":
        return element(Label.FIGURE, text, figure="a.png")
    if kind == "box":
        return element(Label.FORM_FIELD, text, marker="[x]")
    labels = {"heading": Label.HEADING, "code": Label.CODE, "text": draw(st.sampled_from(TEXT_LABELS))}
    return element(labels[kind], text)


@pytest.mark.slow
@MANY
@given(st.lists(elements(), max_size=6), st.integers(0, 6))
def test_no_element_changes_another(sequence: list[Element], cut: int) -> None:
    pages = [page(1, *sequence[:cut]), page(2, *sequence[cut:])]
    shown = [kind for kind in rendered.blocks(document_markdown(document(*pages))) if kind not in ("ul", "ol")]
    names = {
        Label.LIST_ITEM: "li",
        Label.FORM_FIELD: "li",
        Label.HEADING: "h2",
        Label.CODE: "code",
        Label.TABLE: "table",
    }
    kinds = [names.get(one.label, "p") for one in sequence]
    cut = min(cut, len(kinds))
    assert shown == ["html", *kinds[:cut], "html", *kinds[cut:]]


@pytest.mark.slow
@MANY
@given(st.lists(elements(), max_size=6))
def test_every_element_shows_what_it_shows_alone(sequence: list[Element]) -> None:
    sequence = [one.model_copy(update={"marker": one.marker.replace("1.", "-").replace("2.", "-")}) for one in sequence]
    together = rendered.text(markdown_of(*sequence))
    assert together == rendered.squeezed(" ".join(rendered.text(markdown_of(one)) for one in sequence))


@pytest.mark.slow
@MANY
@given(st.lists(st.lists(st.tuples(elements(), st.booleans()), max_size=3), min_size=1, max_size=4))
def test_anchors_are_read_back_whatever_the_pages_say(pages: list[list[tuple[Element, bool]]]) -> None:
    made = [
        page(number, *(one.model_copy(update={"continues": continues}) for one, continues in content))
        for number, content in enumerate(pages, start=1)
    ]
    markdown = document_markdown(document(*made))
    assert [anchor.number for anchor in anchors(markdown)] == list(range(1, len(pages) + 1))


@pytest.mark.slow
def test_the_time_grows_with_the_pages_and_no_faster() -> None:
    def seconds(pages: int) -> float:
        """Of one paragraph and one table that go on from page to page."""
        whole = document(*(_crossing_page(number) for number in range(1, pages + 1)))
        start = time.process_time()
        document_markdown(whole)
        return time.process_time() - start

    seconds(20)
    few, many = min(seconds(100) for _ in range(3)), min(seconds(400) for _ in range(3))
    assert many < 4 * few * 2.5


def _crossing_page(number: int) -> Page:
    return page(
        number,
        paragraph("Some words that go on and on * with ** a _star_ or $5 in http://x.org/a_b-" * 5, number > 1),
        table([["a", "b"], ["c", "d"]] * 5, continues=number > 1),
    )


def test_markdown_without_anchors_is_one_page_and_what_stands_before_the_first_belongs_to_it() -> None:
    assert page_texts("# Title\n\nText\n") == [PageText(1, None, "# Title\n\nText")]
    assert page_texts("Preface\n<!-- page 4 -->\n\nText\n<!-- page 5: timeout -->\n") == [
        PageText(4, None, "Preface\n\n\nText"),
        PageText(5, Reason.TIMEOUT, ""),
    ]

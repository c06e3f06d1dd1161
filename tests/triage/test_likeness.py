"""How much two readings of a page have in common."""

from __future__ import annotations

from pdfbatch.records import Cell, Element, Label, Page, Span, plain_text
from pdfbatch.triage.likeness import likeness, words_of
from tests.triage.needs import needs

pytestmark = needs("rapidfuzz")


def page(*elements: Element) -> Page:
    return Page(number=1, elements=list(elements))


def element(text: str, label: Label = Label.PARAGRAPH, **fields: object) -> Element:
    return Element(label=label, box=(0, 0, 1, 1), spans=plain_text(text), **fields)


def test_capitals_punctuation_and_hyphens_at_line_ends_do_not_count() -> None:
    assert likeness(page(element("The har-\nbour, at DAWN.")), page(element("the harbour at dawn"))) == 1.0


def test_the_order_of_words_counts() -> None:
    one, other = page(element("a b c d")), page(element("c d"), element("a b"))
    assert likeness(one, other) == 0.5


def test_what_is_not_in_the_markdown_does_not_count() -> None:
    dropped = element("Journal of Waves 12", Label.PAGE_HEADER, dropped="header")
    assert likeness(page(dropped, element("a")), page(element("a"))) == 1.0


def test_a_table_read_as_a_paragraph_is_not_the_same() -> None:
    cells = [Cell(row=n // 2, column=n % 2, spans=[Span(text=text)]) for n, text in enumerate("abcd")]
    table = Element(label=Label.TABLE, box=(0, 0, 1, 1), cells=cells)
    assert words_of(page(table)) == ["||", "a", "|", "b", "||", "c", "|", "d"]
    assert 0.5 < likeness(page(table), page(element("a b c d"))) < 0.9


def test_two_pages_without_words_are_alike_and_one_with_words_is_not_like_one_without() -> None:
    assert likeness(page(), page()) == 1.0
    assert likeness(page(), page(element("a"))) == 0.0

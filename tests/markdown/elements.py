"""Short ways to make elements, and strategies for texts that look like Markdown."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from pdfbatch.records import Cell, DocumentElements, Element, Label, Page, Reason, Span, plain_text

SIGNS = "*_~`[]()<>!#+-=|\\$&;:.1. ax\n\tÄ語、€ \u00a0\u3000\"'/@{}^%"
PHRASES = [
    "__init__", "snake_case", "[a](b)", "![a](b)", "~~x~~", "&amp;", "&#42;", "<tag>", "</b>", "<!-- page 1 -->",
    "http://x.org/a_*b*", "www.x.org/_a_", "```", "~~~", "---", "===", "***", "* * *", "1. ", "2) ", "- ", "+ ", "# ",
    "> ", "|a|b|", "|-|-|", "--|--", "[a]: /b", "[x] ", "    ", "\\", "$5", "$x$", "**", "_a", "b*", "``", "<br>",
    "<div>", "\n", " ", "a", "word", "<a@b.c>", "a@b.c", "]:", "](", "<http://a>", "* a", "**a**b", ":-:", "#", "##",
]  # fmt: skip


@cache
def texts(max_size: int = 12) -> st.SearchStrategy[str]:
    """Signs of Markdown, whole constructs of it, and any text that a file can hold. Made once: making it takes longer
    than drawing from it."""
    return st.one_of(
        st.text(st.sampled_from(SIGNS), max_size=max_size * 2),
        st.lists(st.sampled_from(PHRASES), max_size=max_size).map("".join),
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]), max_size=max_size),
    )


def element(label: Label, text: str = "", **fields: Any) -> Element:
    return Element(label=label, box=(0, 0, 1, 1), spans=plain_text(text), **fields)


def styled(label: Label, *spans: Span, **fields: Any) -> Element:
    return Element(label=label, box=(0, 0, 1, 1), spans=list(spans), **fields)


def table(rows: list[list[str]], headers: int = 1, **fields: Any) -> Element:
    cells = [
        Cell(row=row, column=column, header=row < headers, spans=plain_text(text))
        for row, texts in enumerate(rows)
        for column, text in enumerate(texts)
    ]
    return Element(label=Label.TABLE, box=(0, 0, 1, 1), cells=cells, **fields)


def page(number: int, *elements: Element, reason: Reason | None = None) -> Page:
    return Page(number=number, elements=list(elements), reason=reason)


def document(*pages: Page, figures: str = "") -> DocumentElements:
    return DocumentElements(
        version=2, key="a.pdf", etag="e", engine="cpu", model="", figures=figures, pages=list(pages)
    )

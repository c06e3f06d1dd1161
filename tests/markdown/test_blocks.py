"""One element, one block."""

import pytest
from hypothesis import given, settings

from pdfbatch.markdown.blocks import block_markdown
from pdfbatch.records import Element, Label, Span
from tests.markdown import rendered
from tests.markdown.elements import element, styled, texts


@pytest.mark.parametrize(
    ("given_element", "markdown"),
    [
        (element(Label.TITLE, "A title"), "# A title"),
        (element(Label.HEADING, "A heading"), "## A heading"),
        (element(Label.HEADING, "Deep", level=6), "###### Deep"),
        (element(Label.HEADING, "C #"), "## C \\#"),
        (element(Label.HEADING, "C#"), "## C#"),
        (element(Label.HEADING, "# ##"), "## # \\##"),
        (element(Label.HEADING, "##"), "## \\##"),
        (element(Label.HEADING, "1. One\nline"), "## 1. One line"),
        (styled(Label.HEADING, Span(text="Bold", bold=True)), "## Bold"),
        (element(Label.HEADING, " "), ""),
        (element(Label.PARAGRAPH, "a"), "a"),
        (element(Label.PARAGRAPH, ""), ""),
        (element(Label.CAPTION, "Figure 1: a"), "Figure 1: a"),
        (element(Label.FOOTNOTE, "a", marker="1)"), "1\\) a"),
        (element(Label.REFERENCE, "[1] A. Author"), "[1] A. Author"),
        (element(Label.PAGE_HEADER, "kept"), "kept"),
        (element(Label.WATERMARK, "DRAFT"), "DRAFT"),
        (element(Label.FORM_FIELD, "Name: A"), "Name: A"),
        (element(Label.FORMULA, "not latex"), "not latex"),
        (styled(Label.FORMULA, Span(text="\\frac{a}{b}\n\n= c", math=True)), "$$\n\\frac{a}{b}\n{}= c\n$$"),
        (styled(Label.FORMULA, Span(text="a", math=True), Span(text=" (1)")), "$a$ (1)"),
        (styled(Label.FORMULA, Span(text="- b\n+ c\n1. d\n<!-- page 1 -->", math=True)),
         "$$\n{}- b\n{}+ c\n{}1. d\n{}<!-- page 1 -->\n$$"),
        (styled(Label.FORMULA, Span(text="a $ b", math=True)), "a $ b"),
        (element(Label.CODE, "def f():\n    return 1\n\n# a  \n"), "```\ndef f():\n    return 1\n\n# a  \n```"),
        (element(Label.CODE, "```\na\n````"), "`````\n```\na\n````\n`````"),
        (element(Label.CODE, "a\n<!-- page 3 -->"), " ```\n a\n <!-- page 3 -->\n ```"),
        (element(Label.CODE, " \n"), ""),
        (element(Label.FIGURE, "A [b]", figure="p1 (1.png"), "![A \\[b\\]](f%20x/p1%20%281.png)"),
        (element(Label.FIGURE, figure="p1.png"), "![Figure](f%20x/p1.png)"),
        (element(Label.FIGURE, "said by its caption"), ""),
        (element(Label.TABLE, "no cells"), "no cells"),
    ],
)  # fmt: skip
def test_each_kind_of_element_is_written_as_its_block(given_element: Element, markdown: str) -> None:
    assert block_markdown(given_element, "f%20x/") == markdown


@settings(max_examples=500, deadline=None)
@given(texts())
def test_a_heading_is_shown_as_it_is(text: str) -> None:
    markdown = block_markdown(element(Label.HEADING, text, level=3), "")
    assert rendered.text(markdown) == rendered.squeezed(text)
    assert rendered.blocks(markdown) == (["h3"] if text.strip() else [])


@settings(max_examples=500, deadline=None)
@given(texts())
def test_code_is_shown_line_by_line(text: str) -> None:
    markdown = block_markdown(element(Label.CODE, text), "")
    code = "".join(token.content for token in rendered.tokens(markdown))
    lines = text.split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    assert code.split("\n")[:-1] == lines


@settings(max_examples=300, deadline=None)
@given(texts())
def test_a_figure_has_its_text_beside_it(text: str) -> None:
    (token,) = (
        token
        for token in rendered.tokens(block_markdown(element(Label.FIGURE, text, figure="a.png"), "f/"))
        if token.type == "inline"
    )
    (image,) = token.children or []
    assert (image.type, image.attrs["src"]) == ("image", "f/a.png")
    shown = "".join(seen.text for seen in rendered.inline(image.children or []))
    assert rendered.squeezed(shown) == (rendered.squeezed(text) or "Figure")

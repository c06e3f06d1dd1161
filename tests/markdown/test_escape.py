"""Plain text: what a renderer shows of it is it, and ordinary prose has no backslashes."""

import pytest
from hypothesis import given, settings

from pdfbatch.markdown.escape import Part, escaped
from pdfbatch.markdown.inline import InlinePlace, inline
from pdfbatch.records import plain_text
from tests.markdown import rendered
from tests.markdown.elements import texts


@pytest.mark.parametrize(
    "text",
    [
        "snake_case", "a__b", "5 * 3", "a < b", "p<0.05", "AT&T", "R&D; and more", "end.", "(1)", "[12]", "[1, 2]",
        "~10 to ~20", "Name: ____", "an author*", "C:\\Users\\x", "$5 and $10", "5$ and 6$", "2024", "a - b", "wow!",
        "-5 °C", "#1", "#tag", "a | b", "x=1", "1.5",
        "http://x.org/a_b", "www.x.org", "a@b.c", "3) a)", "*", "= 3", "f(x)",
        "https://en.wikipedia.org/wiki/A", "–", "+49 30", "1.", ">", "don't", "a → b", "100%", "[see] (here)",
    ],
)  # fmt: skip
def test_ordinary_text_stays_as_it_is_within_a_line(text: str) -> None:
    assert inline(plain_text(f"so {text} it")) == f"so {text} it"


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("__init__", r"\_\_init\_\_"),
        ("[a](b)", r"[a\](b)"),
        ("![a](b)", r"![a\](b)"),
        ("~~x~~", r"\~\~x\~\~"),
        ("&amp; &copy; &#35;", r"\&amp; \&copy; \&#35;"),
        ("<tag>", r"\<tag>"),
        ("<1@b.org>", r"\<1@b.org>"),
        ("<!-- page 1 -->", r"\<!-- page 1 -->"),
        ("a *b* c", r"a \*b\* c"),
        (r"\* and \n", r"\\* and \n"),
        ("`a`", r"\`a\`"),
        ("$x$", r"\$x\$"),
        ("# a", r"\# a"),
        ("> a", r"\> a"),
        ("- a", r"\- a"),
        ("-", r"\-"),
        ("+ a", r"\+ a"),
        ("* a", r"\* a"),
        ("1. a", r"1\. a"),
        ("12) a", r"12\) a"),
        ("---", r"\---"),
        ("***", r"\*\*\*"),
        ("~~~ a", r"\~\~\~ a"),
        ("<div", r"\<div"),
        ("[a]: /b", r"\[a]: /b"),
        ("    code", "code"),
        ("a\n===", "a\\\n\\==="),
        ("a\n---", "a\\\n\\---"),
        ("a | b\n--|--", "a | b\\\n\\--|--"),
        ("http://x.org/*a*b", "<http://x.org/*a*b>"),
        ("(http://x.org/A_(b).)", "(<http://x.org/A_(b)>.)"),
        ("www.x.org/*a*", r"www\.x.org/\*a\*"),
        ("end\\", "end\\\\"),
    ],
)
def test_what_markdown_would_take_for_something_is_escaped(text: str, markdown: str) -> None:
    assert inline(plain_text(text)) == markdown
    assert rendered.text(markdown) == rendered.squeezed(text)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(texts())
def test_a_renderer_shows_a_paragraph_as_it_is(text: str) -> None:
    markdown = inline(plain_text(text))
    assert rendered.text(markdown) == rendered.squeezed(text)
    assert set(rendered.blocks(markdown)) <= {"p"}
    assert {seen.styles for seen in rendered.characters(markdown)} <= {frozenset()}


@settings(max_examples=500, deadline=None)
@given(texts())
def test_a_renderer_shows_a_heading_as_it_is(text: str) -> None:
    markdown = f"# {inline(plain_text(text.replace('#', '')), InlinePlace.HEADING)}"
    assert rendered.text(markdown) == rendered.squeezed(text.replace("#", ""))
    assert rendered.blocks(markdown) == ["h1"]


@settings(max_examples=500, deadline=None)
@given(texts())
def test_text_between_other_text_is_shown_as_it_is(text: str) -> None:
    line = rendered.squeezed(f"a{text}z")
    assert rendered.text(escaped([Part(line)])) == line

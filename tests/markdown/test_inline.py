"""Spans: a renderer sees the styles that were given, and every character."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdfbatch.markdown.blocks import block_markdown
from pdfbatch.markdown.inline import InlinePlace, inline, inline_html
from pdfbatch.records import Label, Span
from tests.markdown import rendered
from tests.markdown.elements import styled, texts

STYLES = ["bold", "italic", "struck", "raised", "lowered", "mono"]
LINKS = ["", "", "", "http://x.org/a_(b", "https://x.org/a?b=1&copy;=2#c", "#page-3"]


def spans(*given: tuple[str, str]) -> list[Span]:
    """From texts and the names of their styles, separated by blanks."""
    return [Span(text=text, **dict.fromkeys(names.split(), True)) for text, names in given]


@pytest.mark.parametrize(
    ("pieces", "markdown"),
    [
        ([("a ", ""), ("b", "bold"), (" c", "")], "a **b** c"),
        ([("a ", ""), ("b", "italic"), (" c", "")], "a _b_ c"),
        ([("b", "bold italic")], "**_b_**"),
        ([("a ", "bold"), ("b", "bold italic"), (" c", "bold")], "**a _b_ c**"),
        ([("a", "bold"), (" ", ""), ("b", "bold")], "**a b**"),
        ([(" a ", "bold"), ("b", "")], "**a** b"),
        ([("a", "mono"), (" ", "mono"), ("b", "mono")], "`a b`"),
        ([("a`b", "mono")], "``a`b``"),
        ([("`a", "mono")], "`` `a ``"),
        ([("a", ""), ("2", "raised")], "a<sup>2</sup>"),
        ([("H", ""), ("2", "lowered"), ("O", "")], "H<sub>2</sub>O"),
        ([("x", "struck")], "~~x~~"),
        ([("a ", ""), ("x_1", "math")], "a $x_1$"),
        ([("x\\", "math")], r"$x\ {}$"),
        ([("a", "bold"), ("b", "")], "**a**b"),
        ([("a.", "bold"), ("b", "")], "<b>a.</b>b"),
        ([("a", ""), ("b", "italic"), ("c", "")], "a*b*c"),
        ([("強調。", "bold"), ("次", "")], "<b>強調。</b>次"),
        ([("a", "bold"), ("b", "italic")], "**a**_b_"),
        ([("a", "bold"), ("b", "bold italic"), ("c", "italic")], "**a<i>b</i>**_c_"),
        ([("a\nb", "")], "a\\\nb"),
        ([("a", "bold"), ("\n", ""), ("b", "bold")], "**a\\\nb**"),
        ([("a", "mono"), ("\n", ""), ("b", "mono")], "`a`\\\n`b`"),
        ([("costs $5 and ", ""), ("x", "math")], r"costs \$5 and $x$"),
        ([("5*", ""), ("b", "bold")], "5*<b>b</b>"),
        ([("x *y", "bold")], r"**x \*y**"),
        ([("x _y", "italic")], r"_x \_y_"),
        ([("x ~~y", "struck")], "<s>x ~~y</s>"),
        ([("", "bold"), ("a", "")], "a"),
        ([(" ", "bold")], ""),
    ],
)
def test_styles_are_marks_where_all_renderers_see_them(pieces: list[tuple[str, str]], markdown: str) -> None:
    assert inline(spans(*pieces)) == markdown


@pytest.mark.parametrize(
    ("text", "link", "markdown"),
    [
        ("here", "http://x.org", "[here](http://x.org)"),
        ("http://x.org", "http://x.org", "<http://x.org>"),
        ("a@b.org", "mailto:a@b.org", "<a@b.org>"),
        ("a]b", "http://x.org", r"[a\]b](http://x.org)"),
        ("a", "http://x.org/(b)", "[a](http://x.org/(b))"),
        ("a", "http://x.org/(b", "[a](http://x.org/%28b)"),
        ("a", "http://x.org/b c<d>", "[a](http://x.org/b%20c%3Cd%3E)"),
        ("a", "javascript:alert(1)", "a"),
        ("a", "file:///etc/passwd", "a"),
        ("see http://y.org/*a*b", "http://x.org", r"[see http://y.org/\*a\*b](http://x.org)"),
    ],
)
def test_links_lead_where_they_led(text: str, link: str, markdown: str) -> None:
    assert inline([Span(text=text, link=link)]) == markdown


def test_text_before_a_link_does_not_make_it_a_picture() -> None:
    assert inline([Span(text="wow!"), Span(text="a", link="#b")]) == r"wow\![a](#b)"


def test_code_within_a_link_does_not_make_it_a_definition() -> None:
    assert inline([Span(text="]:", mono=True, link="#b")]) == "[<code>&#93;:</code>](#b)"


def test_a_break_is_a_blank_in_a_heading_and_a_tag_in_a_cell() -> None:
    assert inline([Span(text="a\nb")], InlinePlace.HEADING) == "a b"
    assert inline([Span(text="a|b\nc")], InlinePlace.CELL) == r"a\|b<br>c"


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("a\r\nb\u2028c\x0bd\n\n e", "a\\\nb\\\nc\\\nd\\\ne"),
        ("a\x00b\x07\x1b\x7f\ufffe", "ab"),
        ("a\ud800", "a\ufffd"),
        (" a \t b ", "a b"),
        ("a\u00a0b", "a\u00a0b"),
        ("\x0c", ""),
    ],
)
def test_what_no_text_file_should_hold_is_left_out(text: str, markdown: str) -> None:
    assert inline([Span(text=text)]) == markdown


def test_headings_are_not_bold() -> None:
    assert inline([Span(text="a ", bold=True), Span(text="b", bold=True, italic=True)], InlinePlace.HEADING) == "a _b_"


def test_html_has_the_same_styles_as_tags() -> None:
    pieces = spans(("a<", "bold"), ("\nb", ""), ("c", "mono"), ("2", "raised"), ("x<y", "math"))
    assert inline_html(pieces) == "<b>a&lt;</b><br>b<code>c</code><sup>2</sup>$x&lt;y$"
    assert inline_html([Span(text="a", link='http://x/"')]) == '<a href="http://x/&quot;">a</a>'


WORDS = st.one_of(texts(4), st.sampled_from(["a", "b ", " c", "word", ".", "(", ")", "é", "語", "。", "€", " "]))
STYLED_WORDS = st.lists(st.tuples(WORDS, st.sets(st.sampled_from(STYLES), max_size=3)), max_size=7)


@st.composite
def styled_spans(draw: st.DrawFn) -> list[Span]:
    found = []
    for text, styles in draw(STYLED_WORDS):
        found.append(Span(text=text, link=draw(st.sampled_from(LINKS)), **dict.fromkeys(styles, True)))
    return found


@pytest.mark.slow
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(styled_spans(), st.sampled_from([InlinePlace.BLOCK, InlinePlace.HEADING, InlinePlace.CELL]))
def test_a_renderer_sees_the_styles_that_were_given(given_spans: list[Span], place: InlinePlace) -> None:
    text = inline(given_spans, place)
    if place is InlinePlace.CELL:
        text = f"|x|\n|---|\n|{text}|"
    elif place is InlinePlace.HEADING:
        text = block_markdown(styled(Label.HEADING, *given_spans), "")
    seen = rendered.characters(text)[place is InlinePlace.CELL :]
    wanted = [
        (sign, {style for style in STYLES if getattr(span, style) and (place, style) != (InlinePlace.HEADING, "bold")})
        for span in given_spans
        for sign in span.text
        if not sign.isspace()
    ]
    assert [(one.text, set(one.styles)) for one in seen if not one.text.isspace()] == wanted
    links = [span.link for span in given_spans for sign in span.text if not sign.isspace()]
    words = [one for one in seen if not one.text.isspace()]
    assert all(one.link or not link for one, link in zip(words, links, strict=True))
    own = "".join(one.text for one, link in zip(words, links, strict=True) if one.link and not link)
    assert not own or "http://x.org" in own


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(styled_spans())
def test_words_stay_apart_and_together_as_they_were(given_spans: list[Span]) -> None:
    shown = rendered.text(inline(given_spans))
    assert shown == rendered.squeezed("".join(span.text for span in given_spans))

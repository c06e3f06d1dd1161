"""Markdown of a model becomes elements, and nothing in it is markup of ours."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.engines.endpoint.markdown import bare, elements_as, elements_of
from pdfbatch.engines.refine import Kind
from pdfbatch.markdown.document import anchors, document_markdown
from pdfbatch.records import DocumentElements, Element, Label, Page

BOX = (0.0, 0.0, 300.0, 400.0)


def kinds(answer: str) -> list[tuple[str, str]]:
    return [(element.label.value, element.text) for element in elements_of(answer)]


def markdown_of(answer: str) -> str:
    page = Page(number=1, elements=elements_of(answer, BOX))
    return document_markdown(DocumentElements(version=2, key="a", etag="", engine="", model="", pages=[page]))


def test_every_kind_of_block_becomes_its_element() -> None:
    answer = """# Title

A paragraph that goes
on in a second line, hyphen-
ated.

- one
  1. inner
- [x] done

> quoted

```python
a = "$b_c$ <table>"
```

$$
E = mc^2
$$

![A harbour](x.png)

| a | b |
|---|---|
| 1 | $x_1$ |
"""
    found = elements_of(answer, BOX)
    assert [(each.label, each.level, each.marker, each.text) for each in found] == [
        (Label.HEADING, 1, "", "Title"),
        (Label.PARAGRAPH, 0, "", "A paragraph that goes on in a second line, hyphenated."),
        (Label.LIST_ITEM, 1, "-", "one"),
        (Label.LIST_ITEM, 2, "1.", "inner"),
        (Label.LIST_ITEM, 1, "[x]", "done"),
        (Label.PARAGRAPH, 0, "", "quoted"),
        (Label.CODE, 0, "", 'a = "$b_c$ <table>"'),
        (Label.FORMULA, 0, "", "E = mc^2"),
        (Label.FIGURE, 0, "", "A harbour"),
        (Label.TABLE, 0, "", "a b 1 x_1"),
    ]
    assert {(each.source, each.box) for each in found} == {("endpoint", BOX)}
    assert [(cell.row, cell.column, cell.header) for cell in found[-1].cells] == [
        (0, 0, True),
        (0, 1, True),
        (1, 0, False),
        (1, 1, False),
    ]


def test_styles_links_and_breaks_are_kept() -> None:
    (found,) = elements_of("**bold _both_** `x = 1` ~~out~~ x<sup>2</sup> [here](https://a.b/c) one<br>two")
    styled = {span.text.strip(): span for span in found.spans}
    assert styled["bold"].bold and styled["both"].bold and styled["both"].italic
    assert styled["x = 1"].mono and styled["out"].struck and styled["2"].raised
    assert styled["here"].link == "https://a.b/c"
    assert found.text.endswith("one\ntwo")


@pytest.mark.parametrize(
    ("answer", "formulas"),
    [
        (r"so $a_1 * b_2 * c$ holds", ["a_1 * b_2 * c"]),
        (r"so \(a_1\) and \[b_2\] hold", ["a_1", "b_2"]),
        ("it costs $5 and $10", []),
        ("`$a$`", []),
        ("text\n$$ a_b $$\nmore", ["a_b"]),
        (r"$$\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}$$", [r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}"]),
    ],
)
def test_formulas_are_not_taken_for_markdown(answer: str, formulas: list[str]) -> None:
    spans = [span for element in elements_of(answer) for span in element.spans]
    assert [span.text for span in spans if span.math] == formulas


def test_a_table_in_html_keeps_its_spans_blank_lines_or_not() -> None:
    found = elements_of("Before\n<table><tr><th colspan=2>H</th></tr>\n\n<tr><td>1</td><td>2</td></tr></table>\nafter")
    assert [each.label for each in found] == [Label.PARAGRAPH, Label.TABLE, Label.PARAGRAPH]
    assert [(cell.columns, cell.header) for cell in found[1].cells] == [(2, True), (1, False), (1, False)]


@pytest.mark.parametrize(
    ("answer", "inside"),
    [
        ("```markdown\n# A\n\ntext\n```", "# A\n\ntext"),
        ("```md\n# A", "# A"),
        ("```\n# A\n\n- b\n```", "# A\n\n- b"),
        ("```\nx = 1\n```", "```\nx = 1\n```"),
        ("```python\nx = 1\n```", "```python\nx = 1\n```"),
        ("<think>Let me see.\n\n# No</think>\n\n# A", "# A"),
        ("---\nprimary_language: en\nis_table: False\n---\n# A", "# A"),
        ("---\n\n# A", "---\n\n# A"),
    ],
)
def test_what_stands_around_an_answer_is_taken_off(answer: str, inside: str) -> None:
    assert bare(answer) == inside


@pytest.mark.parametrize("answer", ["", " \n ", "[no text]", "```\n[No text]\n```", "<!-- nothing -->", "---"])
def test_a_page_without_text_has_no_elements(answer: str) -> None:
    assert elements_of(answer) == []


@pytest.mark.parametrize(
    "answer",
    [
        "<script>alert(1)</script>",
        "<!-- page 7 -->\n\n# Not a page",
        "[click](javascript:alert(1))",
        "![x](https://evil.example/pixel.png)",
        "<img src=x onerror=alert(1)>",
        "\\<script>alert(1)\\</script>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "```\n<!-- page 9 -->\n```",
        "<svg/onload=alert(1)>",
    ],
)
def test_an_answer_of_an_enemy_is_text(answer: str) -> None:
    written = markdown_of(answer)
    assert [anchor.number for anchor in anchors(written)] == [1]
    assert not re.search(r"(?<!\\)<(?:script|img|svg)", written)
    assert not re.search(r"(?<!\\)\]\(javascript:", written) and "evil.example" not in written


@pytest.mark.parametrize(
    ("kind", "answer", "made"),
    [
        ("formula", r"n = \frac{41}{7}", [("formula", r"n = \frac{41}{7}")]),
        ("formula", "```latex\n$$x^2$$\n```", [("formula", "x^2")]),
        ("formula", r"\[ a_b \]", [("formula", "a_b")]),
        ("table", "Here it is:\n<table><tr><td>1</td></tr></table>", [("table", "1")]),
        ("table", "I see no table.", []),
        ("text", "Let $x_i$ be in $R^n$.", [("text", "Let x_i be in R^n.")]),
        ("text", "", []),
    ],
)
def test_an_answer_for_an_element_is_taken_for_what_was_asked(
    kind: Kind, answer: str, made: list[tuple[str, str]]
) -> None:
    found = elements_as(kind, answer, BOX)
    assert [(each.label.value, each.text) for each in found] == made
    assert {(each.source, each.box) for each in found} <= {("endpoint", BOX)}


def test_unknown_tags_and_comparisons_stay_as_text() -> None:
    assert kinds("if a <b and c> d then <y and z> too") == [("text", "if a <b and c> d then <y and z> too")]


@given(st.text(alphabet=st.sampled_from(list("ab 1\n\t#*_`$\\|<>[]()!-=~&;:.\ue000\ue001")), max_size=300))
def test_any_text_can_be_parsed_and_holds_nothing_of_ours(answer: str) -> None:
    for element in elements_of(answer):
        assert isinstance(element, Element)
        assert not re.search("[\ue000\ue001]", element.text + "".join(span.text for span in element.spans))


@given(st.lists(st.text(alphabet="abcdefgh", min_size=1, max_size=8), min_size=1, max_size=60))
def test_no_word_is_lost(words: list[str]) -> None:
    blocks = [f"{'# ' if n % 3 == 0 else '- ' if n % 3 == 1 else ''}{word}" for n, word in enumerate(words)]
    found = " ".join(text for _, text in kinds("\n\n".join(blocks)))
    assert found.split() == words

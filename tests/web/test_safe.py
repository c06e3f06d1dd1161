"""Markdown of strangers as HTML: what is shown, and what is not."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.web.safe import safe_html

HERE = "/figure?name=a.png"


def shown(markdown: str) -> str:
    return safe_html(markdown, lambda link: HERE if link == "a/figures/a.png" else None)


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("**a** ~~b~~ x<sup>2</sup>", "<p><strong>a</strong> <s>b</s> x<sup>2</sup></p>"),
        ("![A figure](a/figures/a.png)", f'<p><img src="{HERE}" alt="A figure"></p>'),
        ("![A picture](http://evil.example/x.png)", "<p>A picture</p>"),
        ("[a](https://b.example/)", '<p><a href="https://b.example/" rel="noopener noreferrer nofollow">a</a></p>'),
        ("<table><tr><td colspan=2 onclick=x>a</td></tr></table>", 'td colspan="2">a</td>'),
        ("| a |\n|---|\n| b |", "<td>b</td>"),
        (r"$\frac{a}{b}$", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>"),
        ("$$\nx\n$$", '<math display="block">'),
        (r"$\frac{$", r"<code>\frac{</code>"),
        ("costs $5 and $6", "<p>costs $5 and $6</p>"),
    ],
)
def test_ordinary_markdown_is_shown(markdown: str, html: str) -> None:
    assert html in shown(markdown)


PIECES = (
    "<script>a</script>",
    "<img src=x onerror=a>",
    "<a href='javascript:a'>b</a>",
    "[b](javascript:a)",
    "[b](data:text/html,a)",
    "![b](data:image/png;base64,AA)",
    "<style>*{}</style>",
    "<iframe src=//evil.example></iframe>",
    "<form action=/mark><input></form>",
    "<svg onload=a><use href=#x>",
    "<math><mtext><img src=x onerror=a>",
    r"$\href{javascript:a}{b}$",
    r"$\text{<script>a</script>}$",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0>",
    "| a | <td",
    "```",
    "$$",
    "\n\n",
    "<!-- ",
    "a",
)


class _Found(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "style", "iframe", "form", "input", "svg", "use", "base", "meta", "object", "link"}:
            self.faults.append(tag)
        for name, value in attrs:
            is_bad_link = name == "href" and not re.match("https?://|mailto:", value or "")
            if name.startswith("on") or name == "style" or is_bad_link or (name == "src" and value != HERE):
                self.faults.append(f"{tag} {name}={value}")


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=8).map("".join))
def test_no_markdown_can_do_anything(markdown: str) -> None:
    found = _Found()
    found.feed(shown(markdown))
    assert found.faults == []

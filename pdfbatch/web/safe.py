"""Markdown of strangers as HTML that can do nothing: no script, no style, no picture or form of another place."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from html import escape
from typing import Any

import nh3
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

Picture = Callable[[str], str | None]
"""Returns the address of a picture that the Markdown links to; None if it is not to be shown."""

_TEXT = frozenset(
    [
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "li",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "strong",
        "em",
        "del",
        "s",
        "sup",
        "sub",
        "code",
        "pre",
        "br",
        "hr",
        "blockquote",
        "a",
        "img",
    ]
)
_MATH = frozenset(
    [
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "ms",
        "mtext",
        "mspace",
        "msup",
        "msub",
        "msubsup",
        "mfrac",
        "msqrt",
        "mroot",
        "mover",
        "munder",
        "munderover",
        "mtable",
        "mtr",
        "mtd",
        "mstyle",
        "mpadded",
        "mphantom",
        "menclose",
        "merror",
    ]
)
_MATH_ATTRIBUTES = frozenset(
    [
        "display",
        "mathvariant",
        "stretchy",
        "fence",
        "separator",
        "form",
        "lspace",
        "rspace",
        "minsize",
        "maxsize",
        "width",
        "height",
        "depth",
        "linethickness",
        "columnalign",
        "rowspacing",
        "columnspacing",
        "accent",
        "accentunder",
        "notation",
        "displaystyle",
        "scriptlevel",
        "movablelimits",
    ]
)
_CELL = frozenset({"colspan", "rowspan"})
_SCHEMES = ("http://", "https://", "mailto:")
_LONGEST_FORMULA = 4000
_NEEDLESS = re.compile(r"\s+xmlns=\"[^\"]*\"")


def safe_html(markdown: str, picture: Picture) -> str:
    """Returns the Markdown as safe HTML. Links lead to http, https and mailto only; formulas become MathML, or stay
    code where they cannot be read."""
    shown: set[str] = set()

    def place(address: str) -> str | None:
        found = picture(address)
        if found is not None:
            shown.add(found)
        return found

    html = _parser().render(markdown, {"place": place})

    def allowed(tag: str, name: str, value: str) -> str | None:
        if tag == "img" and name == "src":
            return value if value in shown else None
        if tag == "a" and name == "href":
            return value if value.lower().startswith(_SCHEMES) else None
        return value

    return nh3.clean(
        html,
        tags=set(_TEXT | _MATH),
        attributes=_attributes(),
        attribute_filter=allowed,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer nofollow",
        clean_content_tags={"script", "style"},
    )


@cache
def _attributes() -> dict[str, set[str]]:
    math = {tag: set(_MATH_ATTRIBUTES) for tag in _MATH}
    return {**math, "td": set(_CELL), "th": set(_CELL), "a": {"href"}, "img": {"src", "alt"}, "ol": {"start"}}


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    parser.use(
        dollarmath_plugin,
        allow_labels=False,
        allow_space=False,
        allow_digits=False,
        double_inline=False,
        renderer=_formula,
    )
    parser.add_render_rule("image", _image)
    return parser


def _image(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """Shows a picture that has an address here, otherwise its text."""
    token = tokens[at]
    text = renderer.renderInlineAsText(token.children, options, env)
    found = env["place"](str(token.attrGet("src") or ""))
    return f'<img src="{escape(found)}" alt="{escape(text)}">' if found else escape(text)


def _formula(latex: str, options: dict[str, Any]) -> str:
    is_block = bool(options.get("display_mode"))
    try:
        if len(latex) > _LONGEST_FORMULA:
            raise ValueError("too long to be a formula")
        return _NEEDLESS.sub("", convert(latex, display="block" if is_block else "inline"))
    except Exception:  # whatever the converter makes of it
        return f"<pre><code>{escape(latex)}</code></pre>" if is_block else f"<code>{escape(latex)}</code>"

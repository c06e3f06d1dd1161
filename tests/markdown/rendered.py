"""What a real renderer of CommonMark with GFM's tables and strikethrough shows of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

_RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_STYLES = {"strong": "bold", "em": "italic", "s": "struck"}
_TAGS = {"b": "bold", "i": "italic", "s": "struck", "sup": "raised", "sub": "lowered", "code": "mono"}


class Seen(NamedTuple):
    """A character as a reader sees it."""

    text: str
    styles: frozenset[str]
    link: str = ""


def tokens(markdown: str) -> list[Token]:
    return _RENDERER.parse(markdown)


def blocks(markdown: str) -> list[str]:
    """The kinds of the outermost blocks, and of the items of lists: `h1`, `p`, `ul`, `li`, `table`, `code`, `html`."""
    names = {"fence": "code", "code_block": "indented code", "html_block": "html"}
    return [
        names.get(token.type, token.tag)
        for token in tokens(markdown)
        if (token.nesting == 1 and (token.level == 0 or token.tag == "li"))
        or (token.nesting == 0 and token.level == 0 and token.type in (*names, "hr"))
    ]


def characters(markdown: str) -> list[Seen]:
    """All that is shown but for code blocks, breaks as blanks."""
    return [seen for token in tokens(markdown) if token.type == "inline" for seen in inline(token.children or [])]


def text(markdown: str) -> str:
    """The same as one line with single blanks; blocks parted by blanks."""
    found = []
    for token in tokens(markdown):
        if token.type == "inline":
            found.append("".join(seen.text for seen in inline(token.children or [])))
        elif token.type in ("fence", "code_block"):
            found.append(token.content)
    return squeezed(" ".join(found))


def cells(markdown: str) -> list[list[str]]:
    """The rows of a pipe table, or of several, one after the other."""
    rows: list[list[str]] = []
    for token in tokens(markdown):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append(squeezed("".join(seen.text for seen in inline(token.children or []))))
    return rows


def squeezed(text: str) -> str:
    return " ".join(text.split())


def inline(children: Sequence[Token]) -> Iterator[Seen]:
    styles: list[str] = []
    link = ""
    for token in children:
        style = _STYLES.get(token.tag)
        if style:
            styles.append(style) if token.nesting == 1 else styles.remove(style)
        elif token.type == "html_inline" and token.content != "<br>":
            tag = re.fullmatch(r"<(/?)(\w+)>", token.content)
            assert tag is not None, token.content
            styles.remove(_TAGS[tag[2]]) if tag[1] else styles.append(_TAGS[tag[2]])
        elif token.type in ("link_open", "link_close"):
            link = str(token.attrs.get("href", ""))
        elif token.type == "code_inline":
            yield from (Seen(sign, frozenset([*styles, "mono"]), link) for sign in token.content)
        elif token.type in ("softbreak", "hardbreak", "html_inline"):
            yield Seen(" ", frozenset(styles), link)
        elif token.type == "image":
            yield Seen(f"[{token.content}]", frozenset(["image"]), str(token.attrs["src"]))
        else:
            yield from (Seen(sign, frozenset(styles), link) for sign in token.content)


def html(markdown: str) -> str:
    """What the renderer makes of it, with raw HTML passed through as GitHub and most viewers do."""
    return str(_RENDERER.render(markdown))

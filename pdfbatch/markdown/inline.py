"""Write spans as inline Markdown, or as inline HTML for HTML tables. Pure.

`**bold**`, `_italic_`, `~~struck~~` where every renderer recognizes the marks, else `<b>`, `<i>`, `<s>`: by
CommonMark's rules some marks within a word or beside punctuation are text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from itertools import groupby

from pdfbatch.markdown.addresses import autolink, cut_at_addresses, destination
from pdfbatch.markdown.escape import Kind, Part, escaped, escaped_html
from pdfbatch.markdown.flanking import surely_closes, surely_opens
from pdfbatch.markdown.pieces import PLAIN, Piece, Style, pieces_of
from pdfbatch.records import Span

_LINK, _BOLD, _ITALIC, _STRUCK, _RAISED, _LOWERED, _LEAF = range(7)
_MARKS = {_BOLD: ("**",), _ITALIC: ("_", "*"), _STRUCK: ("~~",)}
_ENTITIES = {ord(sign): f"&#{ord(sign)};" for sign in "\\|[]*_~`$"}
_TAGS = {_BOLD: "b", _ITALIC: "i", _STRUCK: "s", _RAISED: "sup", _LOWERED: "sub"}


class InlinePlace(Enum):
    """The context of inline Markdown; the value is how a line break is written there."""

    BLOCK = "\\\n"
    HEADING = " "
    CELL = "<br>"


def inline(spans: Sequence[Span], place: InlinePlace = InlinePlace.BLOCK) -> str:
    """The spans as inline Markdown for `place`; "" if there is no text."""
    is_heading = place is InlinePlace.HEADING
    pieces = pieces_of(spans, keep_bold=not is_heading, keep_breaks=not is_heading)
    text = escaped(_Writer(place).parts(pieces), starts_lines=place is InlinePlace.BLOCK)
    return _in_cell(text) if place is InlinePlace.CELL else text


def label(spans: Sequence[Span]) -> str:
    """The plain text, escaped for use between `[` and `]`."""
    text = "".join(piece.text for piece in pieces_of(spans, keep_breaks=False))
    return escaped([Part(text, Kind.LABEL)])


def inline_html(spans: Sequence[Span]) -> str:
    """The spans as HTML, on one line."""
    return _html(pieces_of(spans), _LINK)


def _in_cell(text: str) -> str:
    """Escapes pipes. A trailing backslash becomes an entity: renderers disagree on whether `\\\\|` ends the cell."""
    text = text.replace("|", r"\|")
    return text[:-2] + "&#92;" if text.endswith("\\\\") else text


class _Writer:
    def __init__(self, place: InlinePlace) -> None:
        self._place = place

    def parts(self, pieces: Sequence[Piece]) -> list[Part]:
        return self._parts(pieces, _LINK, "", "")

    def _parts(self, pieces: Sequence[Piece], level: int, before: str, after: str) -> list[Part]:
        """Writes pieces with the styles from `level` on; `before` and `after` are the characters around them."""
        if len(pieces) == 1 and pieces[0].style == PLAIN and pieces[0].text != "\n":
            return _text_parts(pieces[0].text)
        if level == _LEAF:
            return [part for piece in pieces for part in self._leaf(piece)]
        parts: list[Part] = []
        groups = _groups(pieces, level)
        for number, group in enumerate(groups):
            ahead = _first_character(groups[number + 1][0], level) if number + 1 < len(groups) else after
            parts += self._styled(group, level, parts[-1].text[-1] if parts else before, ahead)
        return parts

    def _styled(self, pieces: Sequence[Piece], level: int, before: str, after: str) -> list[Part]:
        if not pieces[0].style[level]:
            return self._parts(pieces, level + 1, before, after)
        if level == _LINK:
            return self._link(pieces)
        around = _MARKS[level][0][0] if level in _MARKS else ">"
        inner = self._parts(pieces, level + 1, around, around)
        opening, closing = _tag(level), _tag(level, "/")
        if level != _STRUCK or not any("~" in piece.text for piece in pieces):
            opening, closing = _marks(level, before, inner[0].text[0], inner[-1].text[-1], after)
        return [Part(opening, Kind.MARKDOWN), *inner, Part(closing, Kind.MARKDOWN)]

    def _link(self, pieces: Sequence[Piece]) -> list[Part]:
        uri = pieces[0].style.link.strip()
        if len(pieces) == 1 and pieces[0].style == Style(link=pieces[0].style.link):
            short = autolink(pieces[0].text, uri)
            if short:
                return [Part(short, Kind.MARKDOWN)]
        inner = self._parts(pieces, _BOLD, "[", "]")
        return [Part("[", Kind.MARKDOWN), *inner, Part(f"]({destination(uri)})", Kind.MARKDOWN)]

    def _leaf(self, piece: Piece) -> list[Part]:
        if piece.text == "\n":
            return [Part(self._place.value, Kind.MARKDOWN)]
        if piece.style.math:
            return [Part(self._formula(piece.text), Kind.MARKDOWN)]
        if piece.style.mono:
            return [Part(self._code(piece), Kind.MARKDOWN)] if piece.text.strip() else [Part(piece.text)]
        return [Part(piece.text, Kind.LABEL)] if piece.style.link else _text_parts(piece.text)

    def _formula(self, latex: str) -> str:
        if self._place is InlinePlace.CELL:
            latex = latex.replace(r"\|", r"\Vert ")
        return f"${finished_latex(latex)}$"

    def _code(self, piece: Piece) -> str:
        text = piece.text
        if (self._place is InlinePlace.CELL and r"\|" in text) or (piece.style.link and re.search(r"[\[\]]", text)):
            # Renderers disagree on which of the two backslashes the table consumes, and parse link labels before code.
            return f"<code>{escaped_html(text).translate(_ENTITIES)}</code>"
        runs = {len(run) for run in re.findall("`+", text)}
        fence = "`" * next(length for length in range(1, len(runs) + 2) if length not in runs)
        room = " " if text[0] == "`" or text[-1] == "`" else ""
        return f"{fence}{room}{text}{room}{fence}"


def finished_latex(latex: str) -> str:
    """The LaTeX, completed so that a trailing backslash does not escape the delimiter."""
    is_open = (len(latex) - len(latex.rstrip("\\"))) % 2 == 1
    return latex + " {}" if is_open else latex


def _groups(pieces: Sequence[Piece], level: int) -> list[list[Piece]]:
    return [list(group) for _, group in groupby(pieces, key=lambda piece: piece.style[level])]


def _text_parts(text: str) -> list[Part]:
    return [Part(link, Kind.MARKDOWN) if link else Part(words) for words, link in cut_at_addresses(text)]


def _first_character(piece: Piece, level: int) -> str:
    """The first character that a piece is written with, including the marks of the styles from `level` on."""
    if piece.text == "\n":
        return "\\"
    outermost = next((number for number in range(level, len(piece.style)) if piece.style[number]), None)
    if outermost is None:
        return piece.text[0]
    return _MARKS[outermost][0][0] if outermost in _MARKS else "["


def _marks(level: int, before: str, first: str, last: str, after: str) -> tuple[str, str]:
    for mark in _MARKS.get(level, ()):
        sign = mark[0]
        meets_another = sign in (before, after)
        if not meets_another and surely_opens(sign, before, first) and surely_closes(sign, last, after):
            return mark, mark
    return _tag(level), _tag(level, "/")


def _tag(level: int, end: str = "") -> str:
    return f"<{end}{_TAGS[level]}>"


def _html(pieces: Sequence[Piece], level: int) -> str:
    if level == _LEAF:
        return "".join(map(_html_leaf, pieces))
    return "".join(_html_styled(group, level) for group in _groups(pieces, level))


def _html_styled(pieces: Sequence[Piece], level: int) -> str:
    inner = _html(pieces, level + 1)
    style = pieces[0].style
    if not style[level]:
        return inner
    if level == _LINK:
        return f'<a href="{escaped_html(style.link.strip())}">{inner}</a>'
    return f"<{_TAGS[level]}>{inner}</{_TAGS[level]}>"


def _html_leaf(piece: Piece) -> str:
    if piece.text == "\n":
        return "<br>"
    text = escaped_html(f"${finished_latex(piece.text)}$" if piece.style.math else piece.text)
    return f"<code>{text}</code>" if piece.style.mono and not piece.style.math else text

"""Split spans into pieces that each have one style, with white space separate from words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from pdfbatch.markdown.addresses import leads_somewhere
from pdfbatch.records import Span

_NEWLINE = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_UNWRITABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_WORDS = re.compile(r"\s+|\S+(?:[^\S\n]+\S+)*")
_DOLLAR = re.compile(r"(?<!\\)(?:\\\\)*\$")


class Style(NamedTuple):
    link: str = ""
    bold: bool = False
    italic: bool = False
    struck: bool = False
    raised: bool = False
    lowered: bool = False
    mono: bool = False
    math: bool = False


class Piece(NamedTuple):
    """Words, or the space or line break (`\\n`) between two other pieces."""

    text: str
    style: Style


PLAIN = Style()


def clean(text: str) -> str:
    """The text with `\\n` newlines and without control characters and the like."""
    if text.isascii() and text.isprintable():
        return text
    return _SURROGATE.sub("\ufffd", _UNWRITABLE.sub("", _NEWLINE.sub("\n", text)))


def pieces_of(spans: Iterable[Span], keep_bold: bool = True, keep_breaks: bool = True) -> list[Piece]:
    """The spans as pieces: neighbours of equal style are merged, white space gets the styles that both its neighbours
    have, and leading and trailing white space is removed."""
    return list(_merged(_with_blanks_styled(list(_split(spans, keep_bold, keep_breaks)))))


def _split(spans: Iterable[Span], keep_bold: bool, keep_breaks: bool) -> Iterator[Piece]:
    for span in spans:
        text = clean(span.text)
        style = _style(span, keep_bold)
        if span.math and not _DOLLAR.search(text):
            if text.strip():
                yield Piece(" ".join(text.split()), style)
            continue
        style = style._replace(math=False)
        for words in _WORDS.findall(text):
            if words.isspace():
                yield Piece("\n" if "\n" in words and keep_breaks else _blank(words), PLAIN)
            else:
                yield Piece(re.sub(r"[ \t]+", " ", words), style)


def _style(span: Span, keep_bold: bool) -> Style:
    link = span.link if span.link and leads_somewhere(span.link) else ""
    return Style(
        link, span.bold and keep_bold, span.italic, span.struck, span.raised, span.lowered, span.mono, span.math
    )


def _blank(text: str) -> str:
    """A single space: an ordinary one if the text contains one."""
    return " " if set(text) & set(" \t\n") else text[0]


def _with_blanks_styled(pieces: Sequence[Piece]) -> Iterator[Piece]:
    before: Style | None = None
    blank = ""
    for piece in pieces:
        if piece.text.isspace():
            blank = "\n" if "\n" in blank + piece.text else _blank(blank + piece.text)
            continue
        if before is not None and blank:
            yield Piece(blank, _shared(before, piece.style, blank == "\n"))
        yield piece
        before, blank = piece.style, ""


def _shared(one: Style, other: Style, is_break: bool) -> Style:
    if one == other and not is_break and not one.math:
        return one
    return Style(
        one.link if one.link == other.link else "",
        one.bold and other.bold,
        one.italic and other.italic,
        one.struck and other.struck,
        one.raised and other.raised,
        one.lowered and other.lowered,
        one.mono and other.mono and not is_break,
    )


def _merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    for (style, is_break), group in groupby(pieces, key=lambda piece: (piece.style, piece.text == "\n")):
        texts = [piece.text for piece in group]
        yield Piece("\n" if is_break else (" " if style.math else "").join(texts), style)

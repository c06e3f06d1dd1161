"""Escape plain text so that CommonMark and GFM renderers show exactly that text. Pure.

A backslash is written only where the text would be parsed as markup, judged over a whole block: `snake_case`, `5 * 3`,
`~10` and a footnote's lone `*` stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

from pdfbatch.markdown.flanking import ASCII_PUNCTUATION, may_close, may_open

_WRITTEN = "\0"
_SINGLES = re.compile(r"[\\`<&\]!]")
_SPECIAL = re.compile(r"[\\`<&\]!*_~$]")
_TAG = re.compile(r"<(?:[A-Za-z/!?]|[^\s<>@]{1,999}@)")
"""Also an email address in angle brackets, which would not be shown."""
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_WWW = re.compile(r"www\.[^\s<]*", re.IGNORECASE)

_START = re.compile(r"#{1,6}(?=[ \t]|$)|>|[-+*](?=[ \t]|$)|(?:[-_*][ \t]*){3,}$|~{3}|<[A-Za-z/!?]")
_NUMBERED = re.compile(r"\d{1,9}(?=[.)](?:[ \t]|$))")
_LATER_START = re.compile(r"=+[ \t]*$|(?=[^-]*-)[|:-][|: \t-]*$")
"""Would turn the line above into a heading or a table header."""


class Kind(Enum):
    """The kind of a block's part: text to show, text to show within `[…]`, or Markdown."""

    TEXT = "text"
    LABEL = "label"
    MARKDOWN = "markdown"


class Part(NamedTuple):
    text: str
    kind: Kind = Kind.TEXT


def escaped(parts: Sequence[Part], starts_lines: bool = False) -> str:
    """The parts as one escaped string. With `starts_lines` a line must not start a block, as in paragraphs and list
    items. Line breaks are Markdown parts; text parts contain none."""
    raw = "".join(part.text for part in parts)
    shown = "".join(_WRITTEN * len(text) if kind is Kind.MARKDOWN else text for text, kind in parts)
    places = set(_brackets(parts))
    if _SPECIAL.search(shown):
        places.update(_singles(raw, shown), _delimiters(raw, shown), _dollars(raw, shown))
    if starts_lines:
        places.update(_line_starts(raw, shown))
    if places and "www." in shown.lower():
        places.update(_addresses(shown, places))
    return _with_backslashes(raw, sorted(places))


def is_entity(text: str) -> bool:
    """Whether the text contains an HTML entity, which would be shown as another character."""
    return _ENTITY.search(text) is not None


def escaped_html(text: str) -> str:
    """The text escaped for HTML text and attributes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _with_backslashes(raw: str, places: Sequence[int]) -> str:
    ends = [0, *places, len(raw)]
    return "\\".join(raw[start:end] for start, end in pairwise(ends))


def _brackets(parts: Sequence[Part]) -> Iterator[int]:
    offset = 0
    for text, kind in parts:
        if kind is Kind.LABEL:
            yield from (offset + match.start() for match in re.finditer(r"[\[\]]", text))
        offset += len(text)


def _singles(raw: str, shown: str) -> Iterator[int]:
    """Characters that are markup because of what follows them alone."""
    last_tag_end = raw.rfind(">")
    for match in _SINGLES.finditer(shown):
        place, sign = match.start(), match.group()
        after = raw[place + 1 : place + 2]
        if (
            sign == "`"
            or (sign == "\\" and (not after or after == "\n" or after in ASCII_PUNCTUATION))
            or (sign == "<" and place < last_tag_end and _TAG.match(raw, place))
            or (sign == "&" and _ENTITY.match(raw, place))
            or (sign == "]" and after == "(")
            or (sign == "!" and after == "[" and shown[place + 1] == _WRITTEN)
        ):
            yield place


def _delimiters(raw: str, shown: str) -> Iterator[int]:
    """Runs of `*`, `_`, `~` that would style the text between them, or combine with marks in Markdown parts."""
    for mark in "*_~":
        if mark not in shown:
            continue
        runs = [match.span() for match in re.finditer(re.escape(mark) + "+", shown)]
        around = [(raw[start - 1 : start] if start else "", raw[end : end + 1]) for start, end in runs]
        opening = [may_open(mark, *sides) for sides in around]
        closing = [may_close(mark, *sides) for sides in around]
        if raw.count(mark) > shown.count(mark):
            first, last = -1, len(runs)
        else:
            first = opening.index(True) if True in opening else len(runs)
            last = len(runs) - 1 - closing[::-1].index(True) if True in closing else -1
        for number, run in enumerate(runs):
            if (opening[number] and number < last) or (closing[number] and number > first):
                yield from range(*run)


def _dollars(raw: str, shown: str) -> Iterator[int]:
    """All dollar signs, if two of them could enclose a formula for pandoc or GitHub, or a Markdown part has one."""
    places = [match.start() for match in re.finditer(r"\$", shown)]
    if not places:
        return
    opened = raw.count("$") > len(places)
    for place in places:
        before, after = raw[place - 1 : place] if place else "", raw[place + 1 : place + 2]
        if opened and before and not before.isspace() and not after.isdigit():
            yield from places
            return
        opened = opened or (bool(after) and not after.isspace())
    if raw.count("$") > len(places):
        yield from places


def _line_starts(raw: str, shown: str) -> Iterator[int]:
    start = 0
    last_label = raw.rfind("]:")
    for number, line in enumerate(raw.split("\n")):
        if line and shown[start] != _WRITTEN:
            yield from (start + place for place in _start_of(line, number > 0))
            if line[0] == "[" and start < last_label:
                yield start
        start += len(line) + 1


def _start_of(line: str, is_later: bool) -> Iterable[int]:
    if numbered := _NUMBERED.match(line):
        return [numbered.end()]
    if not (_START.match(line) or (is_later and _LATER_START.match(line))):
        return []
    first = line[0]
    return range(len(line) - len(line.lstrip(first))) if first in "*_~" else [0]


def _addresses(shown: str, places: set[int]) -> Iterator[int]:
    """The first dot of bare `www.` addresses with escapes: GFM would link them and show the backslashes."""
    for match in _WWW.finditer(shown):
        if any(place in places for place in range(*match.span())):
            yield match.start() + 3

"""The one escape: plain text so that a renderer of CommonMark and GFM shows exactly it. Pure.

A backslash goes only where Markdown would else take the text for something, judged over a whole block: `snake_case`,
`5 * 3`, `~10` and a footnote's lone `*` stay as they are.
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
"""Also an address in brackets, which are not shown then."""
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_WWW = re.compile(r"www\.[^\s<]*", re.IGNORECASE)

_START = re.compile(r"#{1,6}(?=[ \t]|$)|>|[-+*](?=[ \t]|$)|(?:[-_*][ \t]*){3,}$|~{3}|<[A-Za-z/!?]")
_NUMBERED = re.compile(r"\d{1,9}(?=[.)](?:[ \t]|$))")
_LATER_START = re.compile(r"=+[ \t]*$|(?=[^-]*-)[|:-][|: \t-]*$")
"""Would make a heading or a table's header of the line above."""


class Kind(Enum):
    """What a part of a block is: text to show; such text within `[…]`; Markdown already."""

    TEXT = "text"
    LABEL = "label"
    MARKDOWN = "markdown"


class Part(NamedTuple):
    text: str
    kind: Kind = Kind.TEXT


def escaped(parts: Sequence[Part], starts_lines: bool = False) -> str:
    """The parts as one string. `starts_lines`: what begins a line must not begin a block, as in paragraphs and list
    items; lines are parted by Markdown's own breaks, text holds none."""
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
    """Whether some part of the text would be shown as another character."""
    return _ENTITY.search(text) is not None


def escaped_html(text: str) -> str:
    """For HTML's text and attributes."""
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
    """Characters that need nothing but what follows them."""
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
    """Runs of `*`, `_`, `~` that would style what is between two of them, or meet marks that are Markdown already."""
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
    """All dollars, where two of them could hold a formula as pandoc and GitHub see it, or one is Markdown already."""
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
    """GFM makes links of bare `www.` addresses and shows the backslashes in them; a dot escaped keeps it from that."""
    for match in _WWW.finditer(shown):
        if any(place in places for place in range(*match.span())):
            yield match.start() + 3

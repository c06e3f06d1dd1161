"""Split text that is too long for a chunk: at blank lines, lines, sentences, words, and at last anywhere. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

Count = Callable[[str], int]

_PLACES = (
    re.compile(r"\n\n+"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?])\s+|(?<=[。！？])"),
    re.compile(r"\s+"),
)
"""Where a text may be split, the best places first. What separates two pieces belongs to neither."""
_PIPES = re.compile(r"\|(?:---\|)+")


def pieces(text: str, most: int, count: Count, places: Sequence[re.Pattern[str]] = _PLACES) -> Iterator[str]:
    """Yields pieces of at most `most` tokens, in order; together they are the text without some white space."""
    if count(text) <= most or len(text) < 2:
        yield text
    elif not places:
        half = len(text) // 2
        yield from pieces(text[:half], most, count, ())
        yield from pieces(text[half:], most, count, ())
    else:
        yield from _packed(text, most, count, places)


def table_pieces(table: str, most: int, count: Count) -> Iterator[str]:
    """Yields parts of a table with pipes; each repeats the header, if there is room for it and a row."""
    lines = table.split("\n")
    if len(lines) < 3 or not _PIPES.fullmatch(lines[1]):
        yield from pieces(table, most, count)
        return
    head = "\n".join(lines[:2])
    longest = max(count(line) for line in lines[2:])
    if count(head) + longest + 2 > most:
        yield from pieces(table, most, count)
        return
    rows: list[str] = []
    for row in lines[2:]:
        if rows and count("\n".join([head, *rows, row])) > most:
            yield "\n".join([head, *rows])
            rows = []
        rows.append(row)
    yield "\n".join([head, *rows])


def _packed(text: str, most: int, count: Count, places: Sequence[re.Pattern[str]]) -> Iterator[str]:
    """Yields as many parts at once as fit; a part that alone is too long is split at the next best places."""
    parts = _parts(text, places[0])
    begin, end = next(parts)
    for next_begin, next_end in parts:
        if count(text[begin:next_end]) > most:
            yield from pieces(text[begin:end], most, count, places[1:])
            begin = next_begin
        end = next_end
    yield from pieces(text[begin:end], most, count, places[1:])


def _parts(text: str, place: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Yields where each part begins and ends; there is at least one."""
    begin = 0
    for found in place.finditer(text):
        if found.start() > begin and found.end() < len(text):
            yield begin, found.start()
            begin = found.end()
    yield begin, len(text)

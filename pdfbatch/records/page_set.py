"""Pages that a person asks for, as `1-3,7` or `5-`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count, islice, takewhile
from typing import NamedTuple

_SPAN = re.compile(r"(?P<first>\d{1,9})(?:\s*(?P<to>[-–])\s*(?P<last>\d{1,9})?)?")


class PageSet(NamedTuple):
    """Spans of page numbers, from 1, in order and apart; the last of one without an end is None. None at all: every
    page."""

    spans: tuple[tuple[int, int | None], ...] = ()

    @classmethod
    def read(cls, text: str) -> PageSet:
        """
        Raises:
            ValueError: it is not such a list; says what is wrong.
        """
        return cls(_joined(sorted(map(_span, text.split(",")), key=lambda span: span[0]))) if text.strip() else cls()

    def __str__(self) -> str:
        return ",".join(_told(first, last) for first, last in self.spans)

    def ascending(self) -> Iterator[int]:
        """The numbers; perhaps without an end."""
        for first, last in self.spans or ((1, None),):
            yield from count(first) if last is None else range(first, last + 1)

    def of(self, pages: int) -> list[int]:
        """Those that a document of so many pages has."""
        return list(takewhile(lambda number: number <= pages, self.ascending()))

    def first(self, how_many: int) -> tuple[int, ...]:
        """Those of a document that has so many of them."""
        return tuple(islice(self.ascending(), how_many))

    def beyond(self, pages: int) -> str:
        """What was asked for by number and lies behind the end of a document of so many pages, as `7,12-14`; "" where
        nothing does. A span without an end asks for nothing that is not there, if it begins before the end."""
        late = [
            _told(first if last is None else max(first, pages + 1), last)
            for first, last in self.spans
            if (first if last is None else last) > pages
        ]
        return ",".join(late)


def _span(text: str) -> tuple[int, int | None]:
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text.strip()!r} is not a page or a range of pages")
    first = int(found["first"])
    last = first if not found["to"] else int(found["last"]) if found["last"] else None
    if first < 1:
        raise ValueError("pages count from 1")
    if last is not None and last < first:
        raise ValueError(f"{text.strip()!r} runs backwards; did you mean {last}-{first}?")
    return first, last


def _joined(spans: list[tuple[int, int | None]]) -> tuple[tuple[int, int | None], ...]:
    joined: list[tuple[int, int | None]] = []
    for first, last in spans:
        before = joined[-1] if joined else None
        if before is None or (before[1] is not None and first > before[1] + 1):
            joined.append((first, last))
        else:
            joined[-1] = before[0], None if before[1] is None or last is None else max(before[1], last)
    return () if joined == [(1, None)] else tuple(joined)


def _told(first: int, last: int | None) -> str:
    if last is None:
        return f"{first}-"
    return str(first) if first == last else f"{first}-{last}"

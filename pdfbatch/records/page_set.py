"""The pages requested, such as `1-3,7` or `5-`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count, islice, takewhile
from typing import NamedTuple

_SPAN = re.compile(r"(?P<first>\d{1,9})(?:\s*(?P<to>[-–])\s*(?P<last>\d{1,9})?)?")


class PageSet(NamedTuple):
    """Ranges of page numbers from 1, ordered and not adjacent; an open range ends with None. No ranges: every page."""

    spans: tuple[tuple[int, int | None], ...] = ()

    @classmethod
    def read(cls, text: str) -> PageSet:
        """Parses a list of pages and ranges.

        Raises:
            ValueError: the text is not such a list; the message says what is wrong.
        """
        return cls(_joined(sorted(map(_span, text.split(",")), key=lambda span: span[0]))) if text.strip() else cls()

    def __str__(self) -> str:
        return ",".join(_shown(first, last) for first, last in self.spans)

    def ascending(self) -> Iterator[int]:
        """Yields the page numbers; endless if a range is open."""
        for first, last in self.spans or ((1, None),):
            yield from count(first) if last is None else range(first, last + 1)

    def of(self, pages: int) -> list[int]:
        """Returns the requested pages that exist in a document of `pages` pages."""
        return list(takewhile(lambda number: number <= pages, self.ascending()))

    def first(self, how_many: int) -> tuple[int, ...]:
        """Returns the first `how_many` requested pages."""
        return tuple(islice(self.ascending(), how_many))

    def beyond(self, pages: int) -> str:
        """Returns the requested pages after the end of a document of `pages` pages, such as `7,12-14`; "" if there are
        none. An open range that begins before the end never exceeds it."""
        late = [
            _shown(first if last is None else max(first, pages + 1), last)
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


def _shown(first: int, last: int | None) -> str:
    if last is None:
        return f"{first}-"
    return str(first) if first == last else f"{first}-{last}"

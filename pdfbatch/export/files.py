"""The files of a shard, written side by side in a local folder; none is larger than the limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

MOST_DOCUMENTS = 100_000
"""Of a shard, however small they are."""


class Row(NamedTuple):
    value: Any
    weight: int
    """Its bytes, before compression."""


class RowFile(Protocol):
    """A file of rows that is being written."""

    @property
    def size(self) -> int:
        """The most bytes that it can have now."""

    def write(self, row: Row) -> None: ...

    def close(self) -> None: ...

    def abandon(self) -> None:
        """Frees it unfinished."""


class Part(NamedTuple):
    """A kind of file of a shard. All parts have the same rows in the same order."""

    key: str
    """Relative to the destination, with `{}` in place of the shard's name."""
    open: Callable[[Path], RowFile]


class Written(NamedTuple):
    key: str
    """As in `Part`."""
    path: Path


class ShardFiles:
    """The files of one shard. A row that does not fit into a file begins the next one, whose name has a suffix."""

    def __init__(self, parts: Sequence[Part], folder: Path, limit: int) -> None:
        self._parts = parts
        self._folder = folder
        self._limit = limit
        self._open: list[RowFile] = []
        self._written: list[list[Written]] = []
        self.rows = 0

    @property
    def is_full(self) -> bool:
        return len(self._written) > 1 or self._size > 0.9 * self._limit

    @property
    def _size(self) -> int:
        return max((file.size for file in self._open), default=0)

    def write(self, rows: Sequence[Row]) -> None:
        """Writes one row to each part."""
        if not self._open or self._size + max(row.weight for row in rows) > self._limit:
            self._next()
        for file, row in zip(self._open, rows, strict=True):
            file.write(row)
        self.rows += 1

    def close(self) -> list[Written]:
        """Returns the finished files, those of the last part first: what others refer to comes before them."""
        if not self._written:
            self._next()
        for file in self._open:
            file.close()
        self._open = []
        return [file for files in self._written for file in reversed(files)]

    def abandon(self) -> None:
        """Frees the files of a shard that is not finished."""
        for file in self._open:
            file.abandon()

    def _next(self) -> None:
        for file in self._open:
            file.close()
        number = len(self._written)
        suffix = f"{{}}-{number}" if number else "{}"
        self._written.append(
            [
                Written(part.key.replace("{}", suffix), self._folder / f"{number}-{place}")
                for place, part in enumerate(self._parts)
            ]
        )
        self._open = [part.open(file.path) for part, file in zip(self._parts, self._written[-1], strict=True)]

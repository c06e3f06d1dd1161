"""Values by key for a million documents: in key order, and with only a few MB of them in memory."""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import Any, Generic, TypeVar, overload

_MEMORY_KIB = 32 * 1024
_ONE = "SELECT fields FROM best WHERE key = ?"
V = TypeVar("V")
T = TypeVar("T")

Row = tuple[str, str, tuple[Any, ...]]
"""(key, rank, fields): of several rows with one key the one with the highest rank counts, of those the first."""


class KeyTable(Mapping[str, V], Generic[V]):
    """A mapping that never changes; it iterates by the keys' UTF-8 bytes. Use it in one thread at a time.

    What does not fit in memory is in a temporary file of SQLite, which has no name and disappears with the process.
    """

    def __init__(self, rows: Iterable[Row], value: Callable[..., V]) -> None:
        """`value` makes a value of the fields of a row, which are numbers and text."""
        self._value = value
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute(f"PRAGMA cache_size = -{_MEMORY_KIB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("BEGIN")
        # Sorting once at the end takes half the time of keeping a tree in order.
        self._database.execute("CREATE TABLE found (key BLOB, rank TEXT, fields BLOB)")
        self._database.executemany(
            "INSERT INTO found VALUES (?, ?, ?)",
            ((_bytes(key), rank, marshal.dumps(fields)) for key, rank, fields in rows),
        )
        self._database.execute("CREATE TABLE best (key BLOB PRIMARY KEY, fields BLOB) WITHOUT ROWID")
        self._database.execute(
            "INSERT OR IGNORE INTO best SELECT key, fields FROM found ORDER BY key, rank DESC, rowid"
        )
        self._database.execute("DROP TABLE found")
        self._execute = self._database.execute
        (self._length,) = self._database.execute("SELECT count(*) FROM best").fetchone()

    def __len__(self) -> int:
        return int(self._length)

    def __iter__(self) -> Iterator[str]:
        for (key,) in self._database.execute("SELECT key FROM best ORDER BY key"):
            yield _text(key)

    def __getitem__(self, key: str) -> V:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        return self._length > 0 and self._execute(_ONE, (_bytes(str(key)),)).fetchone() is not None

    @overload
    def get(self, key: str, /) -> V | None: ...
    @overload
    def get(self, key: str, /, default: V | T) -> V | T: ...
    def get(self, key: str, /, default: Any = None) -> Any:
        if not self._length:
            return default
        row = self._execute(_ONE, (key.encode("utf-8", "surrogatepass"),)).fetchone()
        return self._value(*marshal.loads(row[0])) if row else default

    def items(self) -> ItemsView[str, V]:
        return _Items(self)

    def values(self) -> ValuesView[V]:
        return _Values(self)

    def pairs(self) -> Iterator[tuple[str, V]]:
        """Yields keys and values in order, in one pass."""
        for key, fields in self._database.execute("SELECT key, fields FROM best ORDER BY key"):
            yield _text(key), self._value(*marshal.loads(fields))


class _Items(ItemsView[str, V]):
    def __init__(self, table: KeyTable[V]) -> None:
        super().__init__(table)
        self._table = table

    def __iter__(self) -> Iterator[tuple[str, V]]:
        return self._table.pairs()


class _Values(ValuesView[V]):
    def __init__(self, table: KeyTable[V]) -> None:
        super().__init__(table)
        self._table = table

    def __iter__(self) -> Iterator[V]:
        return (value for _, value in self._table.pairs())


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")

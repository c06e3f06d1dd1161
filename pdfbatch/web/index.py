"""The documents of an output as a temporary table: read from the ledger in one pass, then only its new segments."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import STATE_PREFIX, Outcome, RunKeys
from pdfbatch.runs import ledger
from pdfbatch.store import Store
from pdfbatch.web.asked import Asked

_MEMORY_KIB = 64 * 1024
_AT_ONCE = 500
_PATIENCE = 0.7
_KINDS = ("failed", "partial", "ok")
_COLUMNS = "key, outcome, reason, engine, score, pages, bad, seconds, at, run"
_SCHEMA = f"""
CREATE TABLE documents (key TEXT PRIMARY KEY, rank TEXT, outcome TEXT, reason TEXT, engine TEXT, score REAL,
    pages INTEGER, bad INTEGER, seconds REAL, at TEXT, run TEXT, failed INTEGER, line TEXT) WITHOUT ROWID;
CREATE TABLE bad_pages (key TEXT, page INTEGER, PRIMARY KEY (key, page)) WITHOUT ROWID;
CREATE INDEX listed ON documents ({_COLUMNS}, failed);
"""
"""The index `listed` holds what a table of documents shows, so that filters and sorts do not read the long lines."""


class Row(NamedTuple):
    """A document in the table. `bad`: its number of pages that failed, are flagged or scored low."""

    key: str
    outcome: str
    reason: str
    engine: str
    score: float | None
    pages: int
    bad: int
    seconds: float
    at: str
    run: str


class Listing(NamedTuple):
    rows: Sequence[Row]
    total: int
    """Of all pages of the table."""


class Index:
    """The newest outcome of each document, of one run or (`run` None) over all. Several threads may use it."""

    def __init__(self, store: Store, run: str | None) -> None:
        self._store = store
        self._prefix = RunKeys(run).ledger if run else STATE_PREFIX
        self._known: set[str] = set()
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._reader: threading.Thread | None = None
        self._read_at = -math.inf
        self._database = sqlite3.connect("", check_same_thread=False)
        self._database.execute(f"PRAGMA cache_size = -{_MEMORY_KIB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.executescript(_SCHEMA)
        self.version = 0
        """Grows with every new outcome."""
        self.trouble = ""
        """Why the ledger could not be read the last time."""

    @property
    def is_reading(self) -> bool:
        return self._reader is not None and self._reader.is_alive()

    def keep_up(self, seconds: float) -> None:
        """Reads what is new if the last time is so many seconds ago, in the background: a long ledger is shown while it
        is read. Waits a moment, in which an ordinary one is read."""
        with self._starting:
            if not self.is_reading and time.monotonic() - self._read_at >= seconds:
                self._reader = threading.Thread(target=self._refresh_quietly, daemon=True)
                self._reader.start()
            reader = self._reader
        if reader is not None:
            reader.join(_PATIENCE)

    def _refresh_quietly(self) -> None:
        try:
            self.refresh()
            self.trouble = ""
        except PdfbatchError as error:
            self.trouble = error.message
        self._read_at = time.monotonic()

    def refresh(self) -> None:
        """Reads the segments that are new since the last call.

        Raises:
            PdfbatchError: the ledger is damaged or cannot be read.
        """
        parts = [part for part in ledger.segments(self._store, self._prefix) if part.key not in self._known]
        lines = ledger.outcomes(self._store, parts)
        while batch := list(islice(lines, _AT_ONCE)):
            self._add(batch)
        self._known.update(part.key for part in parts)

    def listing(self, asked: Asked) -> Listing:
        """Returns one page of the table, and the number of documents on all its pages."""
        where, values = _conditions(asked)
        order, way = asked.sort, "DESC" if asked.down else "ASC"
        rows = self._all(
            f"SELECT {_COLUMNS} FROM documents WHERE {where} ORDER BY {order} {way} NULLS LAST, key LIMIT ? OFFSET ?",
            (*values, asked.size, (asked.page - 1) * asked.size),
        )
        ((total,),) = self._all(f"SELECT count(*) FROM documents WHERE {where}", values)
        return Listing([Row(*row) for row in rows], total)

    def choices(self, column: str) -> list[str]:
        """Returns the values of `outcome`, `reason` or `engine` that occur."""
        assert column in ("outcome", "reason", "engine")
        return [value for (value,) in self._all(f"SELECT DISTINCT {column} FROM documents ORDER BY 1") if value]

    def outcome(self, key: str) -> tuple[str, Outcome] | None:
        """Returns a document's run and newest outcome; None if it has none."""
        found = self._all("SELECT run, line FROM documents WHERE key = ?", (key,))
        return (found[0][0], Outcome.model_validate_json(found[0][1])) if found else None

    def next_bad(self, key: str, page: int) -> tuple[str, int] | None:
        """Returns the next bad page after this one, in the order of keys and pages; after the last, the first. None if
        there is none."""
        after = self._all(
            "SELECT key, page FROM bad_pages WHERE (key, page) > (?, ?) ORDER BY key, page LIMIT 1", (key, page)
        )
        found = after or self._all("SELECT key, page FROM bad_pages ORDER BY key, page LIMIT 1")
        return found[0] if found else None

    def worst(self, limit: int) -> list[tuple[str, int]]:
        """Returns documents and pages that a person should look at: those of failed documents first, then by the lowest
        score of their document."""
        return self._all(
            "SELECT key, page FROM bad_pages JOIN documents USING (key) "
            "ORDER BY outcome = 'failed' DESC, score NULLS FIRST, key, page LIMIT ?",
            (limit,),
        )

    def pages_over_time(self, began: datetime, until: datetime, parts: int) -> list[tuple[int, int]]:
        """Returns the pages read and failed of the documents that ended in each of `parts` equal times."""
        length = (until - began).total_seconds()
        rows = self._all(
            "SELECT CAST((strftime('%s', at) - ?) * ? / ? AS INTEGER) AS part, sum(pages - failed), sum(failed) "
            "FROM documents WHERE at != '' GROUP BY part",
            (began.timestamp(), parts, length),
        )
        counts = [(0, 0)] * parts
        for part, read, failed in rows:
            at = min(max(part, 0), parts - 1)
            counts[at] = counts[at][0] + read, counts[at][1] + failed
        return counts

    def neighbour(self, key: str, step: int) -> str | None:
        """Returns the key of the next (`step` 1) or previous document, in the order of the keys."""
        sign, way = (">", "ASC") if step > 0 else ("<", "DESC")
        found = self._all(f"SELECT key FROM documents WHERE key {sign} ? ORDER BY key {way} LIMIT 1", (key,))
        return found[0][0] if found else None

    def _add(self, batch: Iterable[tuple[str, Outcome]]) -> None:
        with self._lock, self._database:
            for run, outcome in batch:
                self._add_one(run, outcome)

    def _add_one(self, run: str, outcome: Outcome) -> None:
        bad = bad_pages(outcome)
        changed = self._database.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
            "rank = excluded.rank, outcome = excluded.outcome, reason = excluded.reason, engine = excluded.engine, "
            "score = excluded.score, pages = excluded.pages, bad = excluded.bad, seconds = excluded.seconds, "
            "at = excluded.at, run = excluded.run, failed = excluded.failed, "
            "line = excluded.line WHERE excluded.rank > documents.rank",
            tuple(_values(run, outcome, len(bad))),
        ).rowcount
        if changed:
            self.version += 1
            self._database.execute("DELETE FROM bad_pages WHERE key = ?", (outcome.key,))
            self._database.executemany("INSERT INTO bad_pages VALUES (?, ?)", ((outcome.key, page) for page in bad))

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._database.execute(query, values).fetchall()


def bad_pages(outcome: Outcome) -> list[int]:
    """Returns the pages that a person should look at: failed, flagged or scored low. A document of which no page could
    be tried counts with its first one."""
    failed = {page for page, _ in outcome.failed_pages}
    found = failed | {page for page, _ in outcome.flagged_pages} | {each.page for each in outcome.doubtful}
    return sorted(found) or ([1] if outcome.outcome == "failed" else [])


def lowest_score(outcome: Outcome) -> float | None:
    """Returns the lowest score of its pages, from 0.9 on rounded down to a tenth; None if none was read."""
    if outcome.doubtful:
        return min(each.score for each in outcome.doubtful)
    return min((float(tenth) for tenth in outcome.scores), default=None)


def _values(run: str, outcome: Outcome, bad: int) -> Iterator[object]:
    yield outcome.key
    yield f"{outcome.attempt:09}{_KINDS.index(outcome.outcome)}{run}"
    yield outcome.outcome
    yield str(outcome.reason or "")
    yield outcome.engine
    yield lowest_score(outcome)
    yield outcome.pages
    yield bad
    yield outcome.seconds
    yield outcome.at.isoformat(timespec="seconds") if outcome.at else ""
    yield run
    yield len(outcome.failed_pages)
    yield outcome.model_dump_json()


def _conditions(asked: Asked) -> tuple[str, tuple[object, ...]]:
    conditions, values = ["1"], list[object]()
    for column in ("outcome", "reason", "engine"):
        if value := getattr(asked, column):
            conditions.append(f"{column} = ?")
            values.append(value)
    for column, sign, bound in (("score", ">=", asked.low), ("score", "<=", asked.high)):
        if bound is not None:
            conditions.append(f"{column} {sign} ?")
            values.append(bound)
    if asked.text:
        conditions.append("instr(lower(key), lower(?)) > 0")
        values.append(asked.text)
    return " AND ".join(conditions), tuple(values)

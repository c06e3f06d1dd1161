"""The ledger: immutable segments of outcome lines, and the final outcome of each document."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic import ValidationError

from pdfbatch.errors import NotFound, PdfbatchError, PreconditionFailed
from pdfbatch.records import STATE_PREFIX, FailureList, Outcome, Reason, RunKeys
from pdfbatch.store import Store

_SEGMENT = re.compile(re.escape(STATE_PREFIX) + r"(?P<run>[^/]+)/ledger/worker-(?P<worker>\d+)/(?P<number>\d+)\.jsonl$")


class LedgerWriter:
    """Buffers one worker's outcomes and writes each batch as an immutable segment."""

    def __init__(self, store: Store, keys: RunKeys, worker: int, next_segment: int) -> None:
        self._store = store
        self._keys = keys
        self._worker = worker
        self._next = next_segment
        self._lines: list[str] = []

    def add(self, outcome: Outcome) -> None:
        self._lines.append(outcome.model_dump_json())

    @property
    def pending(self) -> int:
        return len(self._lines)

    def flush(self) -> None:
        """Writes the buffered lines; after a StoreError they stay buffered for the next try."""
        if not self._lines:
            return
        data = ("\n".join(self._lines) + "\n").encode()
        while True:
            try:
                self._store.put_new(self._keys.ledger_segment(self._worker, self._next), data)
                break
            except PreconditionFailed:
                # Another process of this worker (a replacement that started while this one drained) used the number.
                self._next += 1
        self._next += 1
        self._lines.clear()


class Segment(NamedTuple):
    run: str
    worker: int
    number: int
    key: str


def segments(store: Store, prefix: str = STATE_PREFIX) -> list[Segment]:
    """Returns the segments under a prefix in the order of writing: by run, then number, then worker."""
    found = (
        Segment(match["run"], int(match["worker"]), int(match["number"]), entry.key)
        for entry in store.list(prefix)
        if (match := _SEGMENT.match(entry.key))
    )
    return sorted(found, key=lambda s: (s.run, s.number, s.worker))


def outcomes(store: Store, parts: Iterable[Segment]) -> Iterator[tuple[str, Outcome]]:
    """Yields (run, outcome) for every line of the segments.

    Raises:
        PdfbatchError: a segment is damaged.
    """
    for part in parts:
        for line in store.get(part.key).splitlines():
            try:
                yield part.run, Outcome.model_validate_json(line)
            except ValidationError as error:
                raise PdfbatchError(
                    f"A segment of the ledger is damaged ({store.url}{part.key}).",
                    "Delete that file and start again: documents listed only there are found by their Markdown or "
                    "converted again.",
                ) from error


class Final(NamedTuple):
    """The final outcome of a document over its history; small, because there may be a million."""

    outcome: str
    reason: Reason | None
    etag: str
    attempt: int
    pages: int
    run: str
    lowest: float = 1.0
    """The lowest score of its read pages."""
    asked_pages: str = ""
    """As in `ReadOptions.pages`."""
    size: int = 0
    digest: str = ""
    """As in `Outcome`, like `size`."""
    engine: str = ""


def fold(lines: Iterable[tuple[str, Outcome]]) -> dict[str, Final]:
    """Returns the final outcome of each document: of its highest attempt, and if that has several, a published one.

    Lines may come in any order and more than once (a worker and its replacement may both report a document).
    """
    finals: dict[str, Final] = {}
    for run, line in lines:
        final = _final(run, line)
        known = finals.get(line.key)
        if known is None or _rank(final) > _rank(known):
            finals[line.key] = final
    return finals


def newest(store: Store, run: str | None = None) -> Iterator[Outcome]:
    """Yields the final outcome of each document in a run's ledger (None: over all runs), in the order of writing.

    It reads the ledger twice, and keeps only the rank of each document in memory, not its outcome.
    """
    parts = segments(store, RunKeys(run).ledger if run else STATE_PREFIX)
    best: dict[str, tuple[tuple[int, int, str], int]] = {}
    for number, (of_run, line) in enumerate(outcomes(store, parts)):
        rank = _rank(_final(of_run, line))
        if line.key not in best or rank > best[line.key][0]:
            best[line.key] = rank, number
    for number, (_, line) in enumerate(outcomes(store, parts)):
        if best[line.key][1] == number:
            yield line


def by_key(found: Iterable[Outcome]) -> list[Outcome]:
    return sorted(found, key=lambda outcome: outcome.key)


def _final(run: str, line: Outcome) -> Final:
    lowest, asked, engine = _lowest(line), sys.intern(line.asked_pages), sys.intern(line.engine)
    known = (line.outcome, line.reason, line.etag, line.attempt, line.pages, run, lowest, asked)
    return Final(*known, line.size, line.digest, engine)


def _lowest(line: Outcome) -> float:
    return min((page.score for page in line.doubtful), default=1.0)


def _rank(final: Final) -> tuple[int, int, str]:
    return final.attempt, ("failed", "partial", "ok").index(final.outcome), final.run


def history(store: Store) -> dict[str, Final]:
    """Returns every document's final outcome over all runs on an output."""
    return fold(outcomes(store, segments(store)))


def load_failures(store: Store, keys: RunKeys, worker: int) -> list[Outcome]:
    """Returns a worker's list of failures; empty if it has not written one yet."""
    try:
        return FailureList.model_validate_json(store.get(keys.failure_list(worker))).failures
    except NotFound:
        return []


def dump_failures(worker: int, run: str, failures: Iterable[Outcome]) -> bytes:
    """Returns the content of `failures/worker-I-failures.json`: readable by people, one failure per line."""
    rows = ",\n  ".join(failure.model_dump_json() for failure in failures)
    return f'{{"worker": {worker}, "run": {json.dumps(run)}, "failures": [\n  {rows}\n]}}\n'.encode()

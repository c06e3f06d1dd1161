"""Writes a worker's outcomes to the store while it works."""

import time
from collections.abc import Sequence, Set

from pdfbatch.records import Outcome, RunKeys
from pdfbatch.runs.ledger import LedgerWriter, dump_failures
from pdfbatch.store import Store

FLUSH_SECONDS = 5.0
FLUSH_LINES = 500
FAILURES_SECONDS = 30.0


class LedgerJournal:
    """Writes the ledger every few seconds, and the list of failures every 30 seconds and at the end."""

    def __init__(self, output: Store, keys: RunKeys, worker: int, next_segment: int, known: Sequence[Outcome]) -> None:
        self._output = output
        self._keys = keys
        self._worker = worker
        self._ledger = LedgerWriter(output, keys, worker, next_segment)
        self._failures = {line.key: line for line in known if line.outcome != "ok"}
        self._flushed = self._listed = time.monotonic()
        self._new_failures = True

    def enter(self, outcome: Outcome) -> None:
        self._ledger.add(outcome)
        if outcome.outcome != "ok":
            self._failures[outcome.key] = outcome
            self._new_failures = True

    @property
    def next_segment(self) -> int:
        """The number of the first ledger segment that is not written yet."""
        return self._ledger.next_segment

    def withdraw(self, keys: Set[str]) -> list[Outcome]:
        """Takes back the outcomes of these documents that are not written yet, and returns them."""
        withdrawn = self._ledger.withdraw(keys)
        for outcome in withdrawn:
            self._new_failures = self._failures.pop(outcome.key, None) is not None or self._new_failures
        return withdrawn

    def is_due(self, now: float, *, is_urgent: bool = False) -> bool:
        """Whether `keep` would write something."""
        return self._ledger_is_due(now, is_urgent) or self._list_is_due(now)

    def keep(self, now: float, *, is_urgent: bool = False) -> bool:
        """Writes what is due at `now`, in seconds on the monotonic clock; returns whether the ledger was written.
        `is_urgent`: somebody waits for the ledger."""
        has_written = False
        if self._ledger_is_due(now, is_urgent):
            has_written = self._ledger.pending > 0
            self._ledger.flush()
            self._flushed = now
        if self._list_is_due(now):
            self._list_failures()
            self._listed = now
        return has_written

    def close(self) -> bool:
        """Writes everything; returns whether the ledger was written."""
        has_written = self._ledger.pending > 0
        self._ledger.flush()
        self._list_failures()
        return has_written

    def _ledger_is_due(self, now: float, is_urgent: bool) -> bool:
        pending = self._ledger.pending
        return pending >= FLUSH_LINES or (pending > 0 and (is_urgent or now - self._flushed > FLUSH_SECONDS))

    def _list_is_due(self, now: float) -> bool:
        return self._new_failures and now - self._listed > FAILURES_SECONDS

    def _list_failures(self) -> None:
        data = dump_failures(self._worker, self._keys.run, self._failures.values())
        self._output.put(self._keys.failure_list(self._worker), data)
        self._new_failures = False

"""How many requests may be under way at once: more while answers stay quick, half as many when the endpoint is busy.

Additive increase and multiplicative decrease, as in TCP's congestion control (RFC 5681), with its slow start. `Pace`
decides and is pure; `Gate` makes threads wait for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

FIRST = 2
STABLE = 3.0
"""Answers may take this many times as long, per token, as the quickest so far. A server that batches gets slower with
each request more, and yet reads more pages in the same time; one that is full only lets requests wait."""
_MEMORY = 0.25
"""The weight of a new answer in the average."""
_LONGEST_PAUSE = 60.0


class Pace:
    """The limit, from 1 to `most`. Times are in seconds on any clock that only goes forward."""

    def __init__(self, most: int, first: int = FIRST) -> None:
        self._most = most
        self._limit = float(min(first, most))
        self._starting = True
        self._cut_at = float("-inf")
        self._quickest = float("inf")
        self._average: float | None = None
        self.opens_at = float("-inf")
        """Until then the endpoint wants no request at all."""

    @property
    def limit(self) -> int:
        return int(self._limit)

    @property
    def is_stable(self) -> bool:
        return self._average is None or self._average <= STABLE * self._quickest

    def answered(self, seconds: float, tokens: int) -> None:
        """Takes an answer of `tokens` that took `seconds`."""
        pace = seconds / max(1, tokens)
        self._average = pace if self._average is None else self._average + _MEMORY * (pace - self._average)
        self._quickest = min(self._quickest, self._average)
        if not self.is_stable:
            self._starting = False
            return
        self._limit = min(self._most, self._limit + (1.0 if self._starting else 1.0 / self._limit))

    def refused(self, sent: float, now: float, wait: float = 0.0) -> None:
        """Takes a refusal of a request `sent` at that time; `wait` is how long the endpoint asks to wait. Those that
        were sent before the last cut say nothing new."""
        self.opens_at = max(self.opens_at, now + min(wait, _LONGEST_PAUSE))
        if sent < self._cut_at:
            return
        self._starting = False
        self._cut_at = now
        self._limit = max(1.0, self._limit / 2)


class Gate:
    """Lets as many threads through as the pace allows. `clock` is monotonic."""

    def __init__(self, pace: Pace, clock: Callable[[], float]) -> None:
        self._pace = pace
        self._clock = clock
        self._changed = threading.Condition()
        self._under_way = 0
        self._is_closed = False

    @property
    def limit(self) -> int:
        with self._changed:
            return self._pace.limit

    def enter(self) -> bool:
        """Waits for its turn; False if the gate was closed meanwhile."""
        with self._changed:
            while not self._is_closed:
                closed_for = self._pace.opens_at - self._clock()
                if closed_for <= 0 and self._under_way < self._pace.limit:
                    self._under_way += 1
                    return True
                self._changed.wait(closed_for if closed_for > 0 else None)
            return False

    def leave_answered(self, seconds: float, tokens: int) -> None:
        with self._changed:
            self._pace.answered(seconds, tokens)
            self._leave()

    def leave_refused(self, sent: float, wait: float) -> None:
        with self._changed:
            self._pace.refused(sent, self._clock(), wait)
            self._leave()

    def leave(self) -> None:
        """Leaves with a failure that says nothing about the endpoint's load."""
        with self._changed:
            self._leave()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _leave(self) -> None:
        self._under_way -= 1
        self._changed.notify_all()

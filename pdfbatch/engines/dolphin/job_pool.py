"""The jobs that wait: first those whose picture is not encoded yet, then those ready for a row."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from pdfbatch.engines.dolphin.jobs import DecodeJob


class JobPool:
    """No job starves: pages are taken in groups, and no job of a group starts while one of an earlier group waits.
    Within a group layouts go first (they create more jobs), then the longest jobs, so that no long table is left alone
    at the end. A job that had started, and was put back to free memory, goes before all others of its group."""

    def __init__(self) -> None:
        self._order = itertools.count()
        self._waiting: list[tuple[int, float, int, DecodeJob]] = []
        self._encoded: list[tuple[int, float, int, DecodeJob]] = []

    @property
    def waiting(self) -> int:
        """How many jobs wait for the encoder."""
        return len(self._waiting)

    @property
    def encoded(self) -> int:
        """How many jobs wait for a row."""
        return len(self._encoded)

    def add(self, job: DecodeJob) -> None:
        urgency = -float("inf") if job.is_begun else -float(job.expected)
        pool = self._waiting if job.hidden is None else self._encoded
        heapq.heappush(pool, (job.page_group, urgency, next(self._order), job))

    def next_waiting(self, most: int) -> list[DecodeJob]:
        """Removes and returns the next jobs for the encoder."""
        return [heapq.heappop(self._waiting)[-1] for _ in range(min(most, len(self._waiting)))]

    def next_encoded(self, most: int) -> list[DecodeJob]:
        """Removes and returns the next jobs for rows."""
        return [heapq.heappop(self._encoded)[-1] for _ in range(min(most, len(self._encoded)))]

    def longest_encoded(self) -> int:
        """Returns the tokens, prompt included, of the longest job that waits for a row; 0 if none does."""
        return max((entry[-1].length for entry in self._encoded), default=0)

    def discard(self, unwanted: Callable[[DecodeJob], bool]) -> list[DecodeJob]:
        """Removes and returns the unwanted jobs that have not started."""
        discarded: list[DecodeJob] = []
        for pool in (self._waiting, self._encoded):
            discarded += [entry[-1] for entry in pool if not entry[-1].is_begun and unwanted(entry[-1])]
            pool[:] = [entry for entry in pool if entry[-1] not in discarded]
            heapq.heapify(pool)
        return discarded

"""Counts a slice's progress."""

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable

from pdfbatch.records import Counts, DoubtfulPage, ModelUse, Outcome, PageResult
from pdfbatch.runs.partition import BYTES_A_DOCUMENT
from pdfbatch.runs.progress import eta_seconds
from pdfbatch.runs.savings import total, use_of
from pdfbatch.runs.scores import worst

_RATE_WINDOW_SECONDS = 60.0


class Tally:
    """Counts outcomes and pages; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = 0
        self._outcomes: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._read_by: Counter[str] = Counter()
        self._model_use = ModelUse()
        self._scores: Counter[str] = Counter()
        self._doubtful: list[DoubtfulPage] = []
        self._pages_read = self._pages_failed = self._pages_resumed = self._pages_here = 0
        self._started = time.monotonic()
        self._recent: deque[float] = deque()
        self._left = self._done = 0.0
        self._shorter = 0

    def expect(self, documents: int, work: float) -> None:
        """Adds documents to be done here, and their work in the units of `work_of`; less than 0: another worker does
        them."""
        with self._lock:
            self._total += documents
            self._left += work

    def recall(self, outcome: Outcome) -> None:
        """Adds the outcome of a document that an earlier process of this slice finished."""
        with self._lock:
            self._count(outcome)
            if outcome.pages_are_its_own:
                self._recall_pages(outcome)
            self._left -= outcome.size + BYTES_A_DOCUMENT if outcome.pages_are_its_own else 0.0

    def recall_part(self, outcome: Outcome) -> None:
        """Adds the pages of a part that an earlier process of this worker finished."""
        with self._lock:
            self._recall_pages(outcome)
            self._left -= outcome.size / outcome.parts + BYTES_A_DOCUMENT

    def _recall_pages(self, outcome: Outcome) -> None:
        self._pages_failed += len(outcome.failed_pages)
        self._pages_read += outcome.pages - len(outcome.failed_pages) if outcome.outcome != "failed" else 0
        self._read_by.update(outcome.read_by)
        self._model_use = total([self._model_use, outcome.model_use])

    def skip(self, documents: int, work: float) -> None:
        """Counts documents that had Markdown before."""
        with self._lock:
            self._outcomes["skipped"] += documents
            self._left -= work

    def document(self, outcome: Outcome) -> None:
        with self._lock:
            self._count(outcome)
            if not outcome.pages and outcome.pages_are_its_own:
                self._advance(outcome.size + BYTES_A_DOCUMENT)

    def page(self, page: PageResult, share: float, resumed: bool) -> None:
        """Counts a page and its `share` of the work. Pages `resumed` from a checkpoint do not count for the pace."""
        with self._lock:
            if page.read_by:
                self._read_by[page.read_by] += 1
            self._model_use = total([self._model_use, use_of([page])])
            if page.reason is not None:
                self._pages_failed += 1
            else:
                self._pages_read += 1
            if resumed:
                self._pages_resumed += 1
                self._left -= share
            else:
                self._pages_here += 1
                self._recent.append(time.monotonic())
                self._advance(share)

    def forget(self, outcome: Outcome) -> None:
        """Takes back a document that another worker does instead, and its pages. Its time stays spent."""
        with self._lock:
            self._outcomes[outcome.outcome] -= 1
            self._shorter -= bool(outcome.absent_pages)
            if not outcome.same_as:
                self._scores.subtract(outcome.scores)
            if outcome.reason is not None:
                self._reasons[outcome.reason] -= 1
        self.forget_pages_of(outcome)

    def forget_pages_of(self, outcome: Outcome) -> None:
        """Takes back the pages of a document that was not counted."""
        if not outcome.pages_are_its_own:
            return
        with self._lock:
            self._pages_failed -= len(outcome.failed_pages)
            self._pages_read -= max(0, outcome.pages - len(outcome.failed_pages))
            self._read_by.subtract(outcome.read_by)

    def forget_pages(self, pages: Iterable[PageResult]) -> None:
        """Takes back pages of a document that another worker continues."""
        with self._lock:
            for page in pages:
                self._pages_failed -= page.reason is not None
                self._pages_read -= page.reason is None
                if page.read_by:
                    self._read_by[page.read_by] -= 1

    def _advance(self, work: float) -> None:
        self._left -= work
        self._done += work

    def _count(self, outcome: Outcome) -> None:
        self._outcomes[outcome.outcome] += 1
        self._shorter += bool(outcome.absent_pages)
        if not outcome.same_as:
            self._scores.update(outcome.scores)
            self._doubtful = worst([*self._doubtful, *outcome.doubtful])
        if outcome.reason is not None:
            self._reasons[outcome.reason] += 1

    def counts(self) -> Counts:
        with self._lock:
            return Counts(
                total=self._total,
                ok=self._outcomes["ok"],
                partial=self._outcomes["partial"],
                failed=self._outcomes["failed"],
                skipped=self._outcomes["skipped"],
                pages_read=self._pages_read,
                pages_failed=self._pages_failed,
                pages_resumed=self._pages_resumed,
                pages_here=self._pages_here,
                read_by=dict((+self._read_by).most_common()),
                model_use=self._model_use,
                scores=dict(sorted((+self._scores).items())),
                doubtful=self._doubtful,
                reasons=dict((+self._reasons).most_common()),
                shorter=self._shorter,
            )

    def endpoint_dollars(self) -> float:
        """Returns what the slice's requests to an endpoint cost, those of earlier processes included."""
        with self._lock:
            return self._model_use.endpoint.dollars

    def eta_seconds(self) -> float | None:
        seconds = self.seconds()
        with self._lock:
            return eta_seconds(self._left, self._done, seconds)

    def seconds(self) -> float:
        return time.monotonic() - self._started

    def pages_per_second(self) -> float:
        """Returns the pace over the last minute, or since the start if that is shorter."""
        now = time.monotonic()
        with self._lock:
            while self._recent and self._recent[0] < now - _RATE_WINDOW_SECONDS:
                self._recent.popleft()
            window = min(now - self._started, _RATE_WINDOW_SECONDS)
            return len(self._recent) / window if window > 0 else 0.0

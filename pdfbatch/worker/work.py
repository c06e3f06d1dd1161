"""A document on its way through the pipeline, and the outcome it comes to. No I/O."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pdfbatch.documents.sandbox.children import Failure
from pdfbatch.records import (
    Heading,
    Outcome,
    PageResult,
    PageSet,
    Reason,
    SourceDocument,
    main_reason,
    output_key,
)
from pdfbatch.runs.progress import weight
from pdfbatch.runs.savings import use_of
from pdfbatch.runs.scores import by_tenth, doubtful
from pdfbatch.worker.pages import Pages

PLAINEST = 2
"""The attempt from which on nothing gets plainer, see engines/base.py."""
PLAINER_HELPS = (Reason.TIMEOUT, Reason.OUT_OF_MEMORY)
LATE_IN_A_ROW = 3
"""Pages of one document that ran late: then the others are read the plainest way at once."""
LOST_IN_A_ROW = 5
"""Pages of one document that ran late in every way: then the others are not tried."""


class MadeBy(NamedTuple):
    engine: str
    model: str
    worker: int


@dataclass
class SliceWork:
    """One open document: which pages are to be read, being read, and read."""

    document: SourceDocument
    started: float
    """On the monotonic clock, seconds."""
    path: Path | None = None
    asked: PageSet = field(default_factory=PageSet)
    numbers: Sequence[int] = ()
    """The pages that are asked for and there, in order."""
    absent: str = ""
    """What is asked for and lies behind the end, as `7,12-14`."""
    outline: Sequence[Heading] = ()
    waiting: deque[int] = field(default_factory=deque)
    running: set[int] = field(default_factory=set)
    results: Pages = field(default_factory=Pages)
    saved: set[int] = field(default_factory=set)
    """Pages that are in a checkpoint."""
    tries: Counter[int] = field(default_factory=Counter)
    failures: dict[int, Failure] = field(default_factory=dict)
    """Why the last try of a page gave no result."""
    late: set[int] = field(default_factory=set)
    """Pages that ran late since one was last read in full."""
    lost: set[int] = field(default_factory=set)
    """Pages that ran late in every way since one was last read in any."""

    @property
    def key(self) -> str:
        return self.document.key

    @property
    def pages(self) -> int:
        return len(self.numbers)

    @property
    def share_of_a_page(self) -> float:
        """What one page adds to the progress, in the units of `weight`."""
        return weight(self.document.size) / self.pages

    @property
    def is_read(self) -> bool:
        return self.pages > 0 and len(self.results) == self.pages

    def take_up(self, pages: int, resumed: Iterable[PageResult]) -> int:
        """Sets the pages to read of a document that has so many, less those taken from a checkpoint; how many were
        taken."""
        self.numbers, self.absent = self.asked.of(pages), self.asked.beyond(pages)
        wanted = set(self.numbers)
        for page in resumed:
            if page.number in wanted:
                self.results.add(page)
        self.saved = set(self.results)
        self.waiting = deque(n for n in self.numbers if n not in self.results)
        return len(self.results)

    def no_such_page(self, pages: int) -> Failure:
        return Failure(Reason.NO_SUCH_PAGE, f"it has {pages}, and --pages asks for {self.absent}")

    @property
    def is_stuck(self) -> bool:
        return len(self.lost) >= LOST_IN_A_ROW

    def attempt(self, number: int) -> int:
        """How plainly a page is to be read now: the more plainly the more often it failed, and at once where the
        document's pages run late."""
        return max(self.tries[number], PLAINEST if len(self.late) >= LATE_IN_A_ROW else 0)

    def name_clash(self) -> Failure:
        key, twin = self.key, self.document.twin
        return Failure(Reason.NAME_CLASH, f"{output_key(key)} is made of {twin}: rename one of the two")

    def untried(self, number: int) -> PageResult:
        """The result of a page of a document that is stuck."""
        detail = f"not tried, because {len(self.lost)} pages of this document in a row ran late"
        return PageResult(number=number, reason=Reason.TIMEOUT, detail=detail)

    def note_failure(self, number: int, failure: Failure) -> None:
        """A try of a page ended without a result."""
        if failure.stopped:
            return
        self.failures[number] = failure
        if failure.reason is Reason.TIMEOUT:
            self.late.add(number)

    def note_end(self, page: PageResult, attempt: int) -> PageResult:
        """The page as it is told: what was read more plainly than usual says so, and what could not be read that way
        keeps the reason why it could not be read in full."""
        failure = self.failures.get(page.number)
        if page.reason is Reason.NEEDS_OCR and failure is not None:
            page = page.model_copy(update={"reason": failure.reason, "detail": failure.detail})
        if page.reason is Reason.TIMEOUT:
            self.lost.add(page.number)
        else:
            self.lost.clear()
            if not attempt:
                self.late.clear()
        if page.reason is None and attempt:
            page = page.model_copy(update={"flags": [*page.flags, "read_plainly"]})
        return page

    def unsaved(self) -> list[PageResult]:
        """Read pages that no checkpoint holds yet, in order."""
        return [
            self.results.whole(n) for n in self.results if n not in self.saved and self.results.bare(n).reason is None
        ]

    def in_order(self) -> list[PageResult]:
        return [self.results.whole(n) for n in self.numbers]

    def outcome(self, made_by: MadeBy, seconds: float, at: str) -> Outcome:
        """What the pages add up to: nothing read is `failed`, something unread `partial`, for the commonest reason."""
        pages = [self.results.bare(n) for n in self.numbers]
        bad = [(page.number, page.reason) for page in pages if page.reason is not None]
        kind = "ok" if not bad else "partial" if any(map(self._is_readable, pages)) else "failed"
        return Outcome(
            key=self.key,
            outcome=kind,
            reason=main_reason([reason for _, reason in bad]) if bad else None,
            pages=self.pages,
            asked_pages=str(self.asked),
            absent_pages=self.absent,
            failed_pages=bad,
            flagged_pages=[(page.number, flag) for page in pages for flag in page.flags],
            read_by=dict(Counter(page.read_by for page in pages if page.read_by)),
            model_use=use_of(pages),
            scores=by_tenth(pages),
            doubtful=doubtful(self.key, pages),
            engine=made_by.engine,
            seconds=round(seconds, 3),
            output=None if kind == "failed" else output_key(self.key),
            etag=self.document.etag,
            size=self.document.size,
            attempt=self.document.attempt,
            worker=made_by.worker,
            at=at,
            detail=next((page.detail for page in pages if page.detail), self._told_absent()),
        )

    def _told_absent(self) -> str:
        return f"asked for and behind its end: page {self.absent}" if self.absent else ""

    def _is_readable(self, page: PageResult) -> bool:
        """Whether there is something of a page to publish."""
        return page.reason is None or self.results.has_elements(page.number)

    def failed(self, failure: Failure, made_by: MadeBy, seconds: float, at: str) -> Outcome:
        """The outcome of a document that could not even be opened, fetched or published."""
        return Outcome(
            key=self.key,
            outcome="failed",
            reason=failure.reason,
            pages=self.pages,
            asked_pages=str(self.asked),
            absent_pages=self.absent,
            engine=made_by.engine,
            seconds=round(seconds, 3),
            etag=self.document.etag,
            size=self.document.size,
            attempt=self.document.attempt,
            worker=made_by.worker,
            at=at,
            detail=failure.detail,
        )

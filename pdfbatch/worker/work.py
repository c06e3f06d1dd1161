"""A document in the pipeline, and its outcome. No I/O."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple

from pdfbatch.documents.sandbox.children import Failure
from pdfbatch.engines.base import share_of_limit
from pdfbatch.records import (
    FinishedPart,
    Heading,
    Outcome,
    PageResult,
    PageSet,
    ProcessorResults,
    Reason,
    SourceDocument,
    main_reason,
    output_key,
)
from pdfbatch.runs.partition import share_of_pages, work_of
from pdfbatch.runs.savings import use_of
from pdfbatch.runs.scores import by_tenth, doubtful
from pdfbatch.worker.pages import Pages
from pdfbatch.worker.workload import Block

PLAINEST = 2
"""The attempt that reads in the simplest way, see engines/base.py."""
PLAINER_HELPS = (Reason.TIMEOUT, Reason.OUT_OF_MEMORY)
LATE_IN_A_ROW = 3
"""After this many timed-out pages of a document, its other pages are read in the simplest way at once."""
LOST_IN_A_ROW = 5
"""After this many pages of a document that timed out in every way, its other pages are not tried."""
BUDGET_PAGES = 8
PAGES_PER_CREDIT = 20
"""The budget of a document for tries that time out, in units of `--page-seconds`: `BUDGET_PAGES`, and one more for
every `PAGES_PER_CREDIT` pages that were read. Once it is spent, pages are read in the simplest way at once; once it is
spent twice, they are not tried. So a document whose pages all hide the same trap cannot hold up its slice."""


class MadeBy(NamedTuple):
    engine: str
    model: str
    worker: int


def abandoned(document: SourceDocument, made_by: MadeBy, at: datetime, why: str) -> Outcome:
    """Returns the outcome of a document that is failed without being tried."""
    return SliceWork(document, 0.0).failed(Failure(Reason.ABANDONED, why), made_by, 0.0, at)


@dataclass
class SliceWork:
    """One open document: which pages are waiting, being read, and read."""

    document: SourceDocument
    started: float
    """On the monotonic clock, seconds."""
    block: Block = field(default_factory=Block)
    path: Path | None = None
    digest: str = ""
    """Of its content, as in `Store.digest`."""
    asked: PageSet = field(default_factory=PageSet)
    numbers: Sequence[int] = ()
    """The requested pages that the document has, in order."""
    absent: str = ""
    """The requested pages after its end, such as `7,12-14`."""
    outline: Sequence[Heading] = ()
    waiting: deque[int] = field(default_factory=deque)
    running: set[int] = field(default_factory=set)
    results: Pages = field(default_factory=Pages)
    uncounted: list[int] = field(default_factory=list)
    """Pages from a checkpoint that the tally does not have yet."""
    saved: set[int] = field(default_factory=set)
    """Pages that are in a checkpoint."""
    saving: int = 0
    """The number of its checkpoints that are being written."""
    tries: Counter[int] = field(default_factory=Counter)
    failures: dict[int, Failure] = field(default_factory=dict)
    """Why the last try of a page failed."""
    late: set[int] = field(default_factory=set)
    """Pages that timed out since a page was last read in full."""
    wasted: float = 0.0
    """What tries that timed out took, in units of `--page-seconds`."""
    lost: set[int] = field(default_factory=set)
    """Pages that timed out in every way since a page was last read in any way."""
    engine: str = ""
    """The engine that read it; set when it is open."""
    before: ProcessorResults = field(default_factory=ProcessorResults)
    """What processors of earlier runs did for it."""
    processing: Literal["", "running", "done"] = ""
    """Whether processors have run."""
    results_of: dict[str, ProcessorResults] = field(default_factory=dict)
    """What they did for it and for its copies, by key."""

    def __post_init__(self) -> None:
        self.frozen = self.document
        """As in the manifest; `document` is the current version."""

    @property
    def key(self) -> str:
        return self.document.key

    @property
    def name(self) -> tuple[str, int]:
        """Tells apart the open documents of a worker, which may be several parts of one document."""
        return self.document.key, self.document.part

    @property
    def pages(self) -> int:
        return len(self.numbers)

    @property
    def share_of_a_page(self) -> float:
        """One page's share of the work, in the units of `work_of`."""
        return work_of(self.document) / self.pages

    @property
    def is_read(self) -> bool:
        return self.pages > 0 and len(self.results) == self.pages

    def resume(self, pages: int, resumed: Iterable[PageResult]) -> None:
        """Sets the pages to read of a document of `pages` pages, without those from a checkpoint."""
        self.numbers, self.absent = self.asked.of(pages), self.asked.beyond(pages)
        if self.document.is_part:
            self.numbers = share_of_pages(self.numbers, self.document.part, self.document.parts)
        wanted = set(self.numbers)
        for page in resumed:
            if page.number in wanted:
                self.results.add(page)
        self.saved = set(self.results)
        self.waiting = deque(n for n in self.numbers if n not in self.results)
        if not self.document.is_assembled:  # else the workers that read its parts count them
            self.uncounted = list(self.results)

    def no_such_page(self, pages: int) -> Failure:
        return Failure(Reason.NO_SUCH_PAGE, f"its last page is {pages}, but --pages asks for {self.absent}")

    @property
    def is_stuck(self) -> bool:
        return len(self.lost) >= LOST_IN_A_ROW or self.wasted >= 2 * self._budget

    @property
    def _budget(self) -> float:
        return BUDGET_PAGES + len(self.results) / PAGES_PER_CREDIT

    def attempt(self, number: int) -> int:
        """Returns the next attempt for a page, see `PageOrder`: higher after each failure, and the simplest at once if
        the document's pages time out."""
        is_slow = len(self.late) >= LATE_IN_A_ROW or self.wasted >= self._budget
        return max(self.tries[number], PLAINEST if is_slow else 0)

    def name_clash(self) -> Failure:
        key, twin = self.key, self.document.twin
        return Failure(Reason.NAME_CLASH, f"{output_key(key)} is already made from {twin}: rename one of the two")

    def untried(self, number: int) -> PageResult:
        """Returns the result of a page that is not tried because the document is stuck."""
        why = f"{len(self.lost)} pages of this document in a row timed out"
        if len(self.lost) < LOST_IN_A_ROW:
            why = f"tries that timed out took {self.wasted:.0f} times --page-seconds for this document"
        detail = f"not tried, because {why}"
        return PageResult(number=number, reason=Reason.TIMEOUT, detail=detail)

    def note_failure(self, number: int, failure: Failure, attempt: int) -> None:
        """Notes that a try of a page failed."""
        if failure.stopped:
            return
        self.failures[number] = failure
        if failure.reason is Reason.TIMEOUT:
            self.late.add(number)
            self.wasted += share_of_limit(attempt)

    def note_end(self, page: PageResult, attempt: int) -> PageResult:
        """Notes the end of a page and returns it as reported: flagged if it was read in a simpler way, and with the
        first failure's reason if it could not be read that way either."""
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
        """Returns the read pages that are not in a checkpoint yet, in order."""
        return [
            self.results.whole(n) for n in self.results if n not in self.saved and self.results.bare(n).reason is None
        ]

    def unread(self) -> list[PageResult]:
        """Returns the pages that could not be read."""
        return [self.results.whole(n) for n in self.results if self.results.bare(n).reason is not None]

    def finished_part(self, outcome: Outcome) -> FinishedPart:
        document = self.document
        return FinishedPart(
            key=self.key,
            etag=document.etag,
            digest=self.digest,
            part=document.part,
            parts=document.parts,
            outcome=outcome,
            unread=self.unread(),
        )

    def take_uncounted(self) -> list[PageResult]:
        """Returns the pages that the tally does not have yet, without their content; from now on it has them."""
        pages = [self.results.bare(n) for n in self.uncounted]
        self.uncounted = []
        return pages

    def counted_pages(self) -> list[PageResult]:
        """Returns the pages that the tally has, without their content."""
        uncounted = set(self.uncounted)
        return [self.results.bare(n) for n in self.results if n not in uncounted]

    def in_order(self) -> list[PageResult]:
        return [self.results.whole(n) for n in self.numbers]

    def outcome(self, made_by: MadeBy, seconds: float, at: datetime) -> Outcome:
        """Returns the document's outcome: `failed` if no page was read, `partial` if some were not, with the most
        common reason."""
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
            engine=self.engine or made_by.engine,
            seconds=round(seconds, 3),
            output=None if kind == "failed" else output_key(self.key),
            etag=self.document.etag,
            digest=self.digest,
            size=self.document.size,
            attempt=self.document.attempt,
            worker=made_by.worker,
            at=at,
            detail=next((page.detail for page in pages if page.detail), self._absent_detail()),
            parts=self.document.parts,
        )

    def _absent_detail(self) -> str:
        return f"the document ends before the requested page {self.absent}" if self.absent else ""

    def _is_readable(self, page: PageResult) -> bool:
        """Whether a page has anything to publish."""
        return page.reason is None or self.results.has_elements(page.number)

    def failed(self, failure: Failure, made_by: MadeBy, seconds: float, at: datetime) -> Outcome:
        """Returns the outcome of a document that could not be fetched, opened or published."""
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
            digest=self.digest,
            size=self.document.size,
            attempt=self.document.attempt,
            worker=made_by.worker,
            at=at,
            detail=failure.detail,
            parts=self.document.parts,
        )

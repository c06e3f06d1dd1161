"""The state of an output over all its runs: the newest outcome of each document, and what all runs cost together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import DoubtfulPage, Manifest, ModelUse, Outcome
from pdfbatch.runs import ledger, slices
from pdfbatch.runs.past import run_ids
from pdfbatch.runs.progress import DocumentCounts, PageCounts, RunStatus, read_status
from pdfbatch.runs.report import Report, Spent, Waste, read_report, report_of
from pdfbatch.runs.savings import savings, total
from pdfbatch.runs.scores import worst
from pdfbatch.store import Store

MOST_SEGMENTS = 1000
MOST_BYTES = 32 * 2**20
"""`status` reads a ledger of at most so many segments and bytes (70,000 outcomes): it must answer in seconds."""

_ADDED_AT_ONCE = 1000


class OutputStatus(RunStatus):
    """The status of the current run, and the documents of the output."""

    runs: int
    """The number of runs of the output."""
    all_documents: DocumentCounts | None
    """The documents of all of them, each by its newest outcome; None if the ledger is too long to be read for this."""


def read_output_status(store: Store, latest: Manifest, now: datetime) -> OutputStatus:
    """Reads the status of the current run and, if there are more, the newest outcome of each document of the output."""
    status, runs = read_status(store, latest, now), len(run_ids(store))
    if runs == 1:
        return OutputStatus(**dict(status), runs=1, all_documents=status.documents)
    parts = ledger.segments(store)
    if len(parts) > MOST_SEGMENTS or sum(part.size for part in parts) > MOST_BYTES:
        return OutputStatus(**dict(status), runs=runs, all_documents=None)
    finals = ledger.finals(store, parts)
    kinds = Counter(final.outcome for final in finals.values())
    waiting = sum(key not in finals for key in slices.keys_of(store, latest))
    return OutputStatus(**dict(status), runs=runs, all_documents=_counts(kinds, waiting))


def read_whole(store: Store, frozen: Manifest, now: datetime) -> Report:
    """Reads the report over all runs of an output: documents and pages by the newest outcomes, hours and dollars of all
    runs together, everything else of the current run, `frozen`.

    Raises:
        PdfbatchError: the ledger is damaged.
    """
    latest = report_of(store, frozen, now)
    before = [found for run in run_ids(store) if run < frozen.run and (found := _report(store, run, now))]
    if not before:
        return latest
    sums, newest = _Sums(), ledger.newest(store)
    for outcome in newest.values():
        sums.add(outcome)
    waiting = sum(key not in newest for key in slices.keys_of(store, frozen))
    joined, pages = _joined([*before, latest]), sums.pages(latest.pages.asked)
    per_hour = joined.dollars / joined.machine_hours if joined.dollars is not None and joined.machine_hours else None
    return joined.model_copy(
        update={
            "documents": _counts(sums.kinds, waiting),
            "pages": pages,
            "reasons": dict(sums.reasons.most_common()),
            "spared": savings(pages.read_by, pages.model_use, per_hour),
        }
    )


def _report(store: Store, run: str, now: datetime) -> Report | None:
    """Returns the report of an earlier run; None if its manifest or ledger is damaged: its documents still count."""
    try:
        return read_report(store, run, now)
    except PdfbatchError:
        return None


def _counts(kinds: Mapping[str, int], waiting: int) -> DocumentCounts:
    """`kinds`: the number of documents by outcome. `waiting`: those of the current run without one."""
    done = sum(kinds.values())
    return DocumentCounts(
        total=done + waiting,
        done=done,
        ok=kinds.get("ok", 0),
        partial=kinds.get("partial", 0),
        failed=kinds.get("failed", 0),
    )


class _Sums:
    """Adds up outcomes, page by page."""

    def __init__(self) -> None:
        self._read = self._failed = self._shorter = 0
        self._read_by, self._scores = Counter[str](), Counter[str]()
        self._uses: list[ModelUse] = []
        self._doubtful: list[DoubtfulPage] = []
        self.kinds, self.reasons = Counter[str](), Counter[str]()

    def add(self, outcome: Outcome) -> None:
        self.kinds[outcome.outcome] += 1
        if outcome.reason is not None:
            self.reasons[outcome.reason] += 1
        self._shorter += bool(outcome.absent_pages)
        if outcome.same_as:
            return
        self._read += 0 if outcome.outcome == "failed" else outcome.pages - len(outcome.failed_pages)
        self._failed += len(outcome.failed_pages)
        self._read_by.update(outcome.read_by)
        self._scores.update(outcome.scores)
        self._uses.append(outcome.model_use)
        if len(self._uses) >= _ADDED_AT_ONCE:
            self._uses = [total(self._uses)]
        if outcome.doubtful:
            self._doubtful = worst([*self._doubtful, *outcome.doubtful])

    def pages(self, asked: str) -> PageCounts:
        return PageCounts(
            read=self._read,
            failed=self._failed,
            read_by=dict(self._read_by.most_common()),
            model_use=total(self._uses),
            scores=dict(sorted(self._scores.items())),
            doubtful=self._doubtful,
            asked=asked,
            shorter=self._shorter,
        )


def _joined(reports: Sequence[Report]) -> Report:
    """Returns the last of several reports, with the time and cost of all."""
    latest = reports[-1]
    hours = sum(each.machine_hours for each in reports)
    read = sum(each.pages.read for each in reports)
    dollars = _sum(each.dollars for each in reports)
    tried = sum((each.pages_per_machine_hour or 0.0) * each.machine_hours for each in reports)
    return latest.model_copy(
        update={
            "runs": len(reports),
            "began": reports[0].began,
            "seconds": round(sum(each.seconds for each in reports), 3),
            "machines": sum(each.machines for each in reports),
            "interrupted": sum(each.interrupted for each in reports),
            "machine_hours": round(hours, 4),
            "pages_per_machine_hour": round(tried / hours, 1) if hours else None,
            "dollars": dollars,
            "dollars_per_1000_pages": round(1000 * dollars / read, 4) if dollars is not None and read else None,
            "worst_dollars": _sum(each.worst_dollars for each in reports),
            "saved_dollars": _saved(reports),
            "waste": _waste([each.waste for each in reports if each.waste is not None]),
        }
    )


def _sum(dollars: Iterable[float | None]) -> float | None:
    """Adds up what is known; None if nothing is."""
    known = [each for each in dollars if each is not None]
    return round(sum(known), 4) if known else None


def _saved(reports: Sequence[Report]) -> float | None:
    """Adds up the savings of all fleets; None if those of one are unknown."""
    fleets = [each for each in reports if each.machines]
    return (
        _sum(each.saved_dollars for each in fleets) if all(each.saved_dollars is not None for each in fleets) else None
    )


def _waste(wastes: Sequence[Waste]) -> Waste | None:
    if not wastes:
        return None
    return Waste(
        boot=_spent([each.boot for each in wastes]),
        interruptions=_spent([each.interruptions for each in wastes]),
        idle=_spent([each.idle for each in wastes]),
    )


def _spent(parts: Sequence[Spent]) -> Spent:
    return Spent(hours=round(sum(each.hours for each in parts), 4), dollars=_sum(each.dollars for each in parts))

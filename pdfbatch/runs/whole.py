"""The state of an output over all its runs: the newest outcome of each document, and what all runs cost together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import DoubtfulPage, Manifest, ModelUse, Outcome
from pdfbatch.runs import ledger, manifest, slices
from pdfbatch.runs.past import run_ids
from pdfbatch.runs.progress import DocumentCounts, PageCounts, RunStatus, read_status
from pdfbatch.runs.report import Report, Spent, Waste, read_report
from pdfbatch.runs.savings import savings, total
from pdfbatch.runs.scores import worst
from pdfbatch.store import S3Store, Store

MOST_SEGMENTS = 500
"""`status` reads a ledger in S3 of at most so many segments, one GET each: it must answer in seconds."""


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
    if isinstance(store, S3Store) and len(parts) > MOST_SEGMENTS:
        return OutputStatus(**dict(status), runs=runs, all_documents=None)
    outcomes = {key: final.outcome for key, final in ledger.fold(ledger.outcomes(store, parts)).items()}
    return OutputStatus(**dict(status), runs=runs, all_documents=_counts(outcomes, slices.keys_of(store, latest)))


def read_whole(store: Store, now: datetime) -> Report:
    """Reads the report over all runs of an output: documents and pages by the newest outcomes, hours and dollars of all
    runs together, everything else of the current run.

    Raises:
        PdfbatchError: there is no current run, or its manifest or the ledger is damaged.
    """
    current = manifest.current(store) or ""
    latest = read_report(store, current, now)
    before = [found for run in run_ids(store) if run < current and (found := _report(store, run, now))]
    if not before:
        return latest
    frozen = manifest.load(store, current)
    sums, history = _Sums(), dict[str, str]()
    for outcome in ledger.newest(store):
        sums.add(outcome)
        history[outcome.key] = outcome.outcome
    joined, pages = _joined([*before, latest]), sums.pages(latest.pages.asked)
    per_hour = joined.dollars / joined.machine_hours if joined.dollars is not None and joined.machine_hours else None
    return joined.model_copy(
        update={
            "documents": _counts(history, slices.keys_of(store, frozen)),
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


def _counts(outcomes: Mapping[str, str], latest: Iterable[str]) -> DocumentCounts:
    """`latest`: the keys of the current run."""
    kinds = Counter(outcomes.values())
    waiting = sum(key not in outcomes for key in latest)
    return DocumentCounts(
        total=len(outcomes) + waiting,
        done=len(outcomes),
        ok=kinds["ok"],
        partial=kinds["partial"],
        failed=kinds["failed"],
    )


class _Sums:
    """Adds up outcomes, page by page."""

    def __init__(self) -> None:
        self._read = self._failed = self._shorter = 0
        self._read_by, self._scores = Counter[str](), Counter[str]()
        self._use = ModelUse()
        self._doubtful: list[DoubtfulPage] = []
        self.reasons = Counter[str]()

    def add(self, outcome: Outcome) -> None:
        if outcome.reason is not None:
            self.reasons[outcome.reason] += 1
        self._shorter += bool(outcome.absent_pages)
        if outcome.same_as:
            return
        self._read += 0 if outcome.outcome == "failed" else outcome.pages - len(outcome.failed_pages)
        self._failed += len(outcome.failed_pages)
        self._read_by.update(outcome.read_by)
        self._scores.update(outcome.scores)
        self._use = total([self._use, outcome.model_use])
        self._doubtful = worst([*self._doubtful, *outcome.doubtful])

    def pages(self, asked: str) -> PageCounts:
        return PageCounts(
            read=self._read,
            failed=self._failed,
            read_by=dict(self._read_by.most_common()),
            model_use=self._use,
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

"""The table of documents: the same as the ledger says, whichever segments are read when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import DoubtfulPage, Outcome, Reason, RunKeys
from pdfbatch.runs import ledger
from pdfbatch.store import open_store
from pdfbatch.web.asked import Asked
from pdfbatch.web.index import Index, bad_pages, lowest_score

AT = datetime(2026, 11, 27, tzinfo=UTC)
OLD, NEW = "20260101T000000.000Z-aaaa", "20260102T000000.000Z-bbbb"


def ended(key: str, kind: str = "ok", score: float = 1.0, attempt: int = 1, **facts: object) -> Outcome:
    doubtful = [DoubtfulPage(key, 2, score)] if score < 0.9 else []
    outcome = {"key": key, "outcome": kind, "pages": 3, "engine": "cpu", "attempt": attempt, "at": AT}
    return Outcome.model_validate({**outcome, "doubtful": doubtful, "scores": {f"{score:.1f}": 3}, **facts})


class Ledger:
    def __init__(self, folder: Path) -> None:
        self.store = open_store(str(folder), create=True)
        self._number = 0

    def write(self, run: str, *lines: Outcome) -> None:
        self._number += 1
        writer = ledger.LedgerWriter(self.store, RunKeys(run), 0, self._number)
        for line in lines:
            writer.add(line)
        writer.flush()


@pytest.fixture
def written(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "out")


def keys(index: Index, **asked: object) -> list[str]:
    return [row.key for row in index.listing(Asked(**asked)).rows]  # type: ignore[arg-type]


def test_a_document_counts_with_its_newest_outcome(written: Ledger) -> None:
    written.write(OLD, ended("a.pdf", "failed", reason=Reason.TIMEOUT), ended("b.pdf"))
    written.write(NEW, ended("a.pdf", "ok", attempt=2))
    everything, old = Index(written.store, None), Index(written.store, OLD)
    everything.refresh()
    old.refresh()
    assert [row.outcome for row in everything.listing(Asked()).rows] == ["ok", "ok"]
    assert [row.outcome for row in old.listing(Asked()).rows] == ["failed", "ok"]
    assert everything.next_bad("", 0) is None and old.next_bad("", 0) == ("a.pdf", 1)


def test_only_new_segments_are_read_and_joined_ones_change_nothing(written: Ledger) -> None:
    index = Index(written.store, None)
    written.write(OLD, ended("a.pdf"))
    index.refresh()
    written.write(OLD, ended("b.pdf"))
    index.refresh()
    assert (keys(index), index.version) == (["a.pdf", "b.pdf"], 2)
    ledger.compact(written.store, RunKeys(OLD), 0)
    index.refresh()
    assert (keys(index), index.version) == (["a.pdf", "b.pdf"], 2)


def test_filters_and_sorts_hold_for_the_whole_table(written: Ledger) -> None:
    failed = ended("deep/c.pdf", "failed", pages=0, scores={}, reason=Reason.CORRUPT, engine="dolphin")
    written.write(OLD, ended("a.pdf", score=0.4), ended("B.pdf", score=0.7), failed)
    index = Index(written.store, None)
    index.refresh()
    assert keys(index) == ["B.pdf", "a.pdf", "deep/c.pdf"]
    assert keys(index, sort="score") == ["a.pdf", "B.pdf", "deep/c.pdf"]
    assert keys(index, sort="score", down=True) == ["B.pdf", "a.pdf", "deep/c.pdf"]
    assert keys(index, high=0.5) == ["a.pdf"] and keys(index, low=0.5) == ["B.pdf"]
    assert keys(index, text="b.P") == ["B.pdf"] and keys(index, text="%") == []
    assert keys(index, reason="corrupt") == keys(index, engine="dolphin") == keys(index, outcome="failed")
    assert keys(index, size=2, page=2) == ["deep/c.pdf"] and index.listing(Asked(size=2, page=2)).total == 3
    assert index.choices("engine") == ["cpu", "dolphin"]
    assert (index.neighbour("a.pdf", 1), index.neighbour("a.pdf", -1)) == ("deep/c.pdf", "B.pdf")


def test_the_next_page_to_check_comes_round_again(written: Ledger) -> None:
    flagged = ended("b.pdf", flagged_pages=[(1, "words_lost"), (3, "no_layout")])
    written.write(OLD, ended("a.pdf", score=0.4), flagged)
    index = Index(written.store, None)
    index.refresh()
    assert index.next_bad("a.pdf", 1) == ("a.pdf", 2)
    assert index.next_bad("a.pdf", 2) == ("b.pdf", 1)
    assert index.next_bad("b.pdf", 3) == ("a.pdf", 2)


def test_a_damaged_segment_is_said_and_the_rest_is_shown(written: Ledger) -> None:
    written.write(OLD, ended("a.pdf"))
    index = Index(written.store, None)
    index.keep_up(0)
    written.store.put(RunKeys(OLD).ledger_segment(0, 2), b"{not json\n")
    with pytest.raises(PdfbatchError):
        index.refresh()
    index.keep_up(0)
    assert "damaged" in index.trouble and keys(index) == ["a.pdf"]
    written.store.delete([RunKeys(OLD).ledger_segment(0, 2)])
    index.keep_up(0)
    assert index.trouble == ""


def test_pages_to_check_and_scores_come_from_the_outcome() -> None:
    assert bad_pages(ended("a.pdf", failed_pages=[(3, "timeout")], flagged_pages=[(1, "ocr_turned")])) == [1, 3]
    assert bad_pages(ended("a.pdf", "failed")) == [1] and bad_pages(ended("a.pdf")) == []
    assert lowest_score(ended("a.pdf", score=0.4)) == 0.4
    assert lowest_score(ended("a.pdf", scores={})) is None and lowest_score(ended("a.pdf", score=0.9)) == 0.9

import itertools
from pathlib import Path

import pytest

from pdfbatch.records import Outcome, OutcomeKind, RunKeys
from pdfbatch.runs.ledger import LedgerWriter, by_key, fold, history, newest, outcomes, segments
from pdfbatch.store import Store, open_store

KEYS = RunKeys("20260101T000000Z-aaaa")


def line(key: str, outcome: OutcomeKind = "ok", attempt: int = 1) -> Outcome:
    return Outcome(key=key, outcome=outcome, attempt=attempt)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "out"), create=True)


def test_written_lines_are_read_back_in_order(store: Store) -> None:
    writer = LedgerWriter(store, KEYS, 0, 1)
    for name in ("a.pdf", "ü \ud83d.pdf".encode("utf-8", "replace").decode(), "c.pdf"):
        writer.add(line(name))
        writer.flush()
    writer.flush()
    found = [outcome.key for _, outcome in outcomes(store, segments(store))]
    assert found == ["a.pdf", "ü ?.pdf", "c.pdf"]


def test_a_twin_that_took_the_number_loses_no_line(store: Store) -> None:
    twins = [LedgerWriter(store, KEYS, 0, 1), LedgerWriter(store, KEYS, 0, 1)]
    for number, writer in enumerate(twins):
        writer.add(line(f"{number}.pdf"))
        writer.flush()
    assert set(history(store)) == {"0.pdf", "1.pdf"}


def test_history_spans_all_runs_and_workers(store: Store) -> None:
    for run, worker in itertools.product(("20260101T000000Z-aaaa", "20260102T000000Z-bbbb"), (0, 11)):
        writer = LedgerWriter(store, RunKeys(run), worker, 1)
        writer.add(line(f"{run}-{worker}.pdf"))
        writer.flush()
    assert len(history(store)) == 4


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_highest_attempt_is_final_in_whatever_order_lines_come(order: tuple[int, ...]) -> None:
    lines = [("r1", line("a", "failed", 1)), ("r2", line("a", "partial", 2)), ("r3", line("a", "failed", 3))]
    assert fold(lines[i] for i in order)["a"].outcome == "failed"
    assert fold(lines[i] for i in order)["a"].attempt == 3


def test_of_twins_the_published_one_is_final() -> None:
    lines = [("r", line("a", "ok")), ("r", line("a", "failed"))]
    assert fold(lines)["a"].outcome == fold(reversed(lines))["a"].outcome == "ok"


def test_the_newest_outcomes_are_those_of_the_history(store: Store) -> None:
    for run, outcome, attempt in (("r1", "failed", 1), ("r2", "ok", 2)):
        writer = LedgerWriter(store, RunKeys(run), 0, 1)
        for name in ("b", "a") if run == "r1" else ("b",):
            writer.add(line(name, outcome, attempt))
            writer.flush()
    found = {outcome.key: (outcome.outcome, outcome.attempt) for outcome in newest(store)}
    assert found == {key: (final.outcome, final.attempt) for key, final in history(store).items()}
    assert found == {"a": ("failed", 1), "b": ("ok", 2)}
    assert [outcome.key for outcome in by_key(newest(store, "r1"))] == ["a", "b"]

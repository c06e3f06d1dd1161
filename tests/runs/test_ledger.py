import itertools
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from pdfbatch.records import Outcome, OutcomeKind, RunKeys
from pdfbatch.runs.ledger import LedgerWriter, compact, fold, history, newest, outcomes, segments
from pdfbatch.store import LocalStore, Store, open_store

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


def test_what_is_withdrawn_is_never_written(store: Store) -> None:
    writer = LedgerWriter(store, KEYS, 0, 1)
    for key in ("a.pdf", "b.pdf", "c.pdf"):
        writer.add(line(key))
    assert [taken.key for taken in writer.withdraw({"b.pdf", "x.pdf"})] == ["b.pdf"]
    writer.flush()
    assert [found.key for _, found in outcomes(store, segments(store))] == ["a.pdf", "c.pdf"]
    assert writer.next_segment == 2 and writer.withdraw({"a.pdf"}) == []


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
    found = {outcome.key: (outcome.outcome, outcome.attempt) for outcome in newest(store).values()}
    assert found == {key: (final.outcome, final.attempt) for key, final in history(store).items()}
    assert found == {"a": ("failed", 1), "b": ("ok", 2)}
    assert [outcome.key for outcome in newest(store, "r1").values()] == ["a", "b"]


def written(store: Store, lines: int, worker: int = 0) -> None:
    """Writes a segment for each line."""
    writer = LedgerWriter(store, KEYS, worker, 1)
    for number in range(lines):
        writer.add(line(f"{number:02}.pdf"))
        writer.flush()


def test_the_segments_of_a_worker_are_joined_into_one(store: Store) -> None:
    written(store, 12)
    written(store, 3, worker=1)
    before = dict(history(store))
    compact(store, KEYS, 0)
    assert sorted(part.worker for part in segments(store)) == [0, 1, 1, 1]
    assert dict(history(store)) == before
    compact(store, KEYS, 0)
    assert len(segments(store)) == 4


def test_large_segments_stay_as_they_are(store: Store) -> None:
    writer = LedgerWriter(store, KEYS, 0, 1)
    for number in range(3):
        writer.add(line("x" * 700_000 + str(number)))
        writer.flush()
    before = segments(store)
    compact(store, KEYS, 0)
    assert segments(store) == before


class DyingStore(LocalStore):
    """A folder in which the process is killed at one of its writes or deletions."""

    def __init__(self, root: Path, lives: int) -> None:
        super().__init__(root)
        self.lives = lives

    def put_new(self, key: str, data: bytes) -> str:
        self._step()
        return super().put_new(key, data)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._step()
            super().delete([key])

    def _step(self) -> None:
        self.lives -= 1
        if self.lives < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("lives", range(7))
def test_no_line_is_lost_if_joining_is_killed_and_done_again(store: LocalStore, lives: int) -> None:
    written(store, 5)
    before = dict(history(store))
    with suppress(KeyboardInterrupt):
        compact(DyingStore(store.root, lives), KEYS, 0)
    assert dict(history(store)) == before
    assert len(newest(store)) == 5
    compact(store, KEYS, 0)
    assert dict(history(store)) == before and len(segments(store)) == 1


def test_the_next_segment_after_joining_has_a_new_number(store: Store) -> None:
    written(store, 5)
    compact(store, KEYS, 0)
    assert segments(store)[-1].number == 5


def test_a_late_twin_that_reuses_a_number_loses_no_line(store: Store) -> None:
    written(store, 5)
    compact(store, KEYS, 0)
    late = LedgerWriter(store, KEYS, 0, 3)
    late.add(line("late.pdf"))
    late.flush()
    compact(store, KEYS, 0)
    assert "late.pdf" in history(store) and len(history(store)) == 6


class JoinedMeanwhile(LocalStore):
    """A folder in which a worker joins its segments as soon as somebody has listed them."""

    def get(self, key: str) -> bytes:
        compact(LocalStore(self.root), KEYS, 0)
        return super().get(key)


def test_segments_that_are_joined_after_they_were_listed_are_read(store: LocalStore) -> None:
    written(store, 5)
    before = dict(history(store))
    assert dict(history(JoinedMeanwhile(store.root))) == before


def test_the_history_is_in_the_order_of_the_input(store: Store) -> None:
    names = ["\U0001f600.pdf", "\uf900.pdf", "a.pdf", "Z.pdf", "é.pdf"]
    assert list(fold(("r", line(name)) for name in names)) == sorted(names, key=lambda name: name.encode())

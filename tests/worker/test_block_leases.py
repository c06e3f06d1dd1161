"""Leases of blocks: one holder at a time, whatever happens to processes and clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pdfbatch.records import BlockId, RunKeys
from pdfbatch.store import LocalStore
from pdfbatch.worker.block_leases import SURE, BlockLeases, HeldLease, LeaseTerms

BLOCK = BlockId(0, 3)
SECONDS = 300.0


class Time:
    """A clock and a monotonic one, which a test moves."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 25, 19, tzinfo=UTC) + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed


class Bench:
    def __init__(self, folder: Path) -> None:
        self.store, self.time = LocalStore(folder), Time()

    def leases(self, worker: int, session: str = "first") -> BlockLeases:
        terms = LeaseTerms(worker, session, SECONDS, self.time.now, self.time.monotonic)
        return BlockLeases(self.store, RunKeys("r"), terms)

    def take(self, worker: int, segment: int = 1) -> HeldLease:
        lease = self.leases(worker).take(BLOCK, segment)
        assert lease is not None
        return lease


def test_a_lease_has_one_holder_until_it_runs_out(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = bench.take(0)
    assert not first.was_held and bench.leases(1).take(BLOCK, 1) is None
    assert bench.leases(0, "second").take(BLOCK, 1) is None, "another process of the same worker is another holder"
    bench.time.passed = SECONDS
    second = bench.take(1, segment=7)
    assert second.was_held and second.losses == 1
    assert [(holder.worker, holder.segment) for holder in second.holders] == [(0, 1), (1, 7)]


def test_a_holder_that_was_stopped_finds_out_before_it_does_anything(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = bench.take(0)
    bench.time.passed = SECONDS + 1
    bench.take(1)
    assert not first.is_sure() and not first.is_mine() and first.is_lost
    first.give_back()
    assert bench.leases(2).take(BLOCK, 1) is None, "it gives back nothing that is not its own"


def test_a_holder_that_was_stopped_goes_on_if_nobody_took_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = bench.take(0)
    bench.time.passed = 2 * SECONDS
    assert first.is_mine() and first.is_sure()
    assert bench.leases(1).take(BLOCK, 1) is None


def test_a_renewed_lease_lasts(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    first = bench.take(0)
    for _ in range(5):
        bench.time.passed += SURE * SECONDS / 2
        first.renew()
    assert first.is_sure() and bench.leases(1).take(BLOCK, 1) is None


def test_what_is_given_back_can_be_taken_at_once_and_counts_as_no_loss(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.take(0).give_back()
    assert bench.leases(1).is_free(BLOCK)
    assert bench.take(1).losses == 0


def test_losses_count_only_while_nothing_gets_done(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for worker in range(3):
        lease = bench.take(worker)
        lease.note_left(5)
        bench.time.passed += SECONDS
    stuck = bench.take(3)
    stuck.note_left(5)
    assert stuck.losses == 3
    bench.time.passed += SECONDS
    better = bench.take(4)
    better.note_left(4)
    assert better.losses == 0, "the last holder finished a document"
    bench.time.passed += SECONDS
    assert bench.take(5).losses == 1


def test_a_damaged_lease_is_replaced(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.store.put(RunKeys("r").lease(BLOCK.name), b"nonsense")
    assert bench.leases(0).is_free(BLOCK)
    assert bench.take(0).was_held

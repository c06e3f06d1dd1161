"""Pools in their store: how work is cut into blocks, who changes the record, and what `status` says."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import BlockId, Manifest, Pool, RunKeys, SourceDocument, pointer_of
from pdfbatch.runs.messages import Depth
from pdfbatch.runs.partition import BLOCK_DOCUMENTS, BYTES_A_PAGE, POOL_BLOCK_PAGES, pool_blocks, work_of
from pdfbatch.runs.pool import all_blocks, change_pool, load_pool, pointer_to, range_of, save_pool, workers_of
from pdfbatch.runs.pool_status import PoolStatus, read_pool_status, registered
from pdfbatch.runs.progress import WorkerStatus
from pdfbatch.store import LocalStore
from tests.frozen import manifest_of

POOL = Pool(run="r", region="us-east-1", queue="q", dead_letters="d", workers=[0, 1], used=2)


# ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.integers(0, 50_000_000), max_size=300))
def test_the_blocks_of_a_slice_hold_each_entry_once_and_in_order(sizes: list[int]) -> None:
    entries = [SourceDocument(f"{number}.pdf", size, "e") for number, size in enumerate(sizes)]
    ends = pool_blocks(entries)
    assert ends == sorted(set(ends)) and ends[-1:] == ([len(entries)] if entries else [])
    most = POOL_BLOCK_PAGES[1] * BYTES_A_PAGE
    for begin, end in zip([0, *ends], ends, strict=False):
        assert 0 < end - begin <= BLOCK_DOCUMENTS
        assert end - begin == 1 or sum(map(work_of, entries[begin:end])) <= most


def test_blocks_are_smaller_towards_the_end_but_never_tiny() -> None:
    entries = [SourceDocument(f"{number}.pdf", 100_000, "e") for number in range(2000)]
    ends = pool_blocks(entries)
    sizes = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    assert sizes == sorted(sizes, reverse=True)[:-1] + sizes[-1:] or sizes[0] >= sizes[-2]
    assert 80 <= sizes[0] <= 95 and all(size >= 3 for size in sizes[:-1])


def manifest(**fields: object) -> Manifest:
    return manifest_of(5, 2, **fields)


def test_the_first_blocks_of_all_slices_come_first() -> None:
    frozen = manifest(pool_blocks=[[1, 3], [2]])
    assert list(all_blocks(frozen)) == [BlockId(0, 0), BlockId(1, 0), BlockId(0, 1)]
    assert [range_of(frozen, block) for block in all_blocks(frozen)] == [range(1), range(2), range(1, 3)]
    assert range_of(frozen, BlockId(0, 2)) is None and range_of(frozen, BlockId(5, 0)) is None


def test_a_message_is_a_pointer_or_nothing() -> None:
    pointer = pointer_of(pointer_to("r", BlockId(3, 4)))
    assert pointer is not None and (pointer.run, pointer.id) == ("r", BlockId(3, 4))
    assert [pointer_of(body) for body in ("", "{}", "[1]", '{"run": "r", "slice": -1, "block": 0}')] == [None] * 4


# ── the record ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_changes_at_the_same_time_all_count(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    save_pool(store, POOL)

    def add() -> None:
        change_pool(store, "r", lambda pool: pool.model_copy(update={"used": pool.used + 1}))

    threads = [Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool = load_pool(store, "r")
    assert pool is not None and pool.used == 6 and workers_of(manifest(pool_blocks=[[3], [2]]), pool) == 6


def test_a_run_that_is_no_pool_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(PdfbatchError, match="not a pool"):
        change_pool(LocalStore(tmp_path), "r", lambda pool: pool)


# ── status ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("worker", "expected"),
    [
        ({"state": "waiting"}, "registered"),
        ({"state": "booting"}, "registered"),
        ({"state": "running"}, "registered"),
        ({"state": "starting", "holding": 1}, "acknowledged"),
        ({"state": "running", "holding": 2, "reading": ["a.pdf p. 1"]}, "processing"),
        ({"state": "draining", "holding": 1}, "shutting down"),
        ({"state": "running", "id": 9, "holding": 1}, "shutting down"),  # `scale` took it away
        ({"state": "running", "holding": 1, "stale": True}, "failed"),
        ({"state": "failed", "final": True}, "failed"),
        ({"state": "retired", "final": True}, "ended"),
        ({"state": "done"}, "ended"),
    ],
)
def test_each_worker_has_a_place_in_the_registry(worker: dict[str, object], expected: str) -> None:
    assert registered(WorkerStatus.model_validate({"id": 0, "done": 0, "total": 0} | worker), [0, 1]) == expected


def test_a_queue_that_does_not_answer_leaves_its_figures_out(tmp_path: Path) -> None:
    store, frozen = LocalStore(tmp_path), manifest(pool_blocks=[[1, 3], [2]])
    save_pool(store, POOL.model_copy(update={"run": frozen.run}))
    store.put(RunKeys(frozen.run).finished_block(BlockId(0, 1).name), b"")
    silent = read_pool_status(store, frozen, [], lambda _: None)
    assert silent == PoolStatus(blocks=3, finished=1)
    full = read_pool_status(store, frozen, [], lambda _: (Depth(5, 2), Depth(1, 0)))
    assert full == PoolStatus(blocks=3, finished=1, waiting=5, received=2, dead=1)
    assert read_pool_status(store, manifest(), [], lambda _: None) is None

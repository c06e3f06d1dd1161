"""How the workers of a pool share its blocks: a queue says which is next, leases in the store keep everything right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest

from pdfbatch.records import BlockId, Command, Lease, Outcome, PageResult, ReadOptions, Reason
from pdfbatch.runs import ledger
from pdfbatch.runs.pool import all_blocks, finished_blocks, pointer_to
from pdfbatch.runs.verify import verify
from pdfbatch.store import Store, open_store
from pdfbatch.worker.block_leases import BlockLeases, LeaseTerms
from pdfbatch.worker.stop import Stop
from pdfbatch.worker.tally import Tally
from samples.many import long_pdf, many_pdfs
from tests.worker import page_tasks
from tests.worker.begun import now
from tests.worker.page_tasks import pages_read
from tests.worker.pools import Pooled
from tests.worker.waiting import wait_until

Make = Callable[..., Pooled]


@pytest.fixture
def pool(pdfs: Path, out: Path, s3_endpoint: str) -> Make:
    def make(blocks: list[int], **wishes: object) -> Pooled:
        task = wishes.pop("task", page_tasks.note)
        return Pooled(s3_endpoint, open_store(str(pdfs)), open_store(str(out)), task, blocks, **wishes)  # type: ignore[arg-type]

    return make


def outcomes(store: Store) -> dict[str, Outcome]:
    lines = [line for _, line in ledger.outcomes(store, ledger.segments(store))]
    assert len({line.key for line in lines}) == len(lines), "every document has one outcome"
    return {line.key: line for line in lines}


def all_read_once(pdfs: Path) -> bool:
    return all(pages_read(path) == [1] for path in pdfs.rglob("*.pdf"))


def test_one_worker_reads_every_block_and_leaves_the_queue_empty(pdfs: Path, pool: Make) -> None:
    many_pdfs(pdfs, 7)
    run = pool([3, 5, 7])
    mark = run.mark(0)
    assert (mark.why, mark.counts.ok, mark.counts.total) == ("done", 7, 7)
    assert len(outcomes(run.output)) == 7 and verify(run.output).sound and all_read_once(pdfs)
    assert finished_blocks(run.output, run.keys) == set(all_blocks(run.manifest))
    assert run.queue.depth().total == 0


def test_workers_at_the_same_time_read_every_document_once(pdfs: Path, pool: Make) -> None:
    many_pdfs(pdfs, 24)
    run = pool([4, 8, 12, 16, 20, 24], workers=3, task=page_tasks.note_slowly)
    counts: dict[int, int] = {}

    def work(worker: int) -> None:
        counts[worker] = run.work(worker).ok

    threads = [Thread(target=work, args=[worker]) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts.values()) == 24
    assert len(outcomes(run.output)) == 24 and all_read_once(pdfs)


def test_a_message_that_comes_twice_is_not_read_twice(pdfs: Path, pool: Make) -> None:
    many_pdfs(pdfs, 4)
    run = pool([2, 4])
    run.queue.send(pointer_to(run.manifest.run, block) for block in all_blocks(run.manifest))
    assert run.work(0).ok == 4
    assert run.work(1).total == 0
    assert len(outcomes(run.output)) == 4 and all_read_once(pdfs)


def test_messages_that_the_queue_lost_are_sent_again(pdfs: Path, pool: Make) -> None:
    many_pdfs(pdfs, 4)
    run = pool([2, 4], is_filled=False, process=1)
    assert run.work(0).ok == 4


def test_a_message_of_something_else_is_thrown_away(pdfs: Path, pool: Make) -> None:
    many_pdfs(pdfs, 2)
    run = pool([2], is_filled=False)
    name = run.manifest.run
    pointers = [pointer_to(*of) for of in (("another", BlockId(0, 0)), (name, BlockId(0, 9)), (name, BlockId(0, 0)))]
    run.queue.send(["hello", *pointers])
    assert run.work(0).ok == 2
    assert run.queue.depth().total == 0


def test_a_worker_that_stops_gives_its_block_back_at_once(pdfs: Path, pool: Make) -> None:
    long_pdf(pdfs / "long.pdf", 60)
    many_pdfs(pdfs, 3)
    run = pool([4], task=page_tasks.note_slowly, process=600)
    stop = Stop()
    first = run.slice_run(0, stop)
    thread = Thread(target=first.run)
    thread.start()
    wait_until(lambda: len(pages_read(pdfs / "long.pdf")) > 3 or len(outcomes(run.output)) == 3)
    stop.ask("interrupted")
    thread.join()
    assert first.heartbeat().holding == 0
    second = run.mark(1)
    assert second.why == "done", "it did not have to wait ten minutes"
    assert sorted(pages_read(pdfs / "long.pdf")) == list(range(1, 61)), "no page was read twice"
    assert len(outcomes(run.output)) == 4 and verify(run.output).sound


def test_a_command_runs_on_what_the_queue_hands_out(pdfs: Path, out: Path, pool: Make) -> None:
    many_pdfs(pdfs, 5)
    line = "cd {in} && mkdir {out}/000 && for each in */*.pdf; do echo $each > {out}/${each%.pdf}.md; done"
    run = pool([2, 5], options=ReadOptions(command=Command(line=line)))
    assert (mark := run.mark(0)).why == "done" and mark.counts.ok == 5
    assert (out / "000" / "doc-00003.md").read_text() == "000/doc-00003.pdf\n"


def test_a_block_whose_workers_keep_dying_is_failed_with_a_reason(pdfs: Path, pool: Make) -> None:
    many_pdfs(pdfs, 3)
    run = pool([2, 3])
    for death in range(6):  # each took the lease, and was never heard of again
        terms = LeaseTerms(7, f"process {death}", 0.0, now, lambda: 0.0)
        assert BlockLeases(run.output, run.keys, _lasting(terms)).take(next(iter(all_blocks(run.manifest))), 1)
    mark = run.mark(0)
    assert (mark.why, mark.counts.ok, mark.counts.failed) == ("done", 1, 2)
    failed = [line for line in outcomes(run.output).values() if line.outcome == "failed"]
    assert {line.reason for line in failed} == {
        Reason.ABANDONED
    } and "workers in a row ended while they had it" in failed[0].detail
    assert Reason.ABANDONED.retryable and verify(run.output).sound


def _lasting(terms: LeaseTerms) -> LeaseTerms:
    """A hundredth of a second, so that the next process finds it run out."""
    return terms._replace(seconds=0.001)


def test_a_message_that_nobody_could_handle_comes_back_as_a_dead_letter_and_is_failed(pdfs: Path, pool: Make) -> None:
    many_pdfs(pdfs, 2)
    run = pool([1, 2], most_receives=2)
    for _ in range(2):
        message = run.queue.receive(0, 0)
        assert message is not None
        other = run.queue.receive(0, 0)
        assert other is not None
    mark = run.mark(0)
    assert mark.why == "done" and mark.counts.ok + mark.counts.failed == 2
    assert run.dead_letters.depth().total == 0 and len(outcomes(run.output)) == 2


@pytest.mark.slow
def test_outcomes_of_a_block_that_another_worker_took_are_not_recorded(pdfs: Path, pool: Make) -> None:
    """As after a long stop: the lease is another's when the process goes on."""
    many_pdfs(pdfs, 80)
    run = pool([80], task=page_tasks.note_slowly, process=1)
    first = run.slice_run(0, beats=0.1)
    thread = Thread(target=first.run)
    thread.start()
    wait_until(lambda: first.heartbeat().counts.ok >= 3)
    theirs = Lease(worker=9, session="theirs", at=now(), until=now() + timedelta(seconds=2))
    run.output.put(run.keys.lease(BlockId(0, 0).name), theirs.model_dump_json().encode())
    wait_until(lambda: first.heartbeat().holding == 0)
    assert finished_blocks(run.output, run.keys) == set() and first.heartbeat().counts.ok < 80
    thread.join()
    counts = first.heartbeat().counts
    assert (counts.ok, counts.total, counts.pages_read) == (80, 80, 80)
    assert len(outcomes(run.output)) == 80 and verify(run.output).sound


@pytest.mark.parametrize("kind", ["ok", "partial"])
def test_a_document_that_another_worker_does_leaves_nothing_in_the_counts(kind: str) -> None:
    tally = Tally()
    tally.page(PageResult(number=1, read_by="layer"), 1.0, False)
    tally.document(Outcome(key="a.pdf", outcome="ok", pages=1, read_by={"layer": 1}, scores={"0.9": 1}))
    before = tally.counts()
    bad = [(2, Reason.TIMEOUT)] if kind == "partial" else []
    pages = [PageResult(number=1, read_by="ocr"), PageResult(number=2, reason=bad[0][1] if bad else None)]
    theirs = Outcome.model_validate(
        {
            "key": "b.pdf",
            "outcome": kind,
            "reason": Reason.TIMEOUT if bad else None,
            "pages": 2,
            "failed_pages": bad,
            "read_by": {"ocr": 1},
            "scores": {"0.4": 1},
        }
    )
    for page in pages:
        tally.page(page, 1.0, False)
    tally.document(theirs)
    tally.forget(theirs)
    assert tally.counts().model_copy(update={"pages_here": before.pages_here}) == before
    for page in pages:
        tally.page(page, 1.0, False)
    tally.forget_pages(pages)
    assert tally.counts().model_copy(update={"pages_here": before.pages_here}) == before

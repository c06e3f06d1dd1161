"""A pool on LocalStack's own SQS and S3."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest

from pdfbatch.runs import ledger
from pdfbatch.runs.pool import all_blocks, finished_blocks
from pdfbatch.runs.verify import verify
from pdfbatch.store import open_store
from pdfbatch.worker.stop import Stop
from tests.localstack.conftest import PYTHON, LocalStack
from tests.worker import page_tasks
from tests.worker.pools import Pooled
from tests.worker.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="PDFBATCH_LOCALSTACK names no Python that has LocalStack"),
]
DOCUMENTS = 30


@pytest.fixture
def pool(localstack: LocalStack, tmp_path: Path) -> Pooled:
    bucket = localstack.upload(tmp_path, DOCUMENTS)
    source, output = open_store(f"s3://{bucket}/in/"), open_store(f"s3://{bucket}/out/")
    return Pooled(localstack.endpoint, source, output, page_tasks.note_slowly, [10, 20, DOCUMENTS], process=2)


def check(pool: Pooled) -> None:
    lines = [line for _, line in ledger.outcomes(pool.output, ledger.segments(pool.output))]
    assert len({line.key for line in lines}) == len(lines) == DOCUMENTS and verify(pool.output).sound
    assert finished_blocks(pool.output, pool.keys) == set(all_blocks(pool.manifest))
    assert pool.queue.depth().total == 0


def test_two_workers_share_a_queue(pool: Pooled) -> None:
    threads = [Thread(target=pool.work, args=[worker]) for worker in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(pool)


def test_a_block_that_is_given_back_is_handed_out_at_once_and_one_that_is_lost_comes_back(pool: Pooled) -> None:
    message = pool.queue.receive(1, 1)  # by a worker that died right after
    assert message is not None
    stop = Stop()
    first = pool.slice_run(0, stop)
    thread = Thread(target=first.run)
    thread.start()
    wait_until(lambda: first.heartbeat().counts.ok > 0)
    stop.ask("interrupted")
    thread.join()
    assert pool.mark(1).why == "done"
    check(pool)


def test_a_message_received_too_often_becomes_a_dead_letter(localstack: LocalStack, tmp_path: Path) -> None:
    bucket = localstack.upload(tmp_path, 2)
    source, output = open_store(f"s3://{bucket}/in/"), open_store(f"s3://{bucket}/out/")
    pool = Pooled(localstack.endpoint, source, output, page_tasks.note, [1, 2], most_receives=1)
    assert pool.queue.receive(1, 0) is not None
    mark = pool.mark(0)
    assert mark.why == "done" and (mark.counts.ok, mark.counts.failed) == (1, 1)
    assert pool.dead_letters.depth().total == 0

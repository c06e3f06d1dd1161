"""A pool that watches its input: what arrives is read once, also if workers die at any moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest

from pdfbatch.records import Arrived, Outcome
from pdfbatch.runs import ledger
from pdfbatch.runs.arrivals import arrival_ids, finished_arrivals
from pdfbatch.runs.messages import Message, SqsQueue
from pdfbatch.runs.pool_status import read_pool_status
from pdfbatch.runs.progress import read_status
from pdfbatch.runs.remaining import remaining, remaining_failures
from pdfbatch.runs.report import read_report
from pdfbatch.runs.verify import verify
from pdfbatch.store import LocalStore, Store, open_store
from pdfbatch.worker.stop import Stop
from samples.many import long_pdf
from tests.worker import page_tasks
from tests.worker.begun import now
from tests.worker.pools import Pooled
from tests.worker.waiting import wait_until


def outcomes(store: Store) -> list[Outcome]:
    return [line for _, line in ledger.outcomes(store, ledger.segments(store))]


def pdf(folder: Path, number: int) -> bytes:
    return long_pdf(folder / "any.pdf", 1, lines=1).read_bytes() + b"%%%d\n" % number


@contextmanager
def working(pool: Pooled, workers: int) -> Iterator[Callable[[], int]]:
    """The workers of a pool, until the block ends. Yields a function that returns how many documents they have done."""
    stop = Stop()
    runs = [pool.slice_run(worker, stop) for worker in range(workers)]
    threads = [Thread(target=run.run) for run in runs]
    for thread in threads:
        thread.start()
    try:
        yield lambda: sum(run.heartbeat().counts.done for run in runs)
    finally:
        stop.ask("deadline")
        for thread in threads:
            thread.join()


def notify(endpoint: str, bucket: str, queue: str) -> None:
    """Lets the bucket send to the queue, as a launch does; see tests/fleet/test_watching.py."""
    sqs = boto3.client("sqs", endpoint_url=endpoint)
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3: Any = boto3.client("s3", endpoint_url=endpoint)
    sent = [
        {
            "QueueArn": arn,
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": suffix}]}},
        }
        for suffix in (".pdf", ".PDF")
    ]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": sent})


@pytest.mark.slow
def test_what_arrives_is_read_by_every_worker_until_the_pool_ends(
    s3_endpoint: str, bucket: str, tmp_path: Path
) -> None:
    source, output = open_store(f"s3://{bucket}/in/"), open_store(f"s3://{bucket}/md/")
    for number in range(3):
        source.put(f"old/{number}.pdf", pdf(tmp_path, number))
    pool = Pooled(s3_endpoint, source, output, page_tasks.note, [2, 3], watches=True)
    notify(s3_endpoint, bucket, pool.queue_url)
    with working(pool, 2) as done:
        names = ["new/a.pdf", "new/b c & ü+.PDF", "new/d.pdf"]
        for number, name in enumerate(names):
            source.put(name, pdf(tmp_path, 10 + number))
        wait_until(lambda: done() == 6)
        source.put("new/a.pdf", pdf(tmp_path, 20))  # a new version
        source.put("old/1.pdf", pdf(tmp_path, 21))
        source.put("new/d.pdf", pdf(tmp_path, 12))  # the same one again
        wait_until(lambda: done() == 8 and pool.queue.depth().total == 0)
    lines = outcomes(output)
    assert len({(line.key, line.etag) for line in lines}) == len(lines) == 8
    assert {line.key for line in lines} == {*names, *(f"old/{number}.pdf" for number in range(3))}
    verdict = verify(output)
    assert verdict.sound and verdict.ok == 6
    status = read_status(output, pool.manifest, now())
    assert (status.documents.total, status.documents.done, status.documents.ok) == (8, 8, 8)
    assert read_report(output, pool.manifest.run, now()).documents == status.documents
    there = read_pool_status(output, pool.manifest, status.workers, lambda _: None)
    assert there is not None and (there.arrived, there.arrived_finished, there.finished) == (5, 5, 2)
    assert remaining(source, output, now(), redo_changed=False, all_failures=False).documents == []


def test_a_document_without_an_event_is_found_and_a_failure_is_retried_like_any_other(
    s3_endpoint: str, tmp_path: Path
) -> None:
    source, output = LocalStore(tmp_path / "in"), LocalStore(tmp_path / "out")
    source.create()
    pool = Pooled(s3_endpoint, source, output, page_tasks.note, watches=True, sweep=0, workers=1)
    with working(pool, 1) as done:
        source.put("bad.pdf", b"no PDF")
        source.put("good.pdf", pdf(tmp_path, 1))
        wait_until(lambda: done() == 2)
    found = remaining_failures(source, output, [], now(), all_failures=True)
    assert [document.key for document in found.documents] == ["bad.pdf"]


class Killed:
    """A process that is killed after its write number `at` for a document: nothing it does afterwards has an effect."""

    def __init__(self, at: int, stop: Stop) -> None:
        self.left = at
        self.stop = stop
        self.writes = list[str]()

    @property
    def is_dead(self) -> bool:
        return self.left <= 0

    def has_written(self, key: str) -> None:
        if not any(part in key for part in ("/workers/", "/pool/sweep", "/failures/", "/done/")):
            self.left -= 1
            self.writes.append(key)
            if self.is_dead:
                self.stop.ask("interrupted")


class DyingStore(LocalStore):
    def __init__(self, root: Path, process: Killed) -> None:
        super().__init__(root)
        self.process = process

    def _write(self, key: str, *arguments: object) -> str:
        if self.process.is_dead:
            return "written by the dead"
        etag = super()._write(key, *arguments)  # type: ignore[arg-type]
        self.process.has_written(key)
        return etag


class DyingQueue(SqsQueue):
    def __init__(self, url: str, process: Killed, endpoint: str) -> None:
        super().__init__(boto3.client("sqs", endpoint_url=endpoint), url)
        self.process = process

    def hide(self, message: Message, seconds: int) -> bool:
        return self.process.is_dead or super().hide(message, seconds)

    def delete(self, message: Message) -> None:
        if not self.process.is_dead:
            super().delete(message)


PUBLISHED = 5
"""The write that publishes: record, lease, lease again, elements, Markdown, ledger, mark."""


@pytest.mark.parametrize("write", [2, 4, 5, 6, 7])
def test_a_worker_that_dies_at_any_write_loses_nothing_and_publishes_nothing_twice(
    s3_endpoint: str, tmp_path: Path, write: int
) -> None:
    source, output, stop = LocalStore(tmp_path / "in"), LocalStore(tmp_path / "out"), Stop()
    source.create()
    pool = Pooled(s3_endpoint, source, output, page_tasks.note, watches=True, process=1, acknowledge=1, workers=1)
    source.put("a.pdf", pdf(tmp_path, 1))
    pool.queue.send([Arrived(run=pool.manifest.run, arrived="a.pdf").model_dump_json()])
    process = Killed(write, stop)
    pool.output, queue = DyingStore(output.root, process), pool.queue
    pool.queue = DyingQueue(pool.queue_url, process, s3_endpoint)
    pool.slice_run(0, stop).run()
    assert process.is_dead, process.writes
    published = output.head("a.md")
    assert (published is not None) == (write >= PUBLISHED), process.writes
    pool.output, pool.queue = output, queue
    with working(pool, 1):
        wait_until(lambda: finished_arrivals(output, pool.keys) and queue.depth().total == 0)
    assert [(line.key, line.outcome) for line in outcomes(output)] == [("a.pdf", "ok")]
    assert set(arrival_ids(output, pool.keys)) == finished_arrivals(output, pool.keys)
    if published is not None:
        assert output.head("a.md") == published
        assert page_tasks.pages_read(source.root / "a.pdf") == [1]
    assert verify(output).sound

"""A pool under random kills, long stops, Spot notices and scaling: nothing is lost, and nothing is published twice."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import boto3
import pytest

from pdfbatch.fleet.scale import scaled
from pdfbatch.records import Pool, RunKeys
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.messages import SqsQueue
from pdfbatch.runs.pool import all_blocks, change_pool, pointer_to, save_pool
from pdfbatch.runs.progress import read_status
from pdfbatch.runs.verify import verify
from pdfbatch.store import S3Store
from samples.many import long_pdf
from tests.chaos.nursery import Loaded, Nursery
from tests.chaos.server import Bucket, ChaosServer, Rates
from tests.chaos.workers import Kind, Worker, environment_of
from tests.imds import Imds
from tests.worker.begun import now
from tests.worker.pools import freeze_pool, make_queues

pytestmark = [pytest.mark.slow, pytest.mark.waits]

DOCUMENTS = int(os.environ.get("PDFBATCH_POOL_DOCUMENTS", "100"))
"""`make chaos` takes 300."""
PROCESS_SECONDS = 4
STOP_SECONDS = 6.0
"""Longer than a block is kept for a silent worker."""
SIGNALS = {"kill -9": signal.SIGKILL, "long SIGSTOP": signal.SIGSTOP, "SIGTERM": signal.SIGTERM}
END_SECONDS = 500.0


class Story:
    """A pool's workers in processes of their own, and what happens to them."""

    def __init__(self, seed: int, server: ChaosServer, sqs: str, nursery: Nursery, folder: Path) -> None:
        self.dice = random.Random(seed)
        self.server = server
        self.nursery = nursery
        self.folder = folder
        client = boto3.client("s3", endpoint_url=server.url)
        self.source, self.output = S3Store("chaos", "in/", client), S3Store("chaos", "out/", client)
        self.manifest = freeze_pool(self.source, self.output, "null", 4)
        self.keys = RunKeys(self.manifest.run)
        queue, dead = make_queues(sqs)
        self.queue = SqsQueue(boto3.client("sqs", endpoint_url=sqs), queue)
        pool = Pool(
            run=self.manifest.run,
            region="us-east-1",
            queue=queue,
            dead_letters=dead,
            acknowledge_seconds=2,
            process_seconds=PROCESS_SECONDS,
            workers=[0, 1, 2, 3],
            used=4,
        )
        save_pool(self.output, pool)
        self.queue.send(pointer_to(pool.run, block) for block in all_blocks(self.manifest))
        self.workers: dict[int, Worker] = {}
        self.frozen: dict[int, float] = {}
        self.events = Counter[str]()
        self.following = cycle(self.dice.sample([*SIGNALS, "kill -9", "Spot notice"], 5))

    def start(self, stack: ExitStack, numbers: list[int]) -> None:
        for number in numbers:
            imds = stack.enter_context(Imds())
            environment = environment_of(Kind(True, 4), number, self.manifest.run, imds)
            self.workers[number] = Worker(number, ["worker"], environment, imds, self.nursery)
            stack.callback(self.workers[number].end)

    def scale(self, stack: ExitStack, count: int) -> None:
        """Does what `pdfbatch scale` does, but for the instances."""
        started = self.workers.keys()
        wanted = change_pool(self.output, self.manifest.run, lambda pool: scaled(pool, count, started)).workers
        self.start(stack, [number for number in wanted if number not in self.workers])
        self.events["scale"] += 1

    def look(self) -> None:
        for worker in self.workers.values():
            worker.look(self.dice, self.folder / "log", lambda number: (self.manifest.run, self._has_ended(number)))
        for number, until in list(self.frozen.items()):
            if time.monotonic() >= until:
                self.workers[number].signal(signal.SIGCONT)
                del self.frozen[number]

    def disturb(self) -> bool:
        """Does something to a worker; False if none is running."""
        awake = [worker for number, worker in self.workers.items() if number not in self.frozen and worker.is_running]
        if not awake:
            return False
        worker, event = self.dice.choice(awake), next(self.following)
        happened = worker.notice() if event == "Spot notice" else worker.signal(SIGNALS[event])
        if happened and event == "long SIGSTOP":
            self.frozen[worker.number] = time.monotonic() + STOP_SECONDS
        self.events[event] += happened
        return True

    def progress(self) -> float:
        """The share of finished blocks, without a request: this is asked ten times a second."""
        with self.server.bucket.lock:
            finished = sum(key.startswith(f"out/{self.keys.finished_blocks}") for key in self.server.bucket.objects)
        return finished / sum(map(len, self.manifest.pool_blocks))

    @property
    def is_done(self) -> bool:
        return not self.frozen and all(worker.is_done for worker in self.workers.values())

    def _has_ended(self, number: int) -> bool:
        mark = self.server.bucket.objects.get(f"out/{self.keys.done_mark(number)}")
        return mark is not None and (b'"done"' in mark.data or b'"retired"' in mark.data)


@pytest.fixture
def server(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChaosServer]:
    with ChaosServer(0) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", s3_endpoint)
        server.bucket, server.rates = Bucket(), Rates(latency=0.002)
        yield server


def published(bucket: Bucket, prefix: str) -> dict[str, bytes]:
    return {
        key.removeprefix(prefix): stored.data
        for key, stored in bucket.objects.items()
        if key.startswith(prefix) and ".pdfbatch/" not in key
    }


def by_slices(server: ChaosServer, nursery: Nursery, folder: Path) -> dict[str, bytes]:
    """What a run with modulo slices publishes of the same input."""
    imds: Imds | None = None
    words = ["local-run", "s3://chaos/in/", "s3://chaos/modulo/", "--engine", "null", "--processes", "1"]
    environment = environment_of(Kind(False, 1), 0, "", imds)
    assert nursery.start(words, environment, folder / "log").wait(END_SECONDS) == 0, (folder / "log").read_text()
    return published(server.bucket, "modulo/")


def test_whatever_happens_a_pool_loses_nothing_and_publishes_nothing_twice(
    server: ChaosServer, s3_endpoint: str, tmp_path: Path
) -> None:
    pdf = tmp_path / "any.pdf"
    for number in range(DOCUMENTS):
        data = long_pdf(pdf, 1 + (number % 10 == 0), lines=1).read_bytes() + b"%" + b"." * number + b"\n"
        server.bucket.put(f"in/{number % 7}/{number:03}.pdf", data)
    with ExitStack() as stack:
        nursery = stack.enter_context(Nursery(stack.enter_context(Loaded()).address))
        expected = by_slices(server, nursery, tmp_path)
        story = Story(7, server, s3_endpoint, nursery, tmp_path)
        server.rates = Rates(latency=0.02)
        story.start(stack, [0, 1, 2, 3])
        plan = [(0.15, 2), (0.3, 5), (0.75, 1)]
        deadline, following = time.monotonic() + END_SECONDS, 0.03
        while not story.is_done:
            assert time.monotonic() < deadline, f"{story.progress()}: {(tmp_path / 'log').read_text()[-3000:]}"
            story.look()
            progress = story.progress()
            if following <= progress < 0.9 and story.disturb():  # by progress, so that a slow computer gets on too
                following = progress + story.dice.uniform(0.02, 0.1)
            if plan and progress >= plan[0][0]:
                story.scale(stack, plan.pop(0)[1])
            time.sleep(0.1)
    assert {*SIGNALS, "Spot notice", "scale"} <= (+story.events).keys(), story.events
    assert published(server.bucket, "out/") == expected
    writes = Counter(write.key for write in server.bucket.writes if write.key.endswith(".md"))
    assert set(writes.values()) == {1}, "every document is published once"
    lines = [line for _, line in ledger.outcomes(story.output, ledger.segments(story.output, story.keys.ledger))]
    assert len({line.key for line in lines}) == DOCUMENTS and {line.outcome for line in lines} == {"ok"}
    again = [line for line in lines if Counter(each.key for each in lines)[line.key] > 1]
    assert len({(line.key, line.worker) for line in again}) == len(again), (
        "of a worker stopped while it wrote its ledger"
    )
    assert verify(story.output).sound and story.progress() == 1.0
    status = read_status(story.output, manifest.load(story.output, story.manifest.run), now())
    assert (status.documents.done, status.documents.total, status.state) == (DOCUMENTS, DOCUMENTS, "done")
    assert again or status.pages.read == sum(line.pages for line in lines)

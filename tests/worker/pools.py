"""Pools for tests: a frozen run whose blocks a real queue hands out, SQS as moto has it over HTTP."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

import boto3

from pdfbatch.engines import CommandEngine, Engine
from pdfbatch.engines.base import PageTask
from pdfbatch.records import Counts, DoneMark, Manifest, Pool, ReadOptions, RunKeys
from pdfbatch.runs import manifest as manifests
from pdfbatch.runs.messages import SqsQueue
from pdfbatch.runs.partition import divided, documents_in, pool_blocks
from pdfbatch.runs.pool import all_blocks, pointer_to, save_pool
from pdfbatch.runs.remaining import remaining
from pdfbatch.runs.slices import Frozen
from pdfbatch.store import Store
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.pool_workload import PoolQueues
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.stop import Stop
from tests.worker.begun import now
from tests.worker.page_tasks import engine

_numbers = itertools.count(1)


def freeze_pool(
    source: Store,
    output: Store,
    engine_name: str,
    slices: int,
    blocks: Sequence[int] = (),
    options: ReadOptions = ReadOptions(),  # noqa: B008  # frozen
    *,
    watches: bool = False,
) -> Manifest:
    """Freezes what is left of an input as a pool and makes it the current run. `blocks`: ends of the blocks of its one
    slice; else they are as a launch makes them."""
    rest = remaining(source, output, now(), redo_changed=False, all_failures=False, may_be_empty=watches)
    parts = divided(rest.documents, slices)
    frozen = Manifest(
        run=manifests.new_run_id(now()),
        created=now(),
        input=source.url,
        output=output.url,
        total_workers=slices,
        engine=engine_name,
        options=options,
        slices=documents_in(parts),
        entries=list(map(len, parts)),
        pool_blocks=[list(blocks)] if blocks else list(map(pool_blocks, parts)),
        watches_input=watches,
    )
    assert manifests.claim(output, Frozen(frozen, parts), rest.latest) == frozen.run
    return frozen


def make_queues(endpoint: str, most_receives: int = 100) -> tuple[str, str]:
    """Returns the URLs of a new queue and of its dead-letter queue."""
    sqs, name = boto3.client("sqs", endpoint_url=endpoint), f"pool-{next(_numbers)}-{time.monotonic_ns()}"
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": {most_receives}}}'
    queue = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    return queue, dead


class Pooled:
    """A pool over a store, with its queue filled. Workers run in this process, one after the other or in threads."""

    def __init__(
        self,
        endpoint: str,
        source: Store,
        output: Store,
        task: PageTask,
        blocks: Sequence[int] = (),
        *,
        workers: int = 2,
        acknowledge: int = 2,
        process: int = 3,
        most_receives: int = 100,
        is_filled: bool = True,
        options: ReadOptions = ReadOptions(),  # noqa: B008  # frozen
        watches: bool = False,
        sweep: int = 3600,
    ) -> None:
        self.source, self.output = source, output
        self.engine: Engine = CommandEngine() if options.command.line else engine(task)
        slices = 1 if blocks else workers
        self.manifest = freeze_pool(source, output, self.engine.name, slices, blocks, options, watches=watches)
        self.keys = RunKeys(self.manifest.run)
        queue, dead = make_queues(endpoint, most_receives)
        self.pool = Pool(
            run=self.manifest.run,
            region="us-east-1",
            queue=queue,
            dead_letters=dead,
            acknowledge_seconds=acknowledge,
            process_seconds=process,
            workers=list(range(workers)),
            used=workers,
            sweep_seconds=sweep,
        )
        save_pool(output, self.pool)
        self.queue_url = queue
        client: Any = boto3.client("sqs", endpoint_url=endpoint)
        self.queue, self.dead_letters = SqsQueue(client, queue), SqsQueue(client, dead)
        if is_filled:
            self.queue.send(pointer_to(self.manifest.run, block) for block in all_blocks(self.manifest))

    def slice_run(self, worker: int, stop: Stop | None = None, clock: Any = now, beats: float = 0.5) -> SliceRun:
        queues = PoolQueues(self.pool, self.queue, self.dead_letters)
        job = SliceConfig(
            self.manifest, (), worker, self.source, self.output, self.engine, 2, beats, clock, queues=queues
        )
        return SliceRun(job, stop or Stop())

    def work(self, worker: int, stop: Stop | None = None) -> Counts:
        return self.mark(worker, stop).counts

    def mark(self, worker: int, stop: Stop | None = None) -> DoneMark:
        return self.slice_run(worker, stop).run()

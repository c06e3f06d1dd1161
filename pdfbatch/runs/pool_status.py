"""How a pool stands: its queue and its workers, as `status` shows them. SQS's figures are approximate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from pdfbatch import aws
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import Manifest, Pool, RunKeys
from pdfbatch.runs.arrivals import arrived_count, finished_arrivals
from pdfbatch.runs.messages import Depth, SqsQueue
from pdfbatch.runs.pool import finished_blocks, pool_of
from pdfbatch.store import Store

if TYPE_CHECKING:
    from pdfbatch.runs.progress import WorkerStatus

_ATTEMPTS = 2
"""A person waits, and the rest of the screen comes from the store."""

Registered = Literal["registered", "acknowledged", "processing", "failed", "shutting down", "ended"]


class PoolStatus(BaseModel):
    """A pool's blocks, queue and workers; field names are stable."""

    model_config = ConfigDict(frozen=True)
    blocks: int
    finished: int
    """Blocks whose documents all have an outcome."""
    waiting: int | None = None
    """Messages in the queue; None, like the next two: the queue does not answer, or is deleted."""
    received: int | None = None
    """Messages that a worker has."""
    dead: int | None = None
    """Messages that were received too often; a worker fails their documents when the queue is empty."""
    waited_seconds: float | None = None
    """How long the block that was received last had waited in the queue; None: none was received yet."""
    watches_input: bool = False
    arrived: int = 0
    """Documents, and new versions of some, that arrived while the input was watched."""
    arrived_finished: int = 0
    registry: dict[Registered, int] = {}
    """Number of workers by their place in the pool; see `registered`."""


def registered(worker: WorkerStatus, wanted: Iterable[int]) -> Registered:
    """Returns a worker's place in its pool.

    `registered`: it has no block, because it boots or because none is left; `acknowledged`: it has received one;
    `processing`: it reads pages; `failed`: it gave up, or is silent; `shutting down`: it drains; `ended`. Pure.
    """
    if worker.stale or worker.state == "failed":
        return "failed"
    if worker.final or worker.state == "done":
        return "ended"
    if worker.state in ("draining", "interrupted") or worker.id not in wanted:
        return "shutting down"
    if not worker.holding:
        return "registered"
    return "processing" if worker.reading else "acknowledged"


def depths_by_sqs(pool: Pool) -> tuple[Depth, Depth] | None:
    """Asks the queue and its dead letters; None if they do not answer."""
    try:
        client = aws.client("sqs", _ATTEMPTS, pool.region)
        return SqsQueue(client, pool.queue).depth(), SqsQueue(client, pool.dead_letters).depth()
    except PdfbatchError:
        return None


def read_pool_status(
    store: Store,
    manifest: Manifest,
    workers: Iterable[WorkerStatus],
    depths: Callable[[Pool], tuple[Depth, Depth] | None] = depths_by_sqs,
) -> PoolStatus | None:
    """Reads how a pool stands; None for a run that is not one."""
    pool = pool_of(store, manifest)
    if pool is None:
        return None
    known, there, keys = depths(pool), list(workers), RunKeys(manifest.run)
    queue, dead = known if known else (None, None)
    waits = [worker.waited_seconds for worker in there if worker.waited_seconds is not None and not worker.final]
    return PoolStatus(
        blocks=sum(map(len, manifest.pool_blocks)),
        finished=len(finished_blocks(store, keys)),
        watches_input=manifest.watches_input,
        arrived=arrived_count(store, manifest),
        arrived_finished=len(finished_arrivals(store, keys)) if manifest.watches_input else 0,
        waiting=queue.waiting if queue else None,
        received=queue.received if queue else None,
        dead=dead.total if dead else None,
        waited_seconds=max(waits, default=None),
        registry=dict(Counter(registered(worker, pool.workers) for worker in there).most_common()),
    )

"""Which streams of a log group have the lines of a run's workers on AWS Batch.

A stream is named after the ECS task of an attempt, `RUN/default/TASK`; only Batch knows which worker that was. Source:
ECS guide, "Using the awslogs log driver".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pdfbatch.fleet.batch import jobs
from pdfbatch.fleet.batch.making import child_of
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.logs import LogStreams
from pdfbatch.fleet.names import Names
from pdfbatch.records import FleetRecord

UNKNOWN = "?"


class TaskNames:
    """The worker of each stream, as Batch says it; Batch is asked again when a new stream shows up."""

    def __init__(self, clients: Clients, children: Iterable[str], *, is_one: bool) -> None:
        self._clients = clients
        self._children = list(children)
        self._is_one = is_one
        self._worker_of: dict[str, str] = {}
        self._strange: set[str] = set()

    def named(self, stream: str) -> tuple[str, str] | None:
        """Returns the worker and the task of a stream; None: it is of another worker than the one that is wanted."""
        if stream not in self._worker_of and stream not in self._strange:
            self._worker_of = dict(streams_of(jobs.described(self._clients, self._children)))
            self._strange |= {stream} - self._worker_of.keys()
        worker = self._worker_of.get(stream)
        if worker is None and self._is_one:
            return None
        return worker or UNKNOWN, stream.rpartition("/")[2]


def streams_of(described: Iterable[Any]) -> Iterable[tuple[str, str]]:
    """Yields each stream of the described jobs, one for each attempt, with its worker's name. Pure."""
    for job in described:
        worker = f"worker-{job.get('arrayProperties', {}).get('index', 0)}"
        attempts = [each.get("container", {}) for each in job.get("attempts", [])]
        for container in [*attempts, job.get("container", {})]:
            if container.get("logStreamName"):
                yield container["logStreamName"], worker


def batch_streams(clients: Clients, record: FleetRecord, worker: int | None, workers: int) -> LogStreams:
    """Returns the streams of a run's job, or of one of its workers."""
    names = Names(record.stack)
    found = [record.job] if record.job else jobs.of_run(clients, names.job_queue, names.job(record.run))
    wanted = range(workers) if worker is None else [worker]
    children = [child_of(job, each, workers) for job in found for each in wanted]
    prefix = names.job(record.order) if record.order else record.run
    return LogStreams(f"{prefix}/", TaskNames(clients, children, is_one=worker is not None).named)

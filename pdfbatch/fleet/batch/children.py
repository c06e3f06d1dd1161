"""What AWS Batch says about a run's workers, where their own records cannot say it: a child that ended for good without
a word, or that waits for an instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet.batch import jobs
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import Names
from pdfbatch.records import FleetRecord
from pdfbatch.runs.progress import OVER, RunStatus, WorkerStatus, fleet_state

S = TypeVar("S", bound=RunStatus)
NO_REASON = "AWS Batch does not say why"


class Children(NamedTuple):
    failed: Mapping[int, str]
    """Why workers whose job has failed ended, by number; Batch does not start them again."""
    waiting: str = ""
    """Why the others wait for an instance, as AWS reports it; "": it does not say, or none waits."""


def children_of(clients: Clients, record: FleetRecord) -> Children:
    """Asks Batch about the run's job.

    Raises:
        PdfbatchError: access is denied, or AWS does not answer.
    """
    names = Names(record.stack)
    newest = record.job or next(reversed(jobs.of_run(clients, names.job_queue, names.job(record.run))), None)
    found = next(jobs.described(clients, [newest]), None) if newest else None
    if found is None:
        return Children({})
    waiting = jobs.trouble_of(clients, found)
    if "arrayProperties" not in found:
        return Children({0: _reason(found)} if found["status"] == "FAILED" else {}, waiting)
    failed = jobs.listed_as(clients, "FAILED", arrayJobId=found["jobId"])
    return Children({int(each["jobId"].partition(":")[2]): _reason(each) for each in failed}, waiting)


def _reason(found: Mapping[str, str]) -> str:
    return found.get("statusReason") or NO_REASON


def with_children(status: S, children: Children) -> S:
    """Completes a status: a worker that Batch does not start again has failed. Pure."""
    workers = [_with_child(worker, children) for worker in status.workers]
    return status.model_copy(update={"workers": workers, "state": fleet_state(workers, is_complete=False)})


def _with_child(worker: WorkerStatus, children: Children) -> WorkerStatus:
    if worker.final:
        return worker
    if why := children.failed.get(worker.id):
        detail = f"AWS Batch has ended it: {why.rstrip('.')}."
        return worker.model_copy(update={"state": "failed", "final": True, "stale": False, "detail": detail})
    if worker.state == "waiting" and children.waiting:
        return worker.model_copy(update={"detail": children.waiting})
    return worker


def asking_batch(read: Callable[[], S], record: FleetRecord, clients: Clients) -> Callable[[], S]:
    """Returns a function that completes what `read` returns, as far as Batch answers."""

    def completed() -> S:
        status = read()
        if status.state in OVER:
            return status
        try:
            return with_children(status, children_of(clients, record))
        except PdfbatchError:
            return status  # the store alone has most of it

    return completed

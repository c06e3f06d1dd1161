"""The compute environment and the job queue that `setup --batch` makes, as AWS describes them, and what is judged of
them before a launch."""

from __future__ import annotations

from typing import Any, NamedTuple

from pdfbatch import aws
from pdfbatch.errors import NotReady
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import Names


class BatchEnvironment(NamedTuple):
    """Where jobs run."""

    name: str
    state: str
    """`ENABLED` or `DISABLED`."""
    status: str
    """`VALID` if Batch can launch instances, `INVALID` if not, or it is changing."""
    reason: str
    """AWS's words for it."""
    types: tuple[str, ...]
    subnets: tuple[str, ...]
    most_vcpus: int
    """Of all its instances together."""
    bid_percentage: int
    """Of the on-demand price, that a Spot instance may cost."""
    queue_state: str
    queue_status: str

    @property
    def takes_jobs(self) -> bool:
        return (self.queue_state, self.queue_status) == ("ENABLED", "VALID")


def environment(clients: Clients, names: Names, setup: str) -> BatchEnvironment:
    """Looks up the stack's compute environment and queue. `setup`: the command that makes them.

    Raises:
        NotReady: one of them does not exist.
        PdfbatchError: access is denied, or AWS does not answer.
    """
    with aws.translating(f"look up the AWS Batch queue {names.job_queue}"):
        queues = clients.batch.describe_job_queues(jobQueues=[names.job_queue])["jobQueues"]
        found = clients.batch.describe_compute_environments(computeEnvironments=[names.job_queue])[
            "computeEnvironments"
        ]
    if not queues or not found:
        lacks = "job queue" if not queues else "compute environment"
        raise NotReady(f"no AWS Batch {lacks} {names.job_queue} in {clients.region}", setup)
    return read_environment(found[0], queues[0])


def read_environment(found: Any, queue: Any) -> BatchEnvironment:
    """Reads AWS's descriptions. Pure."""
    resources = found.get("computeResources", {})
    return BatchEnvironment(
        name=found["computeEnvironmentName"],
        state=found.get("state", ""),
        status=found.get("status", ""),
        reason=found.get("statusReason", ""),
        types=tuple(resources.get("instanceTypes", ())),
        subnets=tuple(resources.get("subnets", ())),
        most_vcpus=int(resources.get("maxvCpus", 0)),
        bid_percentage=int(resources.get("bidPercentage") or 100),
        queue_state=queue.get("state", ""),
        queue_status=queue.get("status", ""),
    )

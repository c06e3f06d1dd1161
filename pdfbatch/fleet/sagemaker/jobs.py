"""Creates, finds, describes and stops SageMaker Processing jobs.

Source: botocore's model of SageMaker; SageMaker guide, "Data Processing".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from pdfbatch import aws
from pdfbatch.errors import AccessDenied, PdfbatchError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import TAG_RUN, TAG_STACK
from pdfbatch.fleet.resources import Resource

LIVING = ("InProgress", "Stopping")
"""The states of a job that costs money or may start to."""
LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
"""SageMaker makes it, and keeps its logs for ever unless its owner says otherwise."""
_NO_JOB = {"ResourceNotFound", "ValidationException", "ValidationError"}


class JobState(NamedTuple):
    """A job as AWS describes it."""

    name: str
    status: str
    """`InProgress`, `Completed`, `Failed`, `Stopping`, `Stopped`."""
    why: str = ""
    """Why it failed, in AWS's words. A job that reached its time limit is `Stopped`, without any."""
    message: str = ""
    """What its hosts left."""
    ended: datetime | None = None
    has_started: bool = False
    """Whether its instances run."""

    @property
    def is_living(self) -> bool:
        return self.status in LIVING


def create(clients: Clients, request: Mapping[str, Any]) -> None:
    """Creates a job. A request that boto3 repeats because its answer was lost finds the job's name in use; that is no
    error if the job is of the same run.

    Raises:
        PdfbatchError: AWS refuses it.
    """
    name = request["ProcessingJobName"]
    try:
        with aws.translating(f"create the processing job {name}"):
            clients.sagemaker.create_processing_job(**request)
    except PdfbatchError as error:
        if error.code != "ResourceInUse" or not _is_same_run(clients, request):
            raise


def _is_same_run(clients: Clients, request: Mapping[str, Any]) -> bool:
    wanted = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    try:
        found = _described(clients, request["ProcessingJobName"])
        return found is not None and _tags(clients, found["ProcessingJobArn"]).get(TAG_RUN) == wanted[TAG_RUN]
    except PdfbatchError:
        return False


def state_of(clients: Clients, name: str) -> JobState | None:
    """Looks a job up; None: there is none of this name.

    Raises:
        PdfbatchError: access is denied, or AWS does not answer.
    """
    found = _described(clients, name)
    if found is None:
        return None
    return JobState(
        name=name,
        status=found["ProcessingJobStatus"],
        why=found.get("FailureReason", ""),
        message=found.get("ExitMessage", ""),
        ended=found.get("ProcessingEndTime") or found.get("LastModifiedTime"),
        has_started="ProcessingStartTime" in found,
    )


def _described(clients: Clients, name: str) -> Any:
    return aws.call(
        f"look up the processing job {name}",
        lambda: clients.sagemaker.describe_processing_job(ProcessingJobName=name),
        absent=_NO_JOB,
    )


def jobs(clients: Clients) -> list[Resource]:
    """Lists pdfbatch's jobs in the region that have not ended. None where listing is not permitted."""
    try:
        return [
            Resource(each["ProcessingJobName"], tags, each.get("CreationTime"), each["ProcessingJobStatus"])
            for status in LIVING
            for each in _listed(clients, status)
            if TAG_STACK in (tags := _tags(clients, each["ProcessingJobArn"]))
        ]
    except AccessDenied:
        return []


def _listed(clients: Clients, status: str) -> Iterator[Any]:
    pages = clients.sagemaker.get_paginator("list_processing_jobs").paginate(StatusEquals=status)  # type: ignore[arg-type]
    with aws.translating("list the processing jobs"):
        for page in pages:
            yield from page["ProcessingJobSummaries"]


def instances_in_use(clients: Clients) -> dict[str, int]:
    """Counts the instances of all processing jobs of the account that run now, by type."""
    found: dict[str, int] = {}
    for each in _listed(clients, "InProgress"):
        described = _described(clients, each["ProcessingJobName"]) or {}
        cluster = described.get("ProcessingResources", {}).get("ClusterConfig", {})
        kind = cluster.get("SelectedInstanceType") or cluster.get("InstanceType")
        if kind:
            count = cluster.get("SelectedInstanceCount") or cluster.get("InstanceCount", 1)
            found[kind] = found.get(kind, 0) + int(count)
    return found


def _tags(clients: Clients, arn: str) -> dict[str, str]:
    found = aws.call(
        f"look at {arn}",
        lambda: [
            tag
            for page in clients.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
            for tag in page["Tags"]
        ],
        absent=_NO_JOB,
    )
    return {tag["Key"]: tag["Value"] for tag in found or ()}


def stop(clients: Clients, names: Iterable[str]) -> list[str]:
    """Stops jobs: their workers get SIGINT, and drain. Returns AWS's messages about those that it refused to stop; one
    that has ended is no error."""
    refused = []
    for name in names:
        try:
            with aws.translating(f"stop the processing job {name}"):
                clients.sagemaker.stop_processing_job(ProcessingJobName=name)
        except PdfbatchError as error:
            state = state_of(clients, name)
            if state is not None and state.is_living and state.status != "Stopping":
                refused.append(f"{name}: {error.said or error.message}")
    return refused

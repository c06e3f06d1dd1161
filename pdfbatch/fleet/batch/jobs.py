"""Finds, stops and describes jobs of AWS Batch, and their definitions, by pdfbatch's tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from pdfbatch import aws
from pdfbatch.errors import AccessDenied, PdfbatchError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import TAG_STACK
from pdfbatch.fleet.resources import Resource

LIVING = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
"""Batch lists the jobs of one status at a time. An array is PENDING while its children run. Source: botocore's service
model (ListJobs)."""
_AT_ONCE = 100
"""Batch describes so many jobs at a time."""
_NO_JOB = {"ClientException"}


def queues(clients: Clients) -> list[str]:
    """Lists the ARNs of pdfbatch's job queues in the region; none where listing is not permitted."""
    pages = clients.batch.get_paginator("describe_job_queues").paginate()
    try:
        with aws.translating("list the AWS Batch queues"):
            return [
                each["jobQueueArn"] for page in pages for each in page["jobQueues"] if TAG_STACK in each.get("tags", {})
            ]
    except AccessDenied:
        return []


def jobs(clients: Clients) -> list[Resource]:
    """Lists pdfbatch's jobs in the region that have not ended."""
    ids = [each["jobId"] for queue in queues(clients) for each in _listed(clients, jobQueue=queue)]
    return [_job(clients, each) for each in described(clients, ids) if TAG_STACK in each.get("tags", {})]


def _listed(clients: Clients, **where: str) -> Iterator[Any]:
    """Yields the summaries of the jobs in a queue, or of the children of an array, that have not ended."""
    for status in LIVING:
        yield from listed_as(clients, status, **where)


def listed_as(clients: Clients, status: str, **where: str) -> Iterator[Any]:
    """Yields the summaries of the jobs with this status in a `jobQueue`, or of the children of an `arrayJobId`."""
    wanted: Any = {**where, "jobStatus": status}
    with aws.translating("list the jobs of AWS Batch"):
        for page in clients.batch.get_paginator("list_jobs").paginate(**wanted):
            yield from page["jobSummaryList"]


def described(clients: Clients, ids: Iterable[str]) -> Iterator[Any]:
    """Yields AWS's descriptions of jobs; those that AWS has forgotten are left out."""
    wanted = list(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        with aws.translating("look up jobs of AWS Batch"):
            yield from clients.batch.describe_jobs(jobs=wanted[start : start + _AT_ONCE])["jobs"]


def _job(clients: Clients, found: Any) -> Resource:
    created = datetime.fromtimestamp(found["createdAt"] / 1000, UTC) if found.get("createdAt") else None
    return Resource(
        id=found["jobId"],
        tags=dict(found.get("tags", {})),
        created=created,
        state=found["status"],
        trouble=trouble_of(clients, found),
    )


def trouble_of(clients: Clients, found: Any) -> str:
    """Returns why a described job cannot start, as AWS reports it; "" if it can. For an array: why its first child
    that waits cannot."""
    if found["status"] == "PENDING" and found.get("arrayProperties", {}).get("statusSummary", {}).get("RUNNABLE"):
        found = next(listed_as(clients, "RUNNABLE", arrayJobId=found["jobId"]), found)
    return str(found.get("statusReason", "")) if found["status"] == "RUNNABLE" else ""


def of_run(clients: Clients, queue: str, name: str) -> list[str]:
    """Returns the ids of the jobs with this name, oldest first, those that have ended too."""
    wanted: Any = {"jobQueue": queue, "filters": [{"name": "JOB_NAME", "values": [name]}]}
    with aws.translating(f"look up the job {name}"):
        pages = clients.batch.get_paginator("list_jobs").paginate(**wanted)
        found = [each for page in pages for each in page["jobSummaryList"]]
    return [each["jobId"] for each in sorted(found, key=lambda each: each.get("createdAt", 0))]


def stop(clients: Clients, ids: Iterable[str]) -> list[str]:
    """Ends jobs: a worker that runs is told to stop, a child that waits never starts. Returns AWS's messages about
    those that it refused to end; one that is already gone is no error."""
    refused = []
    for each in ids:
        try:
            with aws.translating(f"stop the job {each}"):
                clients.batch.terminate_job(jobId=each, reason="pdfbatch down")
        except PdfbatchError as error:
            if error.code not in _NO_JOB:
                refused.append(f"{each}: {error.said or error.message}")
    return refused


def definitions(clients: Clients) -> list[Resource]:
    """Lists pdfbatch's job definitions in the region; `id` is the ARN. None where listing is not permitted."""
    pages = clients.batch.get_paginator("describe_job_definitions").paginate(status="ACTIVE")
    try:
        with aws.translating("list the job definitions of AWS Batch"):
            found = [each for page in pages for each in page["jobDefinitions"]]
    except AccessDenied:
        return []
    return [
        Resource(each["jobDefinitionArn"], dict(each["tags"]), None)
        for each in found
        if TAG_STACK in each.get("tags", {})
    ]


def deregister(clients: Clients, arns: Sequence[str]) -> None:
    """Deletes job definitions; one that is already gone is no error."""
    for arn in arns:
        aws.call(
            f"delete the job definition {arn}",
            lambda arn=arn: clients.batch.deregister_job_definition(jobDefinition=arn),  # type: ignore[misc]
            absent=_NO_JOB,
        )

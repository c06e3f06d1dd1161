"""The requests to AWS Batch that run a fleet's workers: a job definition, and a job from it. Pure.

Their shapes are those of boto3 (botocore's service model of `batch`, 2016-08-10), so that they can be sent, stored or
rendered for another service that sends them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from pdfbatch.errors import ENDED_EARLY, ExitCode
from pdfbatch.fleet.names import Names, partition
from pdfbatch.fleet.values import Account, Plan
from pdfbatch.records import FleetRecord

Request = dict[str, Any]

MOST_CHILDREN = 10_000
"""The largest array. Source: AWS Batch guide, "Array jobs"."""
DEFAULT_VCPUS = 256
"""The default of `setup --max-vcpus`: 64 instances of g4dn.xlarge."""
ATTEMPTS = 10
"""Batch's most. Interruptions count too, and a slice loses nothing but time by them."""
LEAST_SECONDS = 60
"""Batch's shortest time limit of an attempt."""
MEMORY_SHARE = 0.85
"""Of an instance's memory, for the job: the rest is for the kernel, Docker and the ECS agent, without which Batch would
find no room for the job. Source: AWS Batch guide, "Compute resource memory management"."""
STOP_SECONDS = 20
"""How long a worker that is told to stop finishes pages: Batch kills it 30 s after SIGTERM."""


class JobSize(NamedTuple):
    """What one worker gets of its instance: all of it, so that each has an instance of its own."""

    vcpus: int
    memory_mib: int
    gpus: int


def job_size(account: Account) -> JobSize:
    """Returns the size that fits every instance type: the smallest of each resource."""
    return JobSize(
        vcpus=min(account.vcpus.values()),
        memory_mib=math.floor(MEMORY_SHARE * min(account.memory_mib.values())),
        gpus=1 if all(account.gpus.values()) else 0,
    )


def variables_of(values: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables of a worker on Batch, from those of an instance (`userdata.values_of`): no number, because
    the array's index is it, and nothing that only the boot script reads."""
    of_boot_script = {
        *("WORKER_ID", "PDFBATCH_END", "PDFBATCH_IMAGE", "PDFBATCH_GPUS", "PDFBATCH_LOG_GROUP", "PDFBATCH_MAX_BOOTS"),
    }
    kept = {name: value for name, value in values.items() if name not in of_boot_script}
    return {**kept, "PDFBATCH_ATTEMPTS": str(ATTEMPTS), "PDFBATCH_STOP_SECONDS": str(STOP_SECONDS)}


def definition_request(
    *,
    name: str,
    image: str,
    size: JobSize,
    role: str,
    variables: Mapping[str, str],
    logs: Mapping[str, str],
    seconds: int,
    tags: Mapping[str, str],
) -> Request:
    """Returns the request RegisterJobDefinition.

    `role`: ARN of the role that the worker has; `logs`: options of the driver `awslogs`; `seconds`: the time limit of
    one attempt, after which Batch ends it and does not retry.
    """
    resources = {"VCPU": size.vcpus, "MEMORY": size.memory_mib} | ({"GPU": size.gpus} if size.gpus else {})
    return {
        "jobDefinitionName": name,
        "type": "container",
        "platformCapabilities": ["EC2"],
        "containerProperties": {
            "image": image,
            "command": ["batch-job"],
            "jobRoleArn": role,
            "environment": [{"name": key, "value": value} for key, value in variables.items() if value],
            "resourceRequirements": [{"type": kind, "value": str(count)} for kind, count in resources.items()],
            "logConfiguration": {"logDriver": "awslogs", "options": dict(logs)},
        },
        "retryStrategy": {"attempts": ATTEMPTS, "evaluateOnExit": retry_rules()},
        "timeout": {"attemptDurationSeconds": max(LEAST_SECONDS, seconds)},
        "propagateTags": True,
        "tags": dict(tags),
    }


def retry_rules() -> list[dict[str, str]]:
    """Returns what Batch does when an attempt ends: the first rule that matches; where none does, it is retried.

    The loss of a Spot instance ends with the status reason "Host EC2 (instance i-…) terminated.". A worker whose slice
    has ended for good, or whose settings are invalid, is not retried; any other failure may be the instance's. Source:
    AWS Batch guide, "Automated job retries".
    """
    return [
        {"onStatusReason": "Host EC2*", "action": "RETRY"},
        {"onExitCode": str(ENDED_EARLY), "action": "EXIT"},
        {"onExitCode": str(int(ExitCode.USAGE)), "action": "EXIT"},
    ]


def job_request(
    *,
    name: str,
    queue: str,
    definition: str,
    workers: int,
    tags: Mapping[str, str],
    variables: Mapping[str, str] | None = None,
) -> Request:
    """Returns the request SubmitJob: an array of `workers` children, or a plain job for one.

    `queue` and `definition` are names or ARNs; `variables` are added to those of the definition.

    A scheduled job has PDFBATCH_ORDER among its variables instead of PDFBATCH_RUN; the job's own id tells its
    executions apart, so its name may be the same each time. Its worker 0 freezes the manifest of what is left then,
    once however often it is retried, and the others wait for it (`runs/orders.py`): if each listed the input by itself,
    a PDF that was added between two listings would shift their slices, and documents would be read twice or not at all.

    Raises:
        ValueError: not 1 to 10,000 workers.
    """
    if not 1 <= workers <= MOST_CHILDREN:
        raise ValueError(f"a job cannot have {workers} children")
    array = {"arrayProperties": {"size": workers}} if workers > 1 else {}
    pairs = [{"name": key, "value": value} for key, value in (variables or {}).items()]
    overrides = {"containerOverrides": {"environment": pairs}} if pairs else {}
    return {
        "jobName": name,
        "jobQueue": queue,
        "jobDefinition": definition,
        **array,
        **overrides,
        "propagateTags": True,
        "tags": dict(tags),
    }


def definition_of(plan: Plan, values: Mapping[str, str], record: FleetRecord) -> Request:
    """Returns the definition of a planned run's job. `values` as for an instance, see `variables_of`."""
    names, account = Names(plan.stack), plan.account
    return definition_request(
        name=names.job(plan.run),
        image=account.image,
        size=job_size(account),
        role=job_role_arn(names, account.region, account.number),
        variables=variables_of(values),
        logs=log_options(account.log_group, account.region, plan.run),
        seconds=round((record.end - record.launched).total_seconds()),
        tags=plan.tags,
    )


def job_of(plan: Plan, definition: str) -> Request:
    """Returns the request that submits a planned run."""
    names = Names(plan.stack)
    return job_request(
        name=names.job(plan.run), queue=names.job_queue, definition=definition, workers=plan.workers, tags=plan.tags
    )


def ordered_definition(plan: Plan, values: Mapping[str, str], record: FleetRecord, name: str, order: str) -> Request:
    """Returns the definition of the jobs that execute an order: each freezes its own run when it starts. It has no tag
    of the stack: it stays when a run is taken down. `order`: its name, see `runs/orders.py`."""
    own = {key: value for key, value in values.items() if key not in ("PDFBATCH_RUN", "PDFBATCH_DEADLINE")}
    request = definition_of(plan, {**own, "PDFBATCH_ORDER": order}, record)
    logs = log_options(plan.account.log_group, plan.account.region, name)
    container = request["containerProperties"]
    container = {**container, "logConfiguration": {**container["logConfiguration"], "options": logs}}
    tags = {key: value for key, value in plan.tags.items() if not key.startswith("pdfbatch:")}
    return {**request, "jobDefinitionName": name, "containerProperties": container, "tags": tags}


def job_role_arn(names: Names, region: str, account: str) -> str:
    return f"arn:{partition(region)}:iam::{account}:role/{names.job_role(region)}"


def log_options(group: str, region: str, prefix: str) -> dict[str, str]:
    """Returns the options of `awslogs`; `prefix` begins the names of the streams. Non-blocking, so that a worker never
    waits for CloudWatch."""
    return {
        "awslogs-group": group,
        "awslogs-region": region,
        "awslogs-stream-prefix": prefix,
        "mode": "non-blocking",
        "max-buffer-size": "8m",
    }

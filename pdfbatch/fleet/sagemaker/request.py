"""Builds the request that starts a SageMaker Processing job. Pure: a plain dict, for a client or for a schedule.

Source: botocore's model of CreateProcessingJob; SageMaker guide, "Build Your Own Processing Container".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pdfbatch.errors import UsageError
from pdfbatch.records import RunKeys
from pdfbatch.records.processing_job import (
    INPUT_FOLDER,
    ISOLATED_VARIABLE,
    JOB_COMMAND,
    MOST_HOSTS,
    MOST_NAME,
    MOST_PREFERENCES,
    MOST_SECONDS,
    MOST_VALUE,
    OPT_ML,
    OUTPUT_FOLDER,
    STATE_FOLDER,
)

EXECUTION_ID = "<aws.scheduler.execution-id>"
"""EventBridge Scheduler replaces this by 16 letters and digits, which are valid in a job's name."""
VOLUME_GIB = 50
"""What a host needs for the image's temporary files and documents in use; fits on every type's own disk."""
INPUTS_KEY = "inputs.manifest"
"""SageMaker's list of a run's documents, below the run's state."""
_LOCAL_DISK = re.compile(r"ml\.(g4dn|g5|g6e?|g7e?|p4de?|p5e?n?|[cmr]\d[a-z]*d)\.")
"""Types with an NVMe disk of their own, which a hardware key encrypts: SageMaker refuses another key for them.
Source: API reference, ProcessingClusterConfig."""
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")


class Isolation(NamedTuple):
    """The run of a job without network, whose documents SageMaker copies to the hosts."""

    run: str
    output: str
    """URL, ending with "/"."""
    bytes_each: int = 0
    """Bytes of the documents of one host."""
    key: str = ""
    """KMS key that encrypts what is uploaded; "": the bucket's own."""


class JobWish(NamedTuple):
    """Everything that a job's request says."""

    name: str
    image: str
    role: str
    """ARN of the execution role."""
    types: Sequence[str]
    """Instance types as `ml.g4dn.xlarge`; SageMaker takes the first with capacity for all hosts."""
    hosts: int
    runtime_seconds: int
    environment: Mapping[str, str]
    tags: Mapping[str, str]
    subnets: Sequence[str] = ()
    """Empty: no VPC."""
    security_groups: Sequence[str] = ()
    disk_key: str = ""
    """KMS key of the hosts' disks; "": SageMaker's own."""
    isolation: Isolation | None = None


def request_of(wish: JobWish) -> dict[str, Any]:
    """Builds the request, in the API's own PascalCase.

    Raises:
        UsageError: something is longer or more than SageMaker accepts.
    """
    _check(wish)
    found: dict[str, Any] = {
        "ProcessingJobName": wish.name,
        "ProcessingResources": {"ClusterConfig": _cluster(wish)},
        "StoppingCondition": {"MaxRuntimeInSeconds": wish.runtime_seconds},
        "AppSpecification": {"ImageUri": wish.image, "ContainerArguments": [JOB_COMMAND]},
        "Environment": _environment(wish),
        "RoleArn": wish.role,
        "Tags": [{"Key": key, "Value": value} for key, value in wish.tags.items()],
    }
    if network := _network(wish):
        found["NetworkConfig"] = network
    if wish.isolation is not None:
        found |= _folders(wish.isolation)
    return found


def ml_type(kind: str) -> str:
    """Returns an instance type as SageMaker names it."""
    return kind if kind.startswith("ml.") else f"ml.{kind}"


def ec2_type(kind: str) -> str:
    """Returns an instance type as EC2 names it."""
    return kind.removeprefix("ml.")


def inputs_manifest(source: str, keys: Sequence[str]) -> list[Any]:
    """Returns SageMaker's list of documents: the URL that all share, and their keys below it."""
    return [{"prefix": source}, *keys]


def _cluster(wish: JobWish) -> dict[str, Any]:
    volume = VOLUME_GIB
    if wish.isolation is not None:
        volume += math.ceil(wish.isolation.bytes_each * 2 / 2**30)  # a copy, and figures and Markdown
    if len(wish.types) == 1:
        chosen: dict[str, Any] = {"InstanceType": wish.types[0]}
    else:
        chosen = {"InstancePreferences": [{"InstanceType": kind} for kind in wish.types]}
    key = {"VolumeKmsKeyId": wish.disk_key} if wish.disk_key and not has_local_disk(wish.types) else {}
    return {"InstanceCount": wish.hosts, **chosen, "VolumeSizeInGB": volume, **key}


def has_local_disk(types: Sequence[str]) -> bool:
    """Whether one of the types has a disk of its own, so that no key may be named."""
    return any(_LOCAL_DISK.match(kind) for kind in types)


def _environment(wish: JobWish) -> dict[str, str]:
    return {**wish.environment, **({ISOLATED_VARIABLE: "yes"} if wish.isolation else {})}


def _network(wish: JobWish) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if wish.isolation is not None:
        found["EnableNetworkIsolation"] = True
    if wish.subnets:
        found["VpcConfig"] = {"SecurityGroupIds": list(wish.security_groups), "Subnets": list(wish.subnets)}
    return found


def _folders(isolation: Isolation) -> dict[str, Any]:
    """Returns inputs and output of a job without network: each host gets a share of the documents, and the frozen run.
    The output is uploaded at the end: before, it also has files that are being written."""
    keys = RunKeys(isolation.run)
    state = f"{isolation.output}{keys.prefix}"
    inputs = [
        _input("documents", f"{state}{INPUTS_KEY}", INPUT_FOLDER, "ManifestFile", "ShardedByS3Key"),
        _input("run", state, f"{STATE_FOLDER}/{keys.prefix.rstrip('/')}", "S3Prefix", "FullyReplicated"),
    ]
    output = {
        "OutputName": "markdown",
        "S3Output": {"S3Uri": isolation.output, "LocalPath": f"{OPT_ML}/{OUTPUT_FOLDER}", "S3UploadMode": "EndOfJob"},
    }
    key = {"KmsKeyId": isolation.key} if isolation.key else {}
    return {"ProcessingInputs": inputs, "ProcessingOutputConfig": {"Outputs": [output], **key}}


def _input(name: str, url: str, folder: str, kind: str, distribution: str) -> dict[str, Any]:
    place = {"S3Uri": url, "LocalPath": f"{OPT_ML}/{folder}", "S3DataType": kind, "S3InputMode": "File"}
    return {"InputName": name, "S3Input": {**place, "S3DataDistributionType": distribution}}


def _check(wish: JobWish) -> None:
    name = wish.name.replace(EXECUTION_ID, "0" * 16)
    if len(name) > MOST_NAME or not _NAME.fullmatch(name):
        raise UsageError(
            f"{wish.name!r} cannot be the name of a SageMaker job.",
            f"Choose another --stack: letters, digits and hyphens, {MOST_NAME} at most with the run's ID.",
        )
    if not 1 <= wish.hosts <= MOST_HOSTS:
        raise UsageError(f"A SageMaker job has 1 to {MOST_HOSTS} instances, not {wish.hosts}.", "Use fewer --workers.")
    if not 1 <= len(wish.types) <= MOST_PREFERENCES:
        raise UsageError(
            f"A SageMaker job may name {MOST_PREFERENCES} instance types, not {len(wish.types)}.",
            "Use fewer --instance-type.",
        )
    if not 1 <= wish.runtime_seconds <= MOST_SECONDS:
        raise UsageError(
            f"A SageMaker job runs {MOST_SECONDS / 3600:g} hours at most.", "Use fewer --max-hours, and launch again."
        )
    for variable, value in wish.environment.items():
        if len(value) > MOST_VALUE:
            raise UsageError(
                f"{variable} has {len(value)} characters; SageMaker passes {MOST_VALUE} at most.",
                "Use shorter S3 prefixes.",
            )

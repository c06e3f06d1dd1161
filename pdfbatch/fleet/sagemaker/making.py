"""Launches a plan on SageMaker: one processing job with an instance for each worker."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pdfbatch.fleet.effects import Effects, check_not_ended
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.plan import Decided
from pdfbatch.fleet.sagemaker import jobs
from pdfbatch.fleet.sagemaker.request import INPUTS_KEY, Isolation, JobWish, inputs_manifest, request_of
from pdfbatch.fleet.userdata import values_of
from pdfbatch.fleet.values import DEFAULT_EBS_KEY
from pdfbatch.records import FleetRecord, Manifest, RunKeys

_OF_HOSTS = {
    *("WORKER_ID", "TOTAL_WORKERS", "PDFBATCH_DEADLINE", "PDFBATCH_END", "PDFBATCH_IMAGE", "PDFBATCH_GPUS"),
    *("PDFBATCH_LOG_GROUP", "PDFBATCH_MAX_BOOTS"),
}
"""Variables of an instance of EC2 that a host finds in its /opt/ml, or that only the boot script reads."""


class JobMaking:
    """A launch in progress: the job, once there is one."""

    def __init__(self, decided: Decided, outside: Effects) -> None:
        self._decided = decided
        self._outside = outside
        self.fleets: dict[int, str] = {}
        self.missing: dict[int, str] = {}

    def make(self, keep_partial: bool) -> None:  # noqa: ARG002  # a job has all its instances or does not start
        plan, outside = self._decided.plan, self._outside
        check_not_ended(outside.output, plan.run)
        request = launch_request(self._decided, outside.environment)
        if plan.isolated:
            keys = [document.key for slice_ in self._decided.frozen.slices for document in slice_]
            listed = json.dumps(inputs_manifest(plan.input, sorted(keys, key=str.encode)))
            outside.output.put(RunKeys(plan.run).prefix + INPUTS_KEY, listed.encode())
        self.fleets = dict.fromkeys(range(plan.workers), request["ProcessingJobName"])
        jobs.create(outside.clients, request)
        check_not_ended(outside.output, plan.run)


def launch_request(decided: Decided, environment: Mapping[str, str], name: str = "") -> dict[str, Any]:
    """Builds the request of a planned job. Pure; `environment` is the launcher's own, `name` another name than the
    run's.

    Raises:
        UsageError: something is longer or more than SageMaker accepts.
    """
    plan, frozen = decided.plan, decided.frozen
    isolation = None
    if plan.isolated:
        bytes_each = max(sum(document.size for document in slice_) for slice_ in frozen.slices)
        isolation = Isolation(plan.run, plan.output, bytes_each, plan.output_key)
    return request_of(
        JobWish(
            name=name or Names(plan.stack).processing_job(plan.run),
            image=plan.account.image,
            role=plan.account.profile,
            types=plan.instance_types,
            hosts=plan.workers,
            runtime_seconds=math.floor(plan.max_hours * 3600),
            environment=variables_of(frozen.manifest, decided.record, environment, isolated=plan.isolated),
            tags=plan.tags,
            subnets=plan.subnets,
            security_groups=plan.account.security_groups if plan.subnets else (),
            disk_key="" if plan.ebs_key == DEFAULT_EBS_KEY else plan.ebs_key,
            isolation=isolation,
        )
    )


def ordered_request(decided: Decided, environment: Mapping[str, str], name: str, order: str) -> dict[str, Any]:
    """Builds the request of a job that executes an order: it freezes its own run when it starts. Pure. `name` contains
    `EXECUTION_ID`, which makes it another one each time; `order`: the order's name, see `runs/orders.py`.

    Raises:
        UsageError: something is longer or more than SageMaker accepts.
    """
    request = launch_request(decided, environment, name)
    variables = {key: value for key, value in request["Environment"].items() if key != "PDFBATCH_RUN"}
    return {**request, "Environment": {**variables, "PDFBATCH_ORDER": order}}


def variables_of(
    manifest: Manifest, record: FleetRecord, environment: Mapping[str, str], *, isolated: bool
) -> dict[str, str]:
    """Returns the job's variables: the same for all hosts. Without network there is no topic to publish to."""
    values = values_of(manifest, record, 0, False, environment)
    unused = {*_OF_HOSTS, *({"PDFBATCH_TOPIC"} if isolated else ())}
    return {name: value for name, value in values.items() if value and name not in unused}

"""Queues and compute environments of AWS Batch in CloudFormation, where moto wants more or keeps less than AWS does.

AWS makes its own service-linked role where no role is named; moto needs one. moto drops the tags of a queue.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.batch.models import ComputeEnvironment, JobQueue, batch_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import ServiceException
from moto.iam.models import iam_backends

from tests.fleet.simulated_batch import BatchRegion, check
from tests.fleet.simulated_fleets import Json, Refused

SERVICE_ROLE = "AWSServiceRoleForBatch"
_make = ComputeEnvironment.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]


class Batch:
    """AWS Batch: jobs are simulated, moto has the rest."""

    def __init__(self) -> None:
        self.regions: dict[str, BatchRegion] = {}
        self.environment: Json = {}
        """What a test wants every compute environment to say."""

    def tick(self) -> None:
        for jobs in self.regions.values():
            jobs.tick()

    def order(self, wish: Json) -> None:
        next(jobs for jobs in self.regions.values() if wish["job"].partition(":")[0] in jobs.arrays).order(wish)

    def answer(self, region: str, operation: Any, wish: Json, pass_on: Callable[[], bytes]) -> Json | None:
        """Answers an operation of the service model; None: moto is to answer. `pass_on`: asks moto.

        Raises:
            Refused: AWS would.
        """
        check(operation.input_shape, wish)
        answer = self._answer(region, operation.name, wish, pass_on)
        if answer is not None:
            check(operation.output_shape, answer)
        return answer

    def _answer(self, region: str, action: str, wish: Json, pass_on: Callable[[], bytes]) -> Json | None:
        jobs = self.regions.setdefault(region, BatchRegion())
        if action == "SubmitJob":
            backend = batch_backends[DEFAULT_ACCOUNT_ID][region]
            definition, queue = (
                backend.get_job_definition(wish["jobDefinition"]),
                backend.get_job_queue(wish["jobQueue"]),
            )
            if definition is None or queue is None:
                what = "jobDefinition" if definition is None else "jobQueue"
                raise Refused("ClientException", f"{what[:1].upper()}{what[1:]} {wish[what]} does not exist.")
            return jobs.submit(wish, definition.describe())
        if action == "DescribeComputeEnvironments":
            return {name: [each | self.environment for each in rows] for name, rows in json.loads(pass_on()).items()}
        ours = {"DescribeJobs": jobs.describe, "ListJobs": jobs.list, "TerminateJob": jobs.terminate}
        return ours[action](wish) if action in ours else None


def _environment(cls: Any, resource_name: str, template: Any, account_id: str, region_name: str, **more: Any) -> Any:
    properties = {"ServiceRole": service_role(account_id), **template["Properties"]}
    resources = properties["ComputeResources"]
    kept = {name: value for name, value in resources.items() if name != "UpdateToLatestImageVersion"}  # not described
    properties["ComputeResources"] = {**kept, "MinvCpus": int(resources["MinvCpus"])}
    return _make(cls, resource_name, {**template, "Properties": properties}, account_id, region_name, **more)


def _queue(cls: Any, resource_name: str, template: Any, account_id: str, region_name: str, **_: Any) -> Any:
    properties = template["Properties"]
    order = [
        {"order": each["Order"], "computeEnvironment": each["ComputeEnvironment"]}
        for each in properties["ComputeEnvironmentOrder"]
    ]
    return batch_backends[account_id][region_name].create_job_queue(
        resource_name, properties["Priority"], None, properties.get("State", "ENABLED"), order, properties.get("Tags")
    )


def service_role(account_id: str) -> str:
    """The ARN of Batch's role, which is made if there is none."""
    iam = iam_backends[account_id]["aws"]
    try:
        return str(iam.get_role(SERVICE_ROLE).arn)
    except ServiceException:
        path = "/aws-service-role/batch.amazonaws.com/"
        return str(iam.create_role(SERVICE_ROLE, json.dumps({}), path, None, None, {}, 3600).arn)


def like_aws() -> None:
    """Makes moto do so in this process."""
    ComputeEnvironment.create_from_cloudformation_json = classmethod(_environment)  # type: ignore[method-assign,assignment]
    JobQueue.create_from_cloudformation_json = classmethod(_queue)  # type: ignore[method-assign,assignment]

"""SageMaker Processing jobs over moto's, which are `Completed` at once: here a job runs until it is stopped, or ordered
to end. Also SageMaker's quotas. No HTTP in here.

Sources: API reference, CreateProcessingJob ("Errors": ResourceInUse, ResourceLimitExceeded with its message as users
report it), StopProcessingJob, DescribeProcessingJob; Service Quotas API, ListServiceQuotas.
"""

from __future__ import annotations

from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.utils import utcnow
from moto.sagemaker.models import sagemaker_backends

from tests.fleet.simulated_fleets import Json, Refused, page

OTHER_QUOTAS = 230
"""SageMaker has thousands: more than a page of them comes before those that are asked for."""


class ProcessingJobs:
    def __init__(self) -> None:
        self.limits: dict[str, float] = {}
        """By quota name."""
        self.defaults: dict[str, float] = {}
        self.running: dict[tuple[str, str], Json] = {}
        """The request by region and name, of each job that has not ended."""

    def check(self, region: str, wish: Json) -> None:
        """Raises Refused for a job that AWS would not create."""
        name, cluster = wish["ProcessingJobName"], wish["ProcessingResources"]["ClusterConfig"]
        if name in sagemaker_backends[DEFAULT_ACCOUNT_ID][region].processing_jobs:
            raise Refused("ResourceInUse", f"Job name must be unique within an AWS account and region: {name}")
        preferred = cluster.get("InstancePreferences", [{}])[0].get("InstanceType")
        kind, wanted = cluster.get("InstanceType") or preferred, cluster.get("InstanceCount", 1)
        quota = f"{kind} for processing job usage"
        limit = self.limits.get(quota, self.defaults.get(quota, 0.0))
        if wanted > limit:
            text = f"The account-level service limit '{quota}' is {limit:g} Instances, with current utilization of 0"
            raise Refused("ResourceLimitExceeded", f"{text} Instances and a request delta of {wanted} Instances.")

    def created(self, region: str, wish: Json) -> None:
        self.running[region, wish["ProcessingJobName"]] = dict(wish)
        self._set(region, wish["ProcessingJobName"], "InProgress")

    def stop(self, region: str, name: str) -> None:
        if (region, name) not in self.running:
            raise Refused("ValidationException", f"The request was rejected because job {name} is not running.")
        self._set(region, name, "Stopping")

    def tick(self) -> None:
        for region, name in list(self.running):
            self.running[region, name].setdefault("ProcessingStartTime", utcnow().timestamp())
            if self._job(region, name).processing_job_status == "Stopping":
                self.end(region, name, "Stopped")

    def end(self, region: str, name: str, status: str, why: str = "", message: str = "") -> None:
        self._set(region, name, status)
        job = self._job(region, name)
        job.failure_reason, job.exit_message = why or None, message or None
        job.processing_end_time = utcnow()
        self.running.pop((region, name), None)

    def _set(self, region: str, name: str, status: str) -> None:
        self._job(region, name).processing_job_status = status

    @staticmethod
    def _job(region: str, name: str) -> Any:
        return sagemaker_backends[DEFAULT_ACCOUNT_ID][region].processing_jobs[name]

    def resources(self, region: str, name: str) -> Json:
        """What moto leaves out of a description."""
        wish = self.running.get((region, name), {})
        return {key: wish[key] for key in ("ProcessingResources", "Environment", "ProcessingStartTime") if key in wish}

    def quotas(self, action: str, wish: Json) -> Json:
        """ListServiceQuotas, or ListAWSDefaultServiceQuotas."""
        known = self.limits if action == "ListServiceQuotas" else self.defaults
        names = {f"ml.x{number}.large for training job usage": 1.0 for number in range(OTHER_QUOTAS)} | known
        rows = [
            {"ServiceCode": "sagemaker", "QuotaCode": _code(name), "QuotaName": name, "Value": value}
            for name, value in names.items()
        ]
        return page("Quotas", rows, wish, 100)


def _code(name: str) -> str:
    return f"L-{sum(map(ord, name)) * 7919 % 2**32:08X}"

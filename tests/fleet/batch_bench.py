"""A set-up account with AWS Batch in it, for tests of `--on batch`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pdfbatch.fleet.names import TAG_STACK
from pdfbatch.fleet.values import LaunchRequest
from tests.fleet.conftest import REGION, TRUST, Account
from tests.fleet.launching import Bench

ON_BATCH = LaunchRequest(way="batch", workers=3)


def set_up_batch(account: Account, most_vcpus: int = 256, types: tuple[str, ...] = ("g4dn.xlarge",)) -> None:
    """Makes what `setup --batch` makes, as far as a launch asks for it."""
    names, iam, ec2 = account.names, account.client("iam"), account.client("ec2")
    for role in (names.job_role(REGION), names.host_role(REGION), "batch"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_instance_profile(InstanceProfileName=names.host_role(REGION))
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    groups = ec2.describe_security_groups(GroupNames=[names.security_group])["SecurityGroups"]
    batch = account.client("batch")
    batch.create_compute_environment(
        computeEnvironmentName=names.job_queue,
        type="MANAGED",
        state="ENABLED",
        serviceRole=iam.get_role(RoleName="batch")["Role"]["Arn"],
        computeResources={
            "type": "SPOT",
            "minvCpus": 0,
            "maxvCpus": most_vcpus,
            "instanceTypes": list(types),
            "subnets": [each["SubnetId"] for each in subnets],
            "securityGroupIds": [groups[0]["GroupId"]],
            "instanceRole": names.host_role(REGION),
        },
    )
    batch.create_job_queue(
        jobQueueName=names.job_queue,
        state="ENABLED",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": names.job_queue}],
        tags={TAG_STACK: names.stack},
    )


class BatchBench(Bench):
    """A `Bench` whose launches go to AWS Batch."""

    def __init__(self, account: Account, **batch: Any) -> None:
        super().__init__(account)
        set_up_batch(account, **batch)

    def on_batch(self, **wish: Any) -> LaunchRequest:
        return replace(ON_BATCH, **wish)

    def job(self) -> dict[str, Any]:
        """The submitted job, as Batch describes it."""
        (submitted,) = self.account.calls("SubmitJob")
        batch = self.account.client("batch")
        (found,) = batch.list_jobs(
            jobQueue=submitted["parameters"]["jobQueue"],
            filters=[{"name": "JOB_NAME", "values": [submitted["parameters"]["jobName"]]}],
        )["jobSummaryList"]
        described: dict[str, Any] = batch.describe_jobs(jobs=[found["jobId"]])["jobs"][0]
        return described

    def change(self, child: str, **wish: Any) -> None:
        """Changes a job of the simulated Batch."""
        self.account.order("job", {"job": child, **wish})

"""IAM policies for AWS Batch: the job role's, and what a person needs besides the launcher's policy. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pdfbatch.fleet.names import TAG_STACK, Names, partition
from pdfbatch.fleet.policies import Policy, Statement

_OF_INSTANCES = frozenset(
    {"EndFleet", "EndMachine", "CountBoots", "WorkInPool", "WriteLogs", "LogInToImages", "PullImage"}
)
"""Statements that only the instances of EC2 Fleets need: Batch ends jobs, pulls images and writes logs by itself."""


def job_policy(worker: Policy) -> Policy:
    """Returns what a worker on AWS Batch may do: as one of a fleet (`policies.worker_policy`), without the fleet."""
    kept = [each for each in worker["Statement"] if each["Sid"] not in _OF_INSTANCES]
    return {**worker, "Statement": [_prices_only(each) if each["Sid"] == "FindFleet" else each for each in kept]}


def _prices_only(statement: Statement) -> Statement:
    return {**statement, "Sid": "FindPrices", "Action": ["ec2:DescribeSpotPriceHistory"]}


_OF_FLEETS = frozenset(
    {
        *("MakeTemplate", "MakeFleet", "UseTemplate", "FleetInstances", "MakeMachines", "TagWhatIsMade"),
        *("EndWhatIsMade", "RunInstances", "Pools", "GiveRole", "MakeServiceRoles"),
    }
)
"""Statements that only launches of EC2 Fleets need."""


def batch_launcher_policy(launcher: Policy, region: str, account: str, names: Names) -> Policy:
    """Returns what plan, launch, status, logs, ls, down and doctor need `--on batch`: as for fleets
    (`policies.launcher_policy`), with jobs in the place of fleets."""
    kept = [each for each in launcher["Statement"] if each["Sid"] not in _OF_FLEETS]
    return {**launcher, "Statement": [*kept, *_jobs(region, account, names)]}


def _jobs(region: str, account: str, names: Names) -> list[Statement]:
    """Allows to define, submit and end the stack's jobs.

    Source: service authorization reference, "Actions, resources, and condition keys for AWS Batch". Listing and
    describing cannot be limited to resources.
    """
    batch = f"arn:{partition(region)}:batch:{region}:{account}"
    iam = f"arn:{partition(region)}:iam::{account}:role"
    definitions = [f"{batch}:job-definition/{names.stack}_*", f"{batch}:job-definition/{names.stack}_*:*"]
    tagged = {f"aws:RequestTag/{TAG_STACK}": names.stack}
    return [
        _allow(
            "DefineJobs",
            ["batch:DeregisterJobDefinition", "batch:RegisterJobDefinition", "batch:TagResource"],
            definitions,
        ),
        _allow(
            "SubmitJobs",
            ["batch:SubmitJob"],
            [*definitions, f"{batch}:job-queue/{names.job_queue}"],
            {"StringEquals": tagged},
        ),
        _allow("TagJobs", ["batch:TagResource"], [f"{batch}:job/*"], {"StringEquals": tagged}),
        _allow(
            "EndJobs",
            ["batch:TerminateJob"],
            [f"{batch}:job/*"],
            {"StringEquals": {f"aws:ResourceTag/{TAG_STACK}": names.stack}},
        ),
        _allow("SeeJobs", ["batch:Describe*", "batch:ListJobs"], ["*"]),
        _allow(
            "GiveJobRole",
            ["iam:PassRole"],
            [f"{iam}/{names.job_role(region)}"],
            {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
        _allow("SeeJobRole", ["iam:GetRole"], [f"{iam}/{names.job_role(region)}"]),
    ]


def _allow(
    sid: str, actions: Sequence[str], resources: Sequence[str], condition: dict[str, Any] | None = None
) -> Statement:
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**statement, "Condition": condition} if condition else statement

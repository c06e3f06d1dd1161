"""What `setup --sagemaker` adds to the stack, and what a person needs to launch jobs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pdfbatch.fleet.names import Names
from pdfbatch.fleet.policies import (
    MANAGED_POLICY_CHARACTERS,
    ROLE_POLICY_CHARACTERS,
    launcher_policy,
    worker_policy,
)
from pdfbatch.fleet.sagemaker.policy import job_policy, launcher_statements
from pdfbatch.fleet.sagemaker.policy import launcher_policy as of_jobs
from pdfbatch.fleet.template import SetupWish, merged, template, wish_in
from tests.fleet.policy_evaluation import allows

ROOT = Path(__file__).parents[2]
REGION, NUMBER, NAMES = "us-east-1", "123456789012", Names()
PLACES = (["s3://docs/in/"], ["s3://docs/out/"])
WISH = SetupWish(inputs=("s3://docs/in/",), outputs=("s3://docs/out/",), sagemaker=True, email="me@example.org")
JOB = job_policy(worker_policy(REGION, NUMBER, NAMES, *PLACES), REGION, NUMBER)
LAUNCHER = {"Statement": launcher_statements(REGION, NUMBER, NAMES)}
OWN = f"arn:aws:sagemaker:{REGION}:{NUMBER}:processing-job/pdfbatch-20261128T020000-123Z-0abc"
ROLE = f"arn:aws:iam::{NUMBER}:role/pdfbatch-us-east-1-ml-jobs"


def made(wish: SetupWish = WISH) -> dict[str, Any]:
    found: dict[str, Any] = template(wish, REGION, NUMBER)["Resources"]
    return found


def test_only_sagemaker_may_assume_the_jobs_role() -> None:
    role = made()["ProcessingRole"]["Properties"]
    assert role["RoleName"] == NAMES.processing_role(REGION)
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert "ProcessingRole" not in made(WISH._replace(sagemaker=False)), "only on request"


@pytest.mark.parametrize(
    ("action", "resource", "is_allowed"),
    [
        ("s3:GetObject", "arn:aws:s3:::docs/in/a.pdf", True),
        ("s3:PutObject", "arn:aws:s3:::docs/out/a.md", True),
        ("s3:PutObject", "arn:aws:s3:::docs/in/a.pdf", False),
        ("s3:GetObject", "arn:aws:s3:::other/a.pdf", False),
        ("ecr:BatchGetImage", f"arn:aws:ecr:{REGION}:{NUMBER}:repository/pdfbatch", True),
        ("logs:CreateLogGroup", f"arn:aws:logs:{REGION}:{NUMBER}:log-group:/aws/sagemaker/ProcessingJobs", True),
        ("logs:PutLogEvents", f"arn:aws:logs:{REGION}:{NUMBER}:log-group:/aws/ec2/pdf-workers/pdfbatch", False),
        ("ec2:CreateNetworkInterface", "*", True),
        ("ec2:DeleteFleets", f"arn:aws:ec2:{REGION}:{NUMBER}:fleet/fleet-1", False),
        ("sagemaker:CreateProcessingJob", OWN, False),
    ],
)
def test_a_job_may_do_what_its_hosts_do(action: str, resource: str, is_allowed: bool) -> None:
    assert allows(JOB, action, resource, {"aws:ResourceTag/pdfbatch:stack": "pdfbatch"}) is is_allowed


@pytest.mark.parametrize(
    ("action", "resource", "is_allowed"),
    [
        ("sagemaker:CreateProcessingJob", OWN, True),
        ("sagemaker:AddTags", OWN, True),
        ("sagemaker:StopProcessingJob", OWN, True),
        ("sagemaker:StopProcessingJob", OWN.replace("pdfbatch-", "other-"), False),
        ("sagemaker:CreateTrainingJob", OWN, False),
        ("sagemaker:ListProcessingJobs", "*", True),
        ("servicequotas:ListServiceQuotas", "*", True),
        ("logs:FilterLogEvents", f"arn:aws:logs:{REGION}:{NUMBER}:log-group:/aws/sagemaker/ProcessingJobs", True),
    ],
)
def test_a_launcher_may_run_the_stacks_jobs_and_no_others(action: str, resource: str, is_allowed: bool) -> None:
    assert allows(LAUNCHER, action, resource) is is_allowed


def test_a_launcher_may_give_the_jobs_role_to_sagemaker_only() -> None:
    assert allows(LAUNCHER, "iam:PassRole", ROLE, {"iam:PassedToService": "sagemaker.amazonaws.com"})
    assert not allows(LAUNCHER, "iam:PassRole", ROLE, {"iam:PassedToService": "ec2.amazonaws.com"})
    worker = f"arn:aws:iam::{NUMBER}:role/pdfbatch-us-east-1-worker"
    assert not allows(LAUNCHER, "iam:PassRole", worker, {"iam:PassedToService": "sagemaker.amazonaws.com"})


def test_a_launcher_may_make_every_call_of_the_package() -> None:
    calls = set()
    for path in (ROOT / "pdfbatch/fleet/sagemaker").glob("*.py"):
        pairs = re.findall(r"clients\.sagemaker\s*\.(?:get_paginator\(\s*\"(\w+)\"|(\w+))", path.read_text())
        calls |= {paginated or method for paginated, method in pairs}
    assert len(calls) == 5
    for call in calls:
        action = "".join(word.capitalize() for word in call.split("_"))
        assert allows(LAUNCHER, f"sagemaker:{action}", "*" if action == "ListProcessingJobs" else OWN), action


def test_the_policies_are_within_iams_limits_with_the_longest_name() -> None:
    names = Names("a" * 41)
    whole = of_jobs(launcher_policy(REGION, NUMBER, names, *PLACES, types=["g4dn.xlarge"]), REGION, NUMBER, names)
    assert "MakeFleet" not in {statement["Sid"] for statement in whole["Statement"]}
    assert len(json.dumps(whole, separators=(",", ":"))) <= MANAGED_POLICY_CHARACTERS
    job = job_policy(worker_policy(REGION, NUMBER, names, *PLACES), REGION, NUMBER)
    assert len(json.dumps(job, separators=(",", ":"))) <= ROLE_POLICY_CHARACTERS
    assert len(names.processing_job("20261128T020000.123Z-0abc")) <= 63
    assert len(names.processing_role("ap-southeast-1")) <= 64


def test_people_are_told_when_a_job_of_the_stack_fails_or_is_stopped() -> None:
    rule = made()["ProcessingRule"]["Properties"]
    detail = rule["EventPattern"]["detail"]
    assert detail["ProcessingJobStatus"] == ["Failed", "Stopped"]
    assert NAMES.processing_job("20261128T020000.123Z-0abc").startswith(detail["ProcessingJobName"][0]["prefix"])
    publishers = json.dumps(made()["TopicPolicy"])
    assert "ProcessingRule" in publishers and "FleetRule" in publishers
    assert "ProcessingRule" not in made(WISH._replace(email=""))
    assert "ProcessingRule" not in json.dumps(made(WISH._replace(sagemaker=False)))


def test_a_later_setup_keeps_the_role() -> None:
    before = wish_in(template(WISH, REGION, NUMBER), NAMES)
    assert before.sagemaker and merged(before, SetupWish(inputs=("s3://docs/more/",))).sagemaker

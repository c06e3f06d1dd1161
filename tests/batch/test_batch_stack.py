"""What `setup --batch` adds to the stack, and what the policies of its roles and of its users allow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pdfbatch.fleet.batch.policy import batch_launcher_policy
from pdfbatch.fleet.names import TAG_STACK, Names
from pdfbatch.fleet.policies import MANAGED_POLICY_CHARACTERS, ROLE_POLICY_CHARACTERS, launcher_policy
from pdfbatch.fleet.template import INLINE_BYTES, SetupWish, as_text, merged, template, wish_in
from tests.fleet.linted import findings
from tests.fleet.policy_evaluation import allows

REGION, NUMBER = "us-east-1", "123456789012"
WISH = SetupWish(
    inputs=("s3://docs/in/",),
    outputs=("s3://docs/out/",),
    secrets=("arn:aws:secretsmanager:us-east-1:123456789012:secret:pdf-passwords-AbCdEf",),
    batch_types=("g4dn.xlarge", "g5.xlarge"),
    batch_subnets=("subnet-1234abcd", "subnet-5678abcd"),
    batch_vcpus=256,
)
BATCH = f"arn:aws:batch:{REGION}:{NUMBER}"
LAUNCHER = batch_launcher_policy(
    launcher_policy(REGION, NUMBER, Names(), ["s3://docs/in/"], ["s3://docs/out/"]), REGION, NUMBER, Names()
)
JOB_ROLE = f"arn:aws:iam::{NUMBER}:role/pdfbatch-{REGION}-job"


def resources(wish: SetupWish = WISH, region: str = REGION) -> dict[str, Any]:
    found: dict[str, Any] = template(wish, region, NUMBER)["Resources"]
    return found


def job_policy() -> dict[str, Any]:
    (policy,) = resources()["JobRole"]["Properties"]["Policies"]
    found: dict[str, Any] = policy["PolicyDocument"]
    return found


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1"])
def test_cfn_lint_finds_nothing(region: str) -> None:
    assert findings(template(WISH, region, NUMBER), region) == []


def test_without_batch_nothing_of_it_is_there_and_a_second_setup_keeps_it() -> None:
    plain = WISH._replace(batch_types=())
    assert not [each for each in resources(plain).values() if each["Type"].startswith("AWS::Batch::")]
    assert (
        merged(WISH, SetupWish(inputs=("s3://more/in/",), outputs=("s3://docs/out/",))).batch_types == WISH.batch_types
    )
    assert wish_in(json.loads(json.dumps(template(WISH, REGION, NUMBER))), WISH.names) == WISH


def test_the_environment_is_spot_without_instances_while_idle_and_is_updated_in_place() -> None:
    properties = resources()["ComputeEnvironment"]["Properties"]
    compute = properties["ComputeResources"]
    assert (compute["Type"], compute["MinvCpus"], compute["MaxvCpus"]) == ("SPOT", 0, 256)
    assert compute["AllocationStrategy"] == "SPOT_PRICE_CAPACITY_OPTIMIZED" and "BidPercentage" not in compute
    assert properties["ReplaceComputeEnvironment"] is False and "ServiceRole" not in properties
    assert properties["ComputeEnvironmentName"] == Names().job_queue
    data = resources()["HostTemplate"]["Properties"]["LaunchTemplateData"]
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] and data["MetadataOptions"]["HttpTokens"] == "required"


def test_a_job_that_can_never_start_is_cancelled_and_one_that_waits_for_capacity_is_not() -> None:
    actions = resources()["JobQueue"]["Properties"]["JobStateTimeLimitActions"]
    assert all(each["Reason"].startswith("MISCONFIGURATION:") and each["MaxTimeSeconds"] >= 600 for each in actions)


def test_it_is_small_enough_to_be_sent_inline() -> None:
    many = WISH._replace(inputs=tuple(f"s3://a-bucket-of-documents-{i}/a/folder/in/it/" for i in range(50)))
    text = as_text(template(many, REGION, NUMBER))
    assert len(text) < INLINE_BYTES and json.loads(text) == json.loads(json.dumps(template(many, REGION, NUMBER)))
    assert as_text(template(WISH, REGION, NUMBER)).count("\n") > 100, "as people read it, where that fits"


def test_a_job_may_do_what_a_fleets_worker_may_but_for_the_fleet() -> None:
    policy = job_policy()
    assert allows(policy, "s3:GetObject", "arn:aws:s3:::docs/in/a.pdf")
    assert allows(policy, "s3:PutObject", "arn:aws:s3:::docs/out/a.md")
    assert allows(policy, "secretsmanager:GetSecretValue", WISH.secrets[0])
    assert allows(policy, "sns:Publish", f"arn:aws:sns:{REGION}:{NUMBER}:pdfbatch")
    assert allows(policy, "ec2:DescribeSpotPriceHistory")
    ours = {f"aws:ResourceTag/{TAG_STACK}": "pdfbatch"}
    for action in ("ec2:DeleteFleets", "ec2:TerminateInstances", "ec2:DescribeInstances", "sqs:ReceiveMessage"):
        assert not allows(policy, action, "*", ours)
    assert len(json.dumps(policy, separators=(",", ":"))) < ROLE_POLICY_CHARACTERS
    trust = resources()["JobRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    assert trust == {"Service": "ecs-tasks.amazonaws.com"}


def test_a_user_may_run_and_end_jobs_of_the_stack_only() -> None:
    policy = LAUNCHER
    tagged = {f"aws:RequestTag/{TAG_STACK}": "pdfbatch"}
    own, other = ({f"aws:ResourceTag/{TAG_STACK}": stack} for stack in ("pdfbatch", "another"))
    assert allows(policy, "batch:RegisterJobDefinition", f"{BATCH}:job-definition/pdfbatch_R")
    assert allows(policy, "batch:DeregisterJobDefinition", f"{BATCH}:job-definition/pdfbatch_R:1")
    assert not allows(policy, "batch:RegisterJobDefinition", f"{BATCH}:job-definition/orders")
    for resource in (f"{BATCH}:job-definition/pdfbatch_R:1", f"{BATCH}:job-queue/pdfbatch"):
        assert allows(policy, "batch:SubmitJob", resource, tagged) and not allows(policy, "batch:SubmitJob", resource)
    assert not allows(policy, "batch:SubmitJob", f"{BATCH}:job-queue/orders", tagged)
    assert allows(policy, "batch:TagResource", f"{BATCH}:job/1", tagged)
    assert allows(policy, "batch:TerminateJob", f"{BATCH}:job/1", own)
    assert not allows(policy, "batch:TerminateJob", f"{BATCH}:job/1", other)
    assert allows(policy, "batch:DescribeJobs") and allows(policy, "batch:ListJobs")
    assert allows(policy, "iam:PassRole", JOB_ROLE, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})
    assert not allows(policy, "iam:PassRole", JOB_ROLE, {"iam:PassedToService": "ec2.amazonaws.com"})


def test_a_user_of_batch_needs_nothing_of_fleets_and_the_policy_fits_into_a_managed_one() -> None:
    for action in ("ec2:CreateFleet", "ec2:RunInstances", "ec2:CreateLaunchTemplate", "sqs:CreateQueue"):
        assert not allows(LAUNCHER, action, "*", {f"aws:RequestTag/{TAG_STACK}": "pdfbatch"})
    assert allows(LAUNCHER, "s3:PutObject", "arn:aws:s3:::docs/out/a.md") and allows(LAUNCHER, "ec2:DescribeSubnets")
    assert len(json.dumps(LAUNCHER, separators=(",", ":"))) <= MANAGED_POLICY_CHARACTERS

"""What the two policies allow and deny, by our own evaluation, and by moto's for what moto enforces."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pdfbatch.errors import UsageError
from pdfbatch.fleet.names import TAG_STACK, Names
from pdfbatch.fleet.policies import (
    MANAGED_POLICY_CHARACTERS,
    ROLE_POLICY_CHARACTERS,
    BucketPlace,
    Policy,
    launcher_policy,
    place,
    worker_policy,
)
from tests.fleet.conftest import TRUST, Account
from tests.fleet.policy_evaluation import allows

ROOT = Path(__file__).parents[2]
REGION, NUMBER, NAMES = "us-east-1", "123456789012", Names()
PLACES = (["s3://docs/in/"], ["s3://docs/out/"], ["s3://models/dolphin/"])
WORKER = worker_policy(REGION, NUMBER, NAMES, *PLACES)
LAUNCHER = launcher_policy(REGION, NUMBER, NAMES, *PLACES)
FLEET = f"arn:aws:ec2:{REGION}:{NUMBER}:fleet/fleet-1"
MACHINE = f"arn:aws:ec2:{REGION}:{NUMBER}:instance/i-1"
TEMPLATE = f"arn:aws:ec2:{REGION}:{NUMBER}:launch-template/lt-1"
GROUP = f"arn:aws:logs:{REGION}:{NUMBER}:log-group:/aws/ec2/pdf-workers/pdfbatch"
IMAGES = f"arn:aws:ecr:{REGION}:{NUMBER}:repository/pdfbatch"
TOPIC = f"arn:aws:sns:{REGION}:{NUMBER}:pdfbatch"
QUEUE = f"arn:aws:sqs:{REGION}:{NUMBER}:pdfbatch_20261125T194500-000Z-9f3c"
OTHER_QUEUES = [f"arn:aws:sqs:{REGION}:{NUMBER}:{name}" for name in ("pdfbatch-dev_2026", "pdfbatch", "orders")]
OURS = {f"aws:ResourceTag/{TAG_STACK}": "pdfbatch"}
OTHERS = {f"aws:ResourceTag/{TAG_STACK}": "another"}
STATE = "arn:aws:s3:::docs/out/.pdfbatch/20261125T194500Z/"

Call = tuple[str, str, dict[str, str]]
BOOT_CALLS: dict[str, list[Call]] = {
    "s3api put-object": [("s3:PutObject", f"{STATE}boots/worker-0/20261125T194500Z_i-1_g4dn.xlarge_us-east-1a", {})],
    "s3api get-object": [("s3:GetObject", f"{STATE}done/worker-0.json", {})],
    "s3api head-object": [("s3:GetObject", f"{STATE}manifest.json.gz", {})],
    "s3api list-objects-v2": [
        ("s3:ListBucket", "arn:aws:s3:::docs", {"s3:prefix": "out/.pdfbatch/R/strikes/worker-0/"})
    ],
    "s3 cp": [
        ("s3:ListBucket", "arn:aws:s3:::docs", {"s3:prefix": "out/.pdfbatch/R/done/"}),
        ("s3:GetObject", f"{STATE}done/worker-1.json", {}),
        ("s3:PutObject", f"{STATE}logs/worker-0/i-1.log", {}),
    ],
    "sns publish": [("sns:Publish", TOPIC, {})],
    "ec2 describe-tags": [("ec2:DescribeTags", "*", {})],
    "ec2 delete-fleets": [("ec2:DeleteFleets", FLEET, OURS), ("ec2:TerminateInstances", MACHINE, OURS)],
    "ec2 modify-fleet": [("ec2:ModifyFleet", FLEET, OURS)],
    "ec2 create-tags": [("ec2:CreateTags", FLEET, OURS | {"aws:TagKeys": "pdfbatch:boots-in-vain"})],
    "s3api delete-object": [("s3:DeleteObject", f"{STATE}strikes/worker-0/20261125T194500Z_i-1", {})],
    "ecr get-login-password": [("ecr:GetAuthorizationToken", "*", {})],
}
"""What each of boot.sh's commands asks of IAM."""
DOCKER_CALLS: list[Call] = [
    ("ecr:BatchGetImage", IMAGES, {}),
    ("ecr:GetDownloadUrlForLayer", IMAGES, {}),
    ("logs:CreateLogStream", GROUP, {}),
    ("logs:PutLogEvents", f"{GROUP}:log-stream:R/worker-0/i-1", {}),
]
WORKER_CALLS: list[Call] = [
    *((f"sqs:{action}", QUEUE, {}) for action in ("ReceiveMessage", "DeleteMessage", "SendMessage", "DeleteQueue")),
    *((f"sqs:{action}", f"{QUEUE}_dead", {}) for action in ("ChangeMessageVisibility", "GetQueueAttributes")),
    ("s3:GetObject", "arn:aws:s3:::docs/in/a/b.pdf", {}),
    ("s3:GetObject", "arn:aws:s3:::models/dolphin/model.safetensors", {}),
    ("s3:ListBucket", "arn:aws:s3:::models", {"s3:prefix": "dolphin/"}),
    ("s3:ListBucket", "arn:aws:s3:::docs", {"s3:prefix": "in/"}),
    ("s3:ListBucket", "arn:aws:s3:::docs", {"s3:prefix": "out/a/missing.md"}),  # S3 asks this before it says 404
    ("s3:PutObject", "arn:aws:s3:::docs/out/a/b.md", {}),
    ("s3:PutObject", f"{STATE}workers/worker-0.json", {}),
    ("s3:DeleteObject", f"{STATE}checkpoints/abc/000001.json", {}),
    ("s3:AbortMultipartUpload", "arn:aws:s3:::docs/out/a/b.md", {}),
    ("s3:ListBucket", "arn:aws:s3:::docs", {}),  # in case S3 asks without a prefix before it says 404
    ("ec2:DescribeFleetHistory", "*", {}),
    ("ec2:DescribeSpotPriceHistory", "*", {}),
]
FORBIDDEN: list[Call] = [
    ("s3:GetObject", "arn:aws:s3:::docs/secret.pdf", {}),
    ("s3:GetObject", "arn:aws:s3:::docs/input-of-others/a.pdf", {}),
    ("s3:GetObject", "arn:aws:s3:::other/in/a/b.pdf", {}),
    ("s3:GetObject", "arn:aws:s3:::docs-2/in/a/b.pdf", {}),
    ("s3:PutObject", "arn:aws:s3:::docs/in/a/b.pdf", {}),
    ("s3:DeleteObject", "arn:aws:s3:::docs/in/a/b.pdf", {}),
    ("s3:PutObject", "arn:aws:s3:::models/dolphin/model.safetensors", {}),
    ("s3:PutObject", "arn:aws:s3:::other/out/a/b.md", {}),
    ("s3:DeleteBucket", "arn:aws:s3:::docs", {}),
    ("s3:ListBucket", "arn:aws:s3:::models", {"s3:prefix": "secret/"}),
    ("s3:ListBucket", "arn:aws:s3:::models", {}),
    ("ec2:CreateTags", FLEET, {**OURS, "aws:TagKeys": "pdfbatch:stack"}),
    ("ec2:CreateTags", FLEET, {**OTHERS, "aws:TagKeys": "pdfbatch:boots-in-vain"}),
    ("ec2:CreateTags", FLEET, OURS),
    ("s3:ListBucket", "arn:aws:s3:::other", {"s3:prefix": "in/"}),
    ("ec2:DeleteFleets", FLEET, OTHERS),
    ("ec2:DeleteFleets", FLEET, {}),
    ("ec2:DeleteFleets", FLEET.replace(NUMBER, "210987654321"), OURS),
    ("ec2:DeleteFleets", FLEET.replace(REGION, "eu-west-1"), OURS),
    ("ec2:ModifyFleet", FLEET, OTHERS),
    ("ec2:TerminateInstances", MACHINE, OTHERS),
    ("ec2:TerminateInstances", MACHINE, {}),
    ("ec2:RunInstances", MACHINE, OURS),
    ("ec2:CreateFleet", FLEET, OURS),
    ("ec2:CreateTags", MACHINE, OURS),
    ("iam:PassRole", f"arn:aws:iam::{NUMBER}:role/pdfbatch-us-east-1-worker", {}),
    ("logs:PutLogEvents", f"{GROUP}-2:log-stream:a", {}),
    ("logs:DeleteLogGroup", GROUP, {}),
    ("ecr:PutImage", IMAGES, {}),
    ("ecr:BatchGetImage", f"{IMAGES}-2", {}),
    ("sns:Publish", f"{TOPIC}-2", {}),
]


def size(policy: dict[str, Any]) -> int:
    return len(re.sub(r"\s", "", json.dumps(policy)))


@pytest.mark.parametrize("call", [*(call for calls in BOOT_CALLS.values() for call in calls), *DOCKER_CALLS])
def test_an_instance_may_do_what_its_boot_script_does(call: Call) -> None:
    assert allows(WORKER, *call)


def test_no_command_of_the_boot_script_is_forgotten_here() -> None:
    text = (ROOT / "userdata" / "boot.sh").read_text()
    commands = re.findall(r"\baws (s3api|s3|ec2|ecr|sns|logs|sts|ssm) ([a-z0-9-]+)", text)
    assert {" ".join(command) for command in commands} <= set(BOOT_CALLS)


@pytest.mark.parametrize("call", WORKER_CALLS)
def test_a_worker_may_do_what_it_does(call: Call) -> None:
    assert allows(WORKER, *call)


@pytest.mark.parametrize("call", FORBIDDEN)
def test_a_worker_has_no_access_to_other_buckets_prefixes_stacks_or_untagged_resources(call: Call) -> None:
    assert not allows(WORKER, *call)


def test_a_url_may_be_a_whole_bucket() -> None:
    policy = worker_policy(REGION, NUMBER, NAMES, ["s3://docs"], ["s3://results/"])
    assert allows(policy, "s3:GetObject", "arn:aws:s3:::docs/any/where.pdf")
    assert allows(policy, "s3:ListBucket", "arn:aws:s3:::docs")
    assert not allows(policy, "s3:PutObject", "arn:aws:s3:::docs/any/where.pdf")


def test_iam_wildcards_in_a_prefix_match_literally() -> None:
    policy = worker_policy(REGION, NUMBER, NAMES, ["s3://docs/what?*/$1/"], ["s3://docs/out/"])
    assert allows(policy, "s3:GetObject", "arn:aws:s3:::docs/what?*/$1/a.pdf")
    assert allows(policy, "s3:ListBucket", "arn:aws:s3:::docs", {"s3:prefix": "what?*/$1/"})
    assert not allows(policy, "s3:GetObject", "arn:aws:s3:::docs/whatever/$1/a.pdf")


KEY = f"arn:aws:kms:eu-west-1:{NUMBER}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize("make", [worker_policy, launcher_policy])
def test_a_key_may_be_used_only_through_s3_of_its_own_region(make: Callable[..., Policy]) -> None:
    policy = make(REGION, NUMBER, NAMES, *PLACES, [KEY])
    via = {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}
    assert allows(policy, "kms:Decrypt", KEY, via)
    assert allows(policy, "kms:GenerateDataKey", KEY, via)
    assert not allows(policy, "kms:Decrypt", KEY, {})
    assert not allows(policy, "kms:Decrypt", KEY, {"kms:ViaService": f"s3.{REGION}.amazonaws.com"})
    assert not allows(policy, "kms:Decrypt", KEY, {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"})
    assert not allows(policy, "kms:Decrypt", f"{KEY}-2", via)
    assert not allows(policy, "kms:ScheduleKeyDeletion", KEY, via)


def test_in_china_either_service_name_of_s3_may_use_a_key() -> None:
    key = f"arn:aws-cn:kms:cn-north-1:{NUMBER}:key/1234"
    policy = worker_policy("cn-north-1", NUMBER, NAMES, *PLACES, [key])
    for service in ("s3.cn-north-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn"):
        assert allows(policy, "kms:Decrypt", key, {"kms:ViaService": service})


@pytest.mark.parametrize("key", ["1234abcd", "alias/mine", f"arn:aws:kms:eu-west-1:{NUMBER}:alias/mine", f"{KEY}*"])
def test_an_invalid_key_arn_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="is not the ARN of a KMS key"):
        worker_policy(REGION, NUMBER, NAMES, *PLACES, [key])


def test_a_prefix_inside_another_one_adds_no_statement() -> None:
    one = worker_policy(REGION, NUMBER, NAMES, ["s3://docs/in/"], ["s3://docs/out/"])
    assert worker_policy(REGION, NUMBER, NAMES, ["s3://docs/in/", "s3://docs/in/2026/"], ["s3://docs/out/"]) == one


def test_a_prefix_covers_what_is_below_it_and_nothing_beside_it() -> None:
    assert place("s3://docs/in").covers(place("s3://docs/in/2026/"))
    assert place("s3://docs").covers(place("s3://docs/in/"))
    assert not place("s3://docs/in/").covers(BucketPlace("docs", "input/"))
    assert not place("s3://docs/in/").covers(place("s3://docs"))
    assert not place("s3://docs/in/").covers(place("s3://other/in/"))


def test_a_local_folder_is_refused_for_a_fleet(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a fleet cannot reach it"):
        worker_policy(REGION, NUMBER, NAMES, [str(tmp_path)], ["s3://docs/out/"])


@pytest.mark.parametrize("names", [NAMES, Names.checked("stack-named-as-long-as-names-are-allowed2")])
def test_both_policies_are_within_iams_limits(names: Names) -> None:
    inputs = [f"s3://a-bucket-with-a-rather-long-name-{i}/a/folder/within/it/{i}/" for i in range(3)]
    types = ["g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge", "g6.xlarge"]
    assert (
        size(launcher_policy(REGION, NUMBER, names, inputs, inputs, types=types, on_demand=True))
        <= MANAGED_POLICY_CHARACTERS
    )
    assert size(worker_policy(REGION, NUMBER, names, inputs * 3, inputs)) <= ROLE_POLICY_CHARACTERS


WISH = {f"aws:RequestTag/{TAG_STACK}": "pdfbatch"}
ROLE = f"arn:aws:iam::{NUMBER}:role/pdfbatch-us-east-1-worker"
FROM_TEMPLATE = {"ec2:LaunchTemplate": TEMPLATE}
SPOT = {**FROM_TEMPLATE, "ec2:InstanceMarketType": "spot", "ec2:InstanceType": "g4dn.xlarge"}
ON_DEMAND = {**SPOT, "ec2:InstanceMarketType": "on-demand"}
FOR_EC2 = {"iam:PassedToService": "ec2.amazonaws.com"}
SPOT_ROLE = f"arn:aws:iam::{NUMBER}:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"


STACK = f"arn:aws:cloudformation:{REGION}:{NUMBER}:stack/pdfbatch/1"
LAUNCHER_CALLS: list[Call] = [
    *((f"sqs:{action}", QUEUE, {}) for action in ("CreateQueue", "TagQueue", "SendMessage", "DeleteQueue")),
    *((f"sqs:{action}", QUEUE, {}) for action in ("GetQueueAttributes", "SetQueueAttributes", "ListQueueTags")),
    ("sqs:ListQueues", "*", {}),
    ("ec2:CreateLaunchTemplate", TEMPLATE, WISH),
    ("ec2:CreateFleet", FLEET, WISH),
    ("ec2:CreateFleet", TEMPLATE, OURS),
    ("ec2:RunInstances", TEMPLATE, OURS),
    ("ec2:RunInstances", MACHINE, SPOT),  # by RunInstances itself (DryRun)
    ("ec2:RunInstances", MACHINE, FROM_TEMPLATE),  # by CreateFleet, should it tell no more
    ("ec2:CreateFleet", MACHINE, {}),
    ("ec2:RunInstances", f"arn:aws:ec2:{REGION}::image/ami-1", {}),
    ("ec2:CreateTags", FLEET, {**WISH, "ec2:CreateAction": "CreateFleet"}),
    ("ec2:DeleteFleets", FLEET, OURS),
    ("ec2:DeleteLaunchTemplate", TEMPLATE, OURS),
    ("ec2:TerminateInstances", MACHINE, OURS),
    ("iam:PassRole", ROLE, FOR_EC2),
    ("iam:CreateServiceLinkedRole", SPOT_ROLE, {"iam:AWSServiceName": "spot.amazonaws.com"}),
    ("iam:GetRole", SPOT_ROLE, {}),
    ("s3:GetBucketLocation", "arn:aws:s3:::docs", {}),
    ("s3:PutObject", f"{STATE}manifest.json.gz", {}),
    ("s3:DeleteObject", "arn:aws:s3:::docs/out/.pdfbatch/probe/1", {}),
    ("iam:GetRole", ROLE, {}),
    ("iam:GetInstanceProfile", ROLE.replace(":role/", ":instance-profile/"), {}),
    ("s3:GetEncryptionConfiguration", "arn:aws:s3:::docs", {}),
    ("s3:ListBucket", "arn:aws:s3:::docs", {}),
    ("s3:GetObject", "arn:aws:s3:::docs/in/a.pdf", {}),
    ("cloudformation:DescribeStacks", STACK, {}),
    ("cloudformation:GetTemplate", STACK, {}),
    ("ecr:DescribeImages", IMAGES, {}),
    ("ecr:DescribeRepositories", IMAGES, {}),
    ("logs:FilterLogEvents", GROUP, {}),
    ("logs:FilterLogEvents", f"{GROUP}:log-stream:R/worker-0/i-1", {}),
    ("sns:GetTopicAttributes", TOPIC, {}),
    ("sns:ListSubscriptionsByTopic", TOPIC, {}),
    ("budgets:ViewBudget", f"arn:aws:budgets::{NUMBER}:budget/{NAMES.budget(REGION)}", {}),
    ("ssm:GetParameter", f"arn:aws:ssm:{REGION}::parameter/aws/service/deeplearning/ami/x86_64/id", {}),
]


@pytest.mark.parametrize("call", LAUNCHER_CALLS)
def test_a_launcher_may_create_and_delete_the_stacks_resources(call: Call) -> None:
    assert allows(LAUNCHER, *call)


@pytest.mark.parametrize(
    "call",
    [
        ("ec2:CreateLaunchTemplate", TEMPLATE, {}),
        ("ec2:CreateFleet", FLEET, {f"aws:RequestTag/{TAG_STACK}": "another"}),
        ("ec2:CreateFleet", TEMPLATE, OTHERS),
        ("ec2:RunInstances", TEMPLATE, {}),
        ("ec2:RunInstances", TEMPLATE, OTHERS),
        ("ec2:RunInstances", MACHINE, {}),
        ("ec2:RunInstances", MACHINE, {"ec2:InstanceMarketType": "spot"}),
        ("ec2:RunInstances", MACHINE, ON_DEMAND),
        ("ec2:RunInstances", MACHINE, {**SPOT, "ec2:LaunchTemplate": TEMPLATE.replace(NUMBER, "210987654321")}),
        ("ec2:RunInstances", MACHINE, {**SPOT, "ec2:LaunchTemplate": TEMPLATE.replace(REGION, "eu-west-1")}),
        ("ec2:RunInstances", MACHINE.replace(NUMBER, "210987654321"), SPOT),
        ("ec2:CreateTags", MACHINE, WISH),  # on a machine that is there already: that would make it the stack's
        ("ec2:DeleteFleets", FLEET, OTHERS),
        ("ec2:TerminateInstances", MACHINE, {}),
        ("iam:PassRole", ROLE, {}),
        ("iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
        ("iam:PassRole", f"arn:aws:iam::{NUMBER}:role/admin", FOR_EC2),
        ("iam:PutRolePolicy", ROLE, {}),
        ("iam:CreateServiceLinkedRole", SPOT_ROLE, {"iam:AWSServiceName": "es.amazonaws.com"}),
        ("s3:PutObject", "arn:aws:s3:::docs/in/a.pdf", {}),
        ("s3:GetObject", "arn:aws:s3:::other/in/a.pdf", {}),
        ("cloudformation:DeleteStack", f"arn:aws:cloudformation:{REGION}:{NUMBER}:stack/pdfbatch/1", {}),
        ("ecr:PutImage", IMAGES, {}),
    ],
)
def test_a_launcher_may_not_touch_other_resources(call: Call) -> None:
    assert not allows(LAUNCHER, *call)


def test_only_the_given_types_may_be_launched() -> None:
    policy = launcher_policy(REGION, NUMBER, NAMES, *PLACES, types=["g4dn.xlarge", "g5.xlarge"])
    for kind in ("g4dn.xlarge", "g5.xlarge"):
        assert allows(policy, "ec2:RunInstances", MACHINE, {**SPOT, "ec2:InstanceType": kind})
    assert not allows(policy, "ec2:RunInstances", MACHINE, {**SPOT, "ec2:InstanceType": "p5.48xlarge"})


def test_on_demand_instances_may_be_launched_only_on_request() -> None:
    policy = launcher_policy(REGION, NUMBER, NAMES, *PLACES, types=["g4dn.xlarge"], on_demand=True)
    assert allows(policy, "ec2:RunInstances", MACHINE, ON_DEMAND)
    assert allows(policy, "ec2:RunInstances", MACHINE, SPOT)
    assert not allows(policy, "ec2:RunInstances", MACHINE, {**ON_DEMAND, "ec2:InstanceMarketType": "capacity-block"})
    assert not allows(policy, "ec2:RunInstances", MACHINE, {**ON_DEMAND, "ec2:InstanceType": "p5.48xlarge"})


def calls_of_the_fleet() -> set[str]:
    """`service:operation` of each AWS call in the fleet's rooms, as our clients name them; all but those of setup."""
    found = set()
    for path in (ROOT / "pdfbatch" / "fleet").glob("*.py"):
        if path.name != "setup.py":
            pairs = re.findall(r"clients\.(\w+)\s*\.(?:get_paginator\(\s*\"(\w+)\"|(\w+))", path.read_text())
            found |= {f"{service}:{paginated or method}" for service, paginated, method in pairs}
    return {call for call in found if not call.startswith(("region:", "account:"))}


UNLIKE = {
    "budgets:describe_budget": "budgets:ViewBudget",
    "sts:get_caller_identity": "",  # is never denied
    "s3:get_bucket_notification_configuration": "s3:GetBucketNotification",
    "s3:put_bucket_notification_configuration": "s3:PutBucketNotification",
}


def test_a_launcher_may_make_every_call_of_the_fleet_package() -> None:
    """Each at the resources of the examples above; where there is none it is a call that knows no resources."""
    calls, policy = calls_of_the_fleet(), launcher_policy(REGION, NUMBER, NAMES, *PLACES, watches=True)
    assert len(calls) > 15
    for action in {UNLIKE.get(call, as_action(call)) for call in calls} - {""}:
        anywhere = "arn:aws:s3:::docs" if action.startswith("s3:") else "*"
        examples = [call for call in LAUNCHER_CALLS if call[0] == action] or [(action, anywhere, {})]
        assert all(allows(policy, *call) for call in examples), action


def as_action(call: str) -> str:
    service, _, method = call.partition(":")
    prefix = {"quotas": "servicequotas", "price_list": "pricing"}.get(service, service)
    return f"{prefix}:{''.join(word.capitalize() for word in method.split('_'))}".replace("Aws", "AWS")


@pytest.mark.parametrize("queue", OTHER_QUEUES)
@pytest.mark.parametrize("action", ["ReceiveMessage", "SendMessage", "DeleteQueue"])
def test_nobody_may_touch_queues_of_others(queue: str, action: str) -> None:
    assert not allows(WORKER, f"sqs:{action}", queue) and not allows(LAUNCHER, f"sqs:{action}", queue)
    assert not allows(WORKER, "sqs:CreateQueue", QUEUE)


@pytest.fixture
def enforced(account: Account) -> Iterator[Account]:
    """An account with the worker's role where moto enforces IAM as soon as a call is not the administrator's."""
    iam = account.client("iam")
    account.bucket("docs")
    account.bucket("other")
    number = account.client("sts").get_caller_identity()["Account"]
    iam.create_role(RoleName=NAMES.role(REGION), AssumeRolePolicyDocument=json.dumps(TRUST))
    policy = worker_policy(REGION, number, NAMES, *PLACES)
    iam.put_role_policy(RoleName=NAMES.role(REGION), PolicyName="worker", PolicyDocument=json.dumps(policy))
    yield account
    enforce(account, "inf")


def enforce(account: Account, after: str) -> None:
    """From how many calls on."""
    plain = {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{account.endpoint}/moto-api/reset-auth", after.encode(), plain, method="POST")
    urllib.request.urlopen(request).close()


def test_motos_own_enforcement_agrees_about_objects(enforced: Account) -> None:
    """In real calls; but of few services besides S3 it knows the resources, and of conditions nothing."""
    number = enforced.client("sts").get_caller_identity()["Account"]
    role = f"arn:aws:iam::{number}:role/{NAMES.role(REGION)}"
    keys = enforced.client("sts").assume_role(RoleArn=role, RoleSessionName="worker")["Credentials"]
    enforce(enforced, "0")

    def as_worker(service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=enforced.endpoint,
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    s3 = as_worker("s3")
    s3.put_object(Bucket="docs", Key="out/a.md", Body=b"a")
    s3.get_object(Bucket="docs", Key="out/a.md")
    s3.delete_object(Bucket="docs", Key="out/a.md")
    denied: list[Any] = [
        lambda: s3.put_object(Bucket="docs", Key="in/a.pdf", Body=b"a"),
        lambda: s3.put_object(Bucket="other", Key="out/a.md", Body=b"a"),
        lambda: s3.delete_object(Bucket="docs", Key="in/a.pdf"),
        lambda: s3.get_object(Bucket="other", Key="in/a.pdf"),
        lambda: as_worker("iam").create_user(UserName="me"),
    ]
    for call in denied:
        with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
            call()

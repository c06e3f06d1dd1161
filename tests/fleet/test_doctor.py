"""The doctor on an empty account, on one after setup, and without permissions.

moto over HTTP with the quotas of tests/fleet/aws_server.py. What moto cannot make from a template (the budget, the
subscription, AWS's own roles under their right names) is made here by hand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest

from pdfbatch.errors import UsageError
from pdfbatch.fleet import doctor
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.doctor import Diagnosis
from pdfbatch.fleet.facts import Need
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.policies import SERVICE_ROLES, launcher_policy
from pdfbatch.fleet.requirements import REQUIREMENTS
from pdfbatch.fleet.setup import carry_out, delete, propose
from pdfbatch.fleet.template import SetupWish
from pdfbatch.fleet.values import Check, LaunchRequest
from tests.fleet.conftest import IMAGE_MANIFEST, SPOT_G_QUOTA, TRUST, Account

NAMES = Names()
PLACES = (["s3://docs/in/"], ["s3://docs/out/"])
SETUP = "pdfbatch setup --input s3://docs/in/ --output s3://docs/out/"
NUMBER = "123456789012"
TOPIC = f"arn:aws:sns:us-east-1:{NUMBER}:pdfbatch"

OF_FLEETS = [requirement.name for requirement in REQUIREMENTS if "spot" in requirement.ways]


@cache
def clients_at(endpoint: str) -> Clients:
    """Making clients takes longer than using them."""
    return Clients()


@pytest.fixture
def clients(account: Account) -> Clients:
    return clients_at(account.endpoint)


def diagnose(
    clients: Clients,
    names: Names,
    inputs: Sequence[str],
    outputs: Sequence[str],
    workers: int,
    types: Sequence[str],
    image: str = "",
) -> Diagnosis:
    wish = LaunchRequest(names=names, workers=workers, instance_types=types, image=image)
    return doctor.diagnose(clients, Need(wish, inputs, outputs), datetime.now(UTC))


def look(clients: Clients, workers: int = 5, types: tuple[str, ...] = ("g4dn.xlarge",), image: str = "") -> Diagnosis:
    return diagnose(clients, NAMES, *PLACES, workers, types, image)


def check(diagnosis: Diagnosis, name: str) -> Check:
    (found,) = [check for check in diagnosis.checks if check.name == name]
    return found


def set_up(clients: Clients) -> None:
    wish = SetupWish(NAMES, tuple(PLACES[0]), tuple(PLACES[1]), email="me@example.org", budget_dollars=50.0)
    carry_out(clients, propose(clients, wish, lambda _: None), lambda _: None)


def add_what_moto_leaves_out(account: Account) -> None:
    for role, service in SERVICE_ROLES.items():
        account.client("iam").create_role(
            RoleName=role, Path=f"/aws-service-role/{service}/", AssumeRolePolicyDocument=json.dumps(TRUST)
        )
    account.client("sns").subscribe(TopicArn=TOPIC, Protocol="email", Endpoint="me@example.org")
    account.client("budgets").create_budget(
        AccountId=NUMBER,
        Budget={
            "BudgetName": NAMES.budget("us-east-1"),
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": "50", "Unit": "USD"},
        },
    )


def push_image(account: Account) -> None:
    account.client("ecr").put_image(
        repositoryName="pdfbatch", imageManifest=json.dumps(IMAGE_MANIFEST), imageTag="latest"
    )


def quota(account: Account, value: float) -> None:
    account.order("quota", {"code": SPOT_G_QUOTA, "value": value, "default": 0})


def test_on_an_empty_account_it_names_everything_missing_with_its_fix(account: Account, clients: Clients) -> None:
    quota(account, 0)
    diagnosis = look(clients)
    assert not diagnosis.ready
    cures = {check.name: check.hint for check in diagnosis.checks if check.state == "missing"}
    assert cures == {
        "quota": "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-3819A6DF "
        "--desired-value 20 --region us-east-1",
        "service-linked roles": SETUP,
        "worker role": SETUP,
        "role's policy": SETUP,
        "security group": SETUP,
        "log group": SETUP,
        "image repository": SETUP,
        "worker image": "Create it with `pdfbatch setup`, then push with `make image push`; or choose an image with "
        "--image.",
        "input": "aws s3 mb s3://docs",
        "output": "aws s3 mb s3://docs",
    }
    comforts = {check.name: check.hint for check in diagnosis.checks if check.state == "warning"}
    assert comforts == {
        "SNS topic": f"{SETUP} --email ADDRESS",
        "budget": f"{SETUP} --email ADDRESS --budget DOLLARS",
    }
    fine = {check.name for check in diagnosis.checks if check.state == "ok"}
    assert fine == {
        "region",
        "credentials",
        "instance types",
        "subnets",
        "AMI",
        "key pair",
        "bucket keys",
        "passwords",
        "events",
    }


def test_after_setup_it_passes_except_for_quota_and_image(account: Account, clients: Clients) -> None:
    account.bucket("docs")
    quota(account, 64)
    set_up(clients)
    add_what_moto_leaves_out(account)
    diagnosis = look(clients)
    assert {check.name for check in diagnosis.checks if check.state != "ok"} == {"worker image"}
    push_image(account)
    diagnosis = look(clients)
    assert {check.name for check in diagnosis.checks if check.state != "ok"} == set()
    assert diagnosis.ready
    assert all(check.hint == "" for check in diagnosis.checks)


def test_each_requirement_is_checked_once_and_reported_on_one_line(account: Account, clients: Clients) -> None:
    checks = look(clients).checks
    names = ["region", "credentials", *OF_FLEETS]
    assert [check.name for check in checks] == names
    assert all(check.found and "\n" not in check.found + check.hint for check in checks)


def test_it_changes_nothing(account: Account, clients: Clients) -> None:
    look(clients)
    actions = {call["action"] for call in account.calls()}
    assert {action for action in actions if not action.startswith(("Describe", "Get", "List"))} == set()


def test_the_policy_it_prints_allows_all_its_calls(account: Account, clients: Clients) -> None:
    account.bucket("docs")
    look(clients)
    policy = launcher_policy("us-east-1", NUMBER, NAMES, *PLACES)
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    unlike = {"DescribeBudget": "budgets:ViewBudget"}
    for call in account.calls():
        service, action = call["service"].replace("-", ""), call["action"]
        if service not in ("sts", "s3") and not (service == "ec2" and action.startswith("Describe")):
            needed = unlike.get(action, f"{service}:{action}")
            assert any(fnmatchcase(needed, pattern) for pattern in allowed), needed


def test_setup_delete_brings_the_gaps_back(account: Account, clients: Clients) -> None:
    set_up(clients)
    assert check(look(clients), "worker role").state == "ok"
    delete(clients, NAMES, lambda _: None)
    assert check(look(clients), "worker role").state == "missing"


def test_a_url_outside_the_roles_policy_is_named(account: Account, clients: Clients) -> None:
    set_up(clients)
    outside = diagnose(clients, NAMES, ["s3://docs/in/2026/", "s3://more/in/"], ["s3://docs/in/"], 1, ["g4dn.xlarge"])
    found = check(outside, "role's policy")
    assert found.state == "missing"
    assert found.found == "the role has no access to s3://more/in/, s3://docs/in/"  # reading in/ is not writing there
    assert "--input s3://more/in/" in found.hint


def test_a_role_that_setup_did_not_make_cannot_be_judged(account: Account, clients: Clients) -> None:
    account.ready()
    diagnosis = look(clients)
    assert check(diagnosis, "worker role").state == "ok"
    assert check(diagnosis, "role's policy").state == "unknown"


@pytest.mark.parametrize(
    ("value", "workers", "state", "said"),
    [
        (64.0, 16, "ok", "64 vCPUs, 0 in use, 64 needed"),
        (64.0, 17, "warning", "enough for 16 of 17 workers"),
        (3.0, 1, "missing", "3 vCPUs, 0 in use, 4 needed"),
    ],
)
def test_the_quota_is_compared_with_the_need(
    account: Account, clients: Clients, value: float, workers: int, state: str, said: str
) -> None:
    quota(account, value)
    found = check(look(clients, workers), "quota")
    assert found.state == state
    assert said in found.found
    assert ("--desired-value" in found.hint) == (state != "ok")


def test_types_of_many_sizes_are_counted_as_the_largest(account: Account, clients: Clients) -> None:
    quota(account, 64)
    found = check(look(clients, 5, ("g4dn.xlarge", "g4dn.4xlarge")), "quota")
    assert found.state == "warning"
    assert "80 needed: enough for 4 of 5 workers" in found.found


def test_an_unknown_type_is_a_usage_error(account: Account, clients: Clients) -> None:
    with pytest.raises(UsageError):
        look(clients, types=("g4dn.gigantic",))


def test_with_an_image_given_no_repository_is_needed(account: Account, clients: Clients) -> None:
    named = "ghcr.io/someone/pdfbatch@sha256:" + "a" * 64
    diagnosis = look(clients, image=named)
    assert check(diagnosis, "image repository").state == "ok"
    assert check(diagnosis, "worker image").found == named


def test_a_bucket_in_another_region_is_reported_with_its_region(account: Account, clients: Clients) -> None:
    elsewhere = {"LocationConstraint": "eu-central-1"}
    account.client("s3").create_bucket(Bucket="docs", CreateBucketConfiguration=elsewhere)
    found = check(look(clients), "input")
    assert found.state == "warning"
    assert "s3://docs/in/ is in eu-central-1" in found.found
    assert "AWS_DEFAULT_REGION=eu-central-1" in found.hint


class Unconfirmed(Clients):
    """Clients of an account with an unconfirmed subscription; moto confirms at once."""

    class sns:
        @classmethod
        def get_paginator(cls, _operation: str) -> Any:
            return cls

        @staticmethod
        def paginate(TopicArn: str) -> list[Any]:
            return [{"Subscriptions": [{"SubscriptionArn": "PendingConfirmation", "Endpoint": "me@example.org"}]}]


def test_a_topic_without_confirmed_subscribers_is_reported(account: Account, clients: Clients) -> None:
    account.client("sns").create_topic(Name="pdfbatch")
    assert check(look(clients), "SNS topic").found == "the topic pdfbatch has no subscribers"
    found = check(look(Unconfirmed()), "SNS topic")
    assert (found.state, found.found) == ("warning", "not confirmed: me@example.org")
    assert "Confirm the subscription email" in found.hint


def test_unlimited_log_retention_and_inbound_rules_are_reported(account: Account, clients: Clients) -> None:
    set_up(clients)
    account.client("logs").delete_retention_policy(logGroupName=NAMES.log_group)
    group = account.client("ec2").describe_security_groups(GroupNames=[NAMES.security_group])["SecurityGroups"][0]
    account.client("ec2").authorize_security_group_ingress(
        GroupId=group["GroupId"], IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    diagnosis = look(clients)
    assert check(diagnosis, "log group").hint.endswith("--retention-in-days 7")
    assert check(diagnosis, "security group").state == "warning"


def test_without_a_default_vpc_it_says_how_to_get_one(account: Account, clients: Clients) -> None:
    ec2 = account.client("ec2")
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    found = check(look(clients), "subnets")
    assert found.state == "missing"
    assert "aws ec2 create-default-vpc" in found.hint


def test_your_own_vpc_is_checked_instead(account: Account, clients: Clients) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone="us-east-1c")["Subnet"]["SubnetId"]
    wish = SetupWish(NAMES, tuple(PLACES[0]), tuple(PLACES[1]), vpc=vpc)
    carry_out(clients, propose(clients, wish, lambda _: None), lambda _: None)
    diagnosis = look(clients)
    assert check(diagnosis, "subnets").state == "missing" and "cannot reach S3" in check(diagnosis, "subnets").found
    account.give_a_way_out(vpc)
    ec2.modify_subnet_attribute(SubnetId=made, MapPublicIpOnLaunch={"Value": True})
    assert check(look(clients), "subnets").found == "one in each of us-east-1c (internet gateway)"
    assert vpc in check(diagnosis, "security group").found


DENIED = "AccessDeniedException"
QUESTIONS = {
    "DescribeSubnets": ("subnets", "ec2:DescribeSubnets"),
    "GetRole": ("service-linked roles", "iam:GetRole"),
    "DescribeLogGroups": ("log group", "logs:DescribeLogGroups"),
    "DescribeRepositories": ("image repository", "ecr:DescribeRepositories"),
    "DescribeBudget": ("budget", "budgets:ViewBudget"),
    "ListSubscriptionsByTopic": ("SNS topic", "sns:ListSubscriptionsByTopic"),
}


@pytest.mark.parametrize("action", QUESTIONS)
def test_what_may_not_be_checked_is_unknown_with_the_missing_permission(
    account: Account, clients: Clients, action: str
) -> None:
    name, permission = QUESTIONS[action]
    said = f"User: arn:aws:iam::{NUMBER}:user/me is not authorized to perform: {permission} on resource: *"
    account.order("faults", [{"action": action, "code": DENIED, "message": said, "times": 9}])
    found = check(look(clients), name)
    assert found.state == "unknown"
    assert permission in found.hint


def test_without_any_permission_nothing_is_reported_as_missing(account: Account, clients: Clients) -> None:
    account.bucket("docs")
    asked = diagnose(clients, NAMES, *PLACES, 5, ["g4dn.xlarge"], "")
    assert asked.checks
    actions = {call["action"] for call in account.calls()} - {"GetCallerIdentity"}
    account.order("faults", [denied(action) for action in actions])
    diagnosis = look(clients)
    assert diagnosis.ready
    assert {
        check.state
        for check in diagnosis.checks
        if check.name not in ("region", "credentials", "key pair", "passwords", "events", "input", "output")
    } == {"unknown"}


def denied(action: str) -> dict[str, Any]:
    said = f"User: me is not authorized to perform: x:{action}"
    return {"action": action, "code": DENIED, "message": said, "times": 99}


def test_without_credentials_nothing_else_can_be_checked(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    diagnosis = look(Clients())
    assert [check.state for check in diagnosis.checks] == ["ok", "missing", "unknown"]
    assert "aws configure" in diagnosis.checks[1].hint
    assert diagnosis.checks[2].found == "not checked without credentials"
    assert not diagnosis.ready


def test_without_a_region_the_credentials_are_checked(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    diagnosis = look(Clients())
    assert [(check.name, check.state) for check in diagnosis.checks] == [
        ("region", "missing"),
        ("credentials", "ok"),
        ("the rest", "unknown"),
    ]
    assert "export AWS_DEFAULT_REGION=" in diagnosis.checks[0].hint
    assert not diagnosis.ready


def test_without_a_region_everything_is_checked_in_that_of_the_bucket(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.bucket("docs")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    checks = look(Clients(bucket="docs")).checks
    assert [check.name for check in checks][2:] == OF_FLEETS
    assert (checks[0].state, checks[0].hint) == ("warning", "export AWS_DEFAULT_REGION=us-east-1")


def test_without_urls_it_says_how_to_pass_them(account: Account, clients: Clients) -> None:
    diagnosis = diagnose(clients, Names("scans"), [], [], 1, ["g4dn.xlarge"])
    assert check(diagnosis, "input").state == "unknown"
    assert check(diagnosis, "worker role").hint == (
        "pdfbatch setup --input s3://BUCKET/PDFS/ --output s3://BUCKET/MARKDOWN/ --stack scans"
    )

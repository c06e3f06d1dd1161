"""The CloudFormation template as text: cfn-lint, its contents, and how a second setup extends it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from moto.events.models import EventPattern

from pdfbatch.fleet.names import TAG_STACK, Names
from pdfbatch.fleet.policies import launcher_policy, worker_policy
from pdfbatch.fleet.template import INLINE_BYTES, SetupWish, as_text, merged, template, wish_in
from tests.fleet.linted import findings
from tests.fleet.policy_evaluation import allows

REGION, NUMBER = "us-east-1", "123456789012"
LEAST = SetupWish(inputs=("s3://docs/in/",), outputs=("s3://docs/out/",))
FULL = LEAST._replace(
    names=Names("scans"),
    models=("s3://docs/dolphin/",),
    email="me@example.org",
    budget_dollars=50.0,
    vpc="vpc-1234abcd",
    keys=("arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",),
    session_manager=True,
    sagemaker=True,
    schedules=25,
)


def resources(wish: SetupWish) -> dict[str, Any]:
    found: dict[str, Any] = template(wish, REGION, NUMBER)["Resources"]
    return found


@pytest.mark.parametrize("wish", [LEAST, FULL], ids=["least", "full"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"])
def test_cfn_lint_finds_nothing(wish: SetupWish, region: str) -> None:
    if region.startswith("us-gov-"):
        wish = wish._replace(budget_dollars=0.0)  # setup refuses one there
    assert findings(template(wish, region, NUMBER), region) == []


def test_cfn_lint_would_find_a_property_that_does_not_exist() -> None:
    wrong = template(LEAST, REGION, NUMBER)
    wrong["Resources"]["Topic"]["Properties"]["TopicTitle"] = "pdfbatch"
    (found,) = findings(wrong, REGION)
    assert "TopicTitle" in found


def test_it_is_small_enough_to_be_sent_inline() -> None:
    many = FULL._replace(inputs=tuple(f"s3://a-bucket-of-documents-{i}/a/folder/in/it/" for i in range(50)))
    text = as_text(template(many, REGION, NUMBER))
    assert len(text) < INLINE_BYTES and json.loads(text) == json.loads(json.dumps(template(many, REGION, NUMBER)))
    assert "\n  " in as_text(template(FULL, REGION, NUMBER)), "indented where there is room"


def test_a_minimal_setup_has_nothing_that_costs_money_or_sends_email() -> None:
    kinds = sorted(resource["Type"] for resource in resources(LEAST).values())
    assert kinds == [
        "AWS::EC2::SecurityGroup",
        "AWS::ECR::Repository",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
        "AWS::SNS::Topic",
    ]


@pytest.mark.parametrize("region", ["us-east-1", "ap-southeast-1", "us-isob-west-1"])
def test_no_role_has_a_longer_name_than_iam_allows_for_the_longest_stack(region: str) -> None:
    wish = FULL._replace(names=Names.checked("s" * 41), batch_types=("g4dn.xlarge",), batch_vcpus=4)
    made = template(wish, region, NUMBER)["Resources"].values()
    names = {each["Properties"]["RoleName"] for each in made if each["Type"] == "AWS::IAM::Role"}
    assert len(names) == 5
    assert max(map(len, names)) <= 64


def test_everything_has_the_name_that_the_fleet_looks_up() -> None:
    found, names = resources(FULL), FULL.names
    assert found["Role"]["Properties"]["RoleName"] == names.role(REGION) == "scans-us-east-1-worker"
    assert found["Profile"]["Properties"]["InstanceProfileName"] == names.role(REGION)
    assert found["SecurityGroup"]["Properties"]["GroupName"] == names.security_group
    assert found["LogGroup"]["Properties"]["LogGroupName"] == names.log_group
    assert found["Topic"]["Properties"]["TopicName"] == names.topic
    assert found["Repository"]["Properties"]["RepositoryName"] == names.repository
    assert found["Budget"]["Properties"]["Budget"]["BudgetName"] == names.budget(REGION)


UNTAGGED = ("AWS::IAM::InstanceProfile", "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy")
"""These take no tags."""


def test_everything_taggable_has_the_stacks_tag() -> None:
    tag = [{"Key": TAG_STACK, "Value": "scans"}]
    for name, resource in resources(FULL).items():
        if resource["Type"] not in UNTAGGED:
            properties = resource["Properties"]
            assert (properties.get("Tags") or properties.get("ResourceTags")) == tag, name


def test_the_security_group_has_no_inbound_rules() -> None:
    assert "SecurityGroupIngress" not in resources(FULL)["SecurityGroup"]["Properties"]
    assert resources(FULL)["SecurityGroup"]["Properties"]["VpcId"] == "vpc-1234abcd"
    assert "VpcId" not in resources(LEAST)["SecurityGroup"]["Properties"]


def test_the_role_has_the_workers_policy_and_only_instances_may_assume_it() -> None:
    role = resources(FULL)["Role"]["Properties"]
    (policy,) = role["Policies"]
    places = FULL.inputs, FULL.outputs, FULL.models, FULL.keys
    assert policy["PolicyDocument"] == worker_policy(REGION, NUMBER, FULL.names, *places)
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}


def test_the_role_has_the_session_manager_policy_only_on_request() -> None:
    managed = resources(FULL)["Role"]["Properties"]["ManagedPolicyArns"]
    assert managed == ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"]
    assert "ManagedPolicyArns" not in resources(LEAST)["Role"]["Properties"]
    assert merged(FULL, LEAST).session_manager and merged(LEAST, FULL).session_manager


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_in_china_and_govcloud_every_arn_has_their_partition(region: str, partition: str) -> None:
    wish = FULL._replace(keys=(f"arn:{partition}:kms:{region}:{NUMBER}:key/1234",))
    arns = re.findall(r"arn:[a-z-]*:", json.dumps(template(wish, region, NUMBER)))
    launcher = json.dumps(launcher_policy(region, NUMBER, wish.names, wish.inputs, wish.outputs, keys=wish.keys))
    arns += re.findall(r"arn:[a-z-]*:", launcher)
    assert len(arns) > 30
    assert set(arns) == {f"arn:{partition}:"}


def test_logs_are_kept_for_a_week_and_images_go_with_their_repository() -> None:
    found = resources(LEAST)
    assert found["LogGroup"]["Properties"]["RetentionInDays"] == 7
    repository = found["Repository"]["Properties"]
    assert repository["EmptyOnDelete"] is True
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    (rule,) = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert (rule["selection"]["tagStatus"], rule["selection"]["countNumber"]) == ("untagged", 30)
    assert rule["selection"]["countType"] == "sinceImagePushed"


def test_a_budget_sends_email_at_50_and_90_percent() -> None:
    budget = resources(FULL)["Budget"]["Properties"]
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 50.0, "Unit": "USD"}
    alerts = budget["NotificationsWithSubscribers"]
    assert [alert["Notification"]["Threshold"] for alert in alerts] == [50, 90]
    for alert in alerts:
        assert alert["Subscribers"] == [{"SubscriptionType": "EMAIL", "Address": "me@example.org"}]


def test_no_budget_without_an_email_address() -> None:
    assert "Budget" not in resources(FULL._replace(email=""))
    assert "Budget" not in resources(FULL._replace(budget_dollars=0.0))


def fleet_event(kind: str, sub_type: str, source: str = "aws.ec2fleet") -> dict[str, Any]:
    """As in the EC2 guide, "EC2 Fleet event types"."""
    fleet = f"arn:aws:ec2:{REGION}:{NUMBER}:fleet/fleet-598fb973-87b7-422d-be4d-6b0809bfff0a"
    return {"source": source, "detail-type": kind, "resources": [fleet], "detail": {"sub-type": sub_type}}


@pytest.mark.parametrize(
    ("event", "is_told"),
    [
        (fleet_event("EC2 Fleet State Change", "expired"), True),
        (fleet_event("EC2 Fleet Information", "fleetProgressHalted"), True),
        (fleet_event("EC2 Fleet Error", "allLaunchSpecsTemporarilyBlacklisted"), True),
        (fleet_event("EC2 Fleet Error", "spotInstanceCountLimitExceeded"), True),
        (fleet_event("EC2 Fleet State Change", "submitted"), False),
        (fleet_event("EC2 Fleet State Change", "deleted_terminating"), False),
        (fleet_event("EC2 Fleet Information", "launchSpecUnusable"), False),
        (fleet_event("EC2 Fleet Instance Change", "terminated"), False),
        (fleet_event("EC2 Fleet Error", "iamFleetRoleInvalid", source="mine"), False),
    ],
)
def test_only_events_of_fleets_that_stop_by_themselves_are_reported(event: dict[str, Any], is_told: bool) -> None:
    pattern = resources(FULL)["FleetRule"]["Properties"]["EventPattern"]
    assert EventPattern.load(json.dumps(pattern)).matches_event(event) is is_told  # type: ignore[arg-type]


def test_an_email_about_a_fleet_names_the_event_and_the_fleet() -> None:
    (target,) = resources(FULL)["FleetRule"]["Properties"]["Targets"]
    mail = target["InputTransformer"]
    assert target["Arn"] == {"Ref": "Topic"}
    text = json.loads(mail["InputTemplate"])
    assert {name for name in mail["InputPathsMap"] if f"<{name}>" in text} == {"kind", "what", "fleet"}


def test_only_the_account_and_its_own_rules_may_publish() -> None:
    account, rule, alarms = resources(FULL)["TopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Condition"]["ArnLike"]["aws:SourceArn"].endswith(":alarm:scans-*")
    assert account["Principal"] == {"AWS": f"arn:aws:iam::{NUMBER}:root"}
    assert rule["Principal"] == {"Service": "events.amazonaws.com"}
    rules = [{"Fn::GetAtt": [name, "Arn"]} for name in ("FleetRule", "ProcessingRule")]
    assert rule["Condition"] == {"ArnEquals": {"aws:SourceArn": rules}}
    alone = resources(FULL._replace(sagemaker=False))["TopicPolicy"]["Properties"]["PolicyDocument"]["Statement"][1]
    assert alone["Condition"] == {"ArnEquals": {"aws:SourceArn": rules[0]}}
    assert {account["Action"], rule["Action"]} == {"sns:Publish"}


def test_a_template_contains_the_settings_it_was_made_from() -> None:
    text = json.dumps(template(FULL, REGION, NUMBER))
    assert wish_in(json.loads(text), FULL.names) == FULL
    assert wish_in({"Resources": {}}, LEAST.names) == SetupWish()


def test_a_second_setup_adds_its_urls_to_the_first() -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/another"
    second = SetupWish(
        names=FULL.names, inputs=("s3://more/in/", "s3://docs/in/"), outputs=("s3://more/out/",), keys=(key, *FULL.keys)
    )
    both = merged(FULL, second)
    assert both == FULL._replace(
        inputs=("s3://docs/in/", "s3://more/in/"),
        outputs=("s3://docs/out/", "s3://more/out/"),
        keys=(*FULL.keys, key),
    )
    policy = resources(both)["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
    for bucket in ("docs", "more"):
        assert allows(policy, "s3:GetObject", f"arn:aws:s3:::{bucket}/in/a.pdf")
        assert allows(policy, "s3:PutObject", f"arn:aws:s3:::{bucket}/out/a.md")


def test_for_single_values_the_newer_one_wins() -> None:
    newer = merged(FULL, SetupWish(email="you@example.org", budget_dollars=80.0))
    assert (newer.email, newer.budget_dollars, newer.vpc) == ("you@example.org", 80.0, FULL.vpc)

"""The one CloudFormation template of an account: all that a launch finds there, nothing that costs while idle. Pure.

The wish it was rendered from is kept in its metadata, so that a later setup can add to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pdfbatch.fleet.names import TAG_STACK, Names, partition
from pdfbatch.fleet.policies import place, worker_policy

Template = dict[str, Any]
METADATA = "pdfbatch"
LOG_DAYS = 7
UNTAGGED_DAYS = 30
ALERT_PERCENT = (50, 90)


class SetupWish(NamedTuple):
    """What an account is to be ready for."""

    names: Names = Names()
    inputs: tuple[str, ...] = ()
    """URLs as `s3://bucket/prefix/`, like the next two."""
    outputs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    email: str = ""
    """Who hears of finished runs and of the budget; "" for nobody."""
    budget_dollars: float = 0.0
    """A month's spending on EC2 machines in this account; 0 for no budget. It needs `email`."""
    vpc: str = ""
    """"" for the default VPC."""
    keys: tuple[str, ...] = ()
    """ARNs of the KMS keys that encrypt objects at these places."""
    session_manager: bool = False
    """Whether people may open a shell on instances, by Systems Manager's Session Manager."""
    secrets: tuple[str, ...] = ()
    """ARNs of what holds passwords of documents."""


def merged(old: SetupWish, new: SetupWish) -> SetupWish:
    """Both: the places of either, and of what can only be one thing the newer, where it names one."""
    return SetupWish(
        names=new.names,
        inputs=tuple(dict.fromkeys([*old.inputs, *new.inputs])),
        outputs=tuple(dict.fromkeys([*old.outputs, *new.outputs])),
        models=tuple(dict.fromkeys([*old.models, *new.models])),
        email=new.email or old.email,
        budget_dollars=new.budget_dollars or old.budget_dollars,
        vpc=new.vpc or old.vpc,
        keys=tuple(dict.fromkeys([*old.keys, *new.keys])),
        session_manager=new.session_manager or old.session_manager,
        secrets=tuple(dict.fromkeys([*old.secrets, *new.secrets])),
    )


def out_of_reach(wish: SetupWish, inputs: Sequence[str], outputs: Sequence[str]) -> list[str]:
    """The places (URLs) that the role of a stack may not use; none where the wish is empty: another maker's role cannot
    be judged by it."""
    writable = [place(url) for url in wish.outputs]
    readable = [*(place(url) for url in [*wish.inputs, *wish.models]), *writable]
    if not readable:
        return []
    wanted = [*((url, readable) for url in inputs), *((url, writable) for url in outputs)]
    return [url for url, places in wanted if not any(here.covers(place(url)) for here in places)]


def wish_in(template: Mapping[str, Any], names: Names) -> SetupWish:
    """The wish that a template of ours was rendered from; an empty one for any other template."""
    kept = template.get("Metadata", {}).get(METADATA, {})
    return SetupWish(
        names=names,
        inputs=tuple(kept.get("inputs", ())),
        outputs=tuple(kept.get("outputs", ())),
        models=tuple(kept.get("models", ())),
        email=kept.get("email", ""),
        budget_dollars=float(kept.get("budget_dollars", 0)),
        vpc=kept.get("vpc", ""),
        keys=tuple(kept.get("keys", ())),
        session_manager=bool(kept.get("session_manager", False)),
        secrets=tuple(kept.get("secrets", ())),
    )


def template(wish: SetupWish, region: str, account: str) -> Template:
    """
    Raises:
        UsageError: a place that is not in S3, or a key that is none.
    """
    names = wish.names
    people = _people(wish, region, account) if wish.email else {}
    budget = {"Budget": _budget(wish, region)} if wish.email and wish.budget_dollars else {}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"pdfbatch: what a fleet of the stack {names.stack} needs. Idle, only stored images cost.",
        "Metadata": {METADATA: {key: value for key, value in wish._asdict().items() if key != "names"}},
        "Resources": {
            "Role": _role(wish, region, account),
            "Profile": {
                "Type": "AWS::IAM::InstanceProfile",
                "Properties": {"InstanceProfileName": names.role(region), "Roles": [{"Ref": "Role"}]},
            },
            "SecurityGroup": _security_group(wish),
            "LogGroup": {
                "Type": "AWS::Logs::LogGroup",
                "DeletionPolicy": "Delete",
                "UpdateReplacePolicy": "Delete",
                "Properties": {
                    "LogGroupName": names.log_group,
                    "RetentionInDays": LOG_DAYS,
                    "Tags": _tags(names),
                },
            },
            "Topic": {
                "Type": "AWS::SNS::Topic",
                "Properties": {"TopicName": names.topic, "DisplayName": "pdfbatch", "Tags": _tags(names)},
            },
            **people,
            "Repository": _repository(names),
            **budget,
        },
        "Outputs": {
            "Repository": {
                "Description": "Where the worker image goes.",
                "Value": {"Fn::GetAtt": ["Repository", "RepositoryUri"]},
            }
        },
    }


def _tags(names: Names) -> list[dict[str, str]]:
    return [{"Key": TAG_STACK, "Value": names.stack}]


def _role(wish: SetupWish, region: str, account: str) -> Template:
    managed = {"ManagedPolicyArns": [_session_manager(region)]} if wish.session_manager else {}
    reach = (wish.inputs, wish.outputs, wish.models, wish.keys, wish.secrets)
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": wish.names.role(region),
            "Description": "pdfbatch: the workers of a fleet.",
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            },
            "Policies": [
                {"PolicyName": "worker", "PolicyDocument": worker_policy(region, account, wish.names, *reach)}
            ],
            **managed,
            "Tags": _tags(wish.names),
        },
    }


def _session_manager(region: str) -> str:
    """The managed policy that the Systems Manager guide asks for, "Configure instance permissions required for Systems
    Manager"."""
    return f"arn:{partition(region)}:iam::aws:policy/AmazonSSMManagedInstanceCore"


def _security_group(wish: SetupWish) -> Template:
    properties = {
        "GroupName": wish.names.security_group,
        "GroupDescription": "pdfbatch: workers of a fleet. Nothing comes in.",
        "Tags": _tags(wish.names),
    }
    return {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {**properties, "VpcId": wish.vpc} if wish.vpc else properties,
    }


def _people(wish: SetupWish, region: str, account: str) -> dict[str, Template]:
    """How somebody hears of finished runs, and of fleets that stopped without their workers' doing."""
    return {
        "Subscription": _subscription(wish.email),
        "FleetRule": _fleet_rule(wish.names),
        "TopicPolicy": _topic_policy(region, account),
    }


def _fleet_rule(names: Names) -> Template:
    """Mails what a fleet's workers cannot: it expired, its price ceiling halts it, or AWS cannot launch.

    Events carry no tags, so every EC2 Fleet of the region is heard of. Source: EC2 guide, "EC2 Fleet event types".
    """
    stopped = {
        "detail-type": ["EC2 Fleet State Change", "EC2 Fleet Information"],
        "detail": {"sub-type": ["expired", "fleetProgressHalted"]},
    }
    return {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Description": f"pdfbatch: fleets that expired, halted or failed, for the stack {names.stack}.",
            "EventPattern": {
                "source": ["aws.ec2fleet"],
                "$or": [{"detail-type": ["EC2 Fleet Error"]}, stopped],
            },
            "Targets": [{"Id": "Topic", "Arn": {"Ref": "Topic"}, "InputTransformer": _fleet_mail()}],
            "Tags": _tags(names),
        },
    }


def _fleet_mail() -> Template:
    """The event's description is left out: its quotes could break the text."""
    return {
        "InputPathsMap": {"kind": "$.detail-type", "what": "$.detail.sub-type", "fleet": "$.resources[0]"},
        "InputTemplate": '"pdfbatch: <kind>: <what>, <fleet>. See it with `pdfbatch ls` and `pdfbatch status OUTPUT`."',
    }


def _topic_policy(region: str, account: str) -> Template:
    """EventBridge needs leave by the topic itself; a topic with a policy of its own loses SNS's default one, which lets
    the account publish."""
    publish = {"Effect": "Allow", "Action": "sns:Publish", "Resource": {"Ref": "Topic"}}
    of_rule = {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["FleetRule", "Arn"]}}}
    return {
        "Type": "AWS::SNS::TopicPolicy",
        "Properties": {
            "Topics": [{"Ref": "Topic"}],
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "Account",
                        **publish,
                        "Principal": {"AWS": f"arn:{partition(region)}:iam::{account}:root"},
                    },
                    {
                        "Sid": "FleetRule",
                        **publish,
                        "Principal": {"Service": "events.amazonaws.com"},
                        "Condition": of_rule,
                    },
                ],
            },
        },
    }


def _subscription(email: str) -> Template:
    """Apart from the topic, because a subscription named inside one outlives it."""
    return {
        "Type": "AWS::SNS::Subscription",
        "Properties": {"Protocol": "email", "Endpoint": email, "TopicArn": {"Ref": "Topic"}},
    }


def _repository(names: Names) -> Template:
    rule = {
        "rulePriority": 1,
        "description": f"Expire untagged images {UNTAGGED_DAYS} days after their push.",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": UNTAGGED_DAYS,
        },
        "action": {"type": "expire"},
    }
    return {
        "Type": "AWS::ECR::Repository",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {
            "RepositoryName": names.repository,
            "EmptyOnDelete": True,
            "ImageScanningConfiguration": {"ScanOnPush": True},
            "LifecyclePolicy": {"LifecyclePolicyText": json.dumps({"rules": [rule]})},
            "Tags": _tags(names),
        },
    }


def _budget(wish: SetupWish, region: str) -> Template:
    """Of all EC2 machines in the account: a filter by our tag would see nothing until it is activated for billing.

    Mail goes straight from Budgets, which needs no confirmation, unlike the topic.
    """
    subscribers = [{"SubscriptionType": "EMAIL", "Address": wish.email}]
    return {
        "Type": "AWS::Budgets::Budget",
        "Properties": {
            "Budget": {
                "BudgetName": wish.names.budget(region),
                "BudgetType": "COST",
                "TimeUnit": "MONTHLY",
                "BudgetLimit": {"Amount": wish.budget_dollars, "Unit": "USD"},
                "CostFilters": {"Service": ["Amazon Elastic Compute Cloud - Compute"]},
            },
            "NotificationsWithSubscribers": [
                {
                    "Notification": {
                        "NotificationType": "ACTUAL",
                        "ComparisonOperator": "GREATER_THAN",
                        "Threshold": percent,
                        "ThresholdType": "PERCENTAGE",
                    },
                    "Subscribers": subscribers,
                }
                for percent in ALERT_PERCENT
            ],
            "ResourceTags": _tags(wish.names),
        },
    }

"""Renders the CloudFormation template with everything a launch needs; nothing in it costs money while idle. Pure.

Its metadata keeps the settings it was rendered from, so that a later setup can add to them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pdfbatch.fleet.batch.stack import batch_resources
from pdfbatch.fleet.names import Names, partition
from pdfbatch.fleet.policies import Policy, place, worker_policy
from pdfbatch.fleet.sagemaker.stack import processing_resources
from pdfbatch.fleet.schedules.stack import schedule_resources
from pdfbatch.fleet.topic import fleet_rule, subscription, topic_policy

Template = dict[str, Any]
METADATA = "pdfbatch"
INLINE_BYTES = 51_200
"""CloudFormation's limit for a template that is sent along."""
LOG_DAYS = 7
UNTAGGED_DAYS = 30
ALERT_PERCENT = (50, 90)


class SetupWish(NamedTuple):
    """What an account is set up for."""

    names: Names = Names()
    inputs: tuple[str, ...] = ()
    """URLs as `s3://bucket/prefix/`, like the next two."""
    outputs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    email: str = ""
    """Receives emails about finished runs and the budget; "": none."""
    budget_dollars: float = 0.0
    """Monthly budget for EC2 instances in this account; 0: none. It needs `email`."""
    vpc: str = ""
    """"": the default VPC."""
    keys: tuple[str, ...] = ()
    """ARNs of the KMS keys that encrypt objects at these URLs."""
    session_manager: bool = False
    """Whether users may open a shell on instances with Systems Manager Session Manager."""
    secrets: tuple[str, ...] = ()
    """ARNs of the secrets with document passwords, and with what sinks of events need."""
    events: tuple[str, ...] = ()
    """Sinks of events that need a permission: SNS topics and event buses, as `SinkAddress.text`."""
    batch_types: tuple[str, ...] = ()
    """Instance types of the compute environment of AWS Batch; (): there is none."""
    batch_subnets: tuple[str, ...] = ()
    """Its subnets; (): those of the VPC that have a way out."""
    batch_vcpus: int = 0
    """The vCPUs of all its instances together, at most."""
    sagemaker: bool = False
    """Whether there is a role for SageMaker Processing jobs."""
    schedules: int = 0
    """Within how many hours a schedule should start something, else there is an alarm; 0: there are no schedules."""
    pools: bool = True
    """Whether the role may use the queues of pools: false in a stack of an earlier version."""


def merged(old: SetupWish, new: SetupWish) -> SetupWish:
    """Merges two setups: the URLs, keys and secrets of both; for single values the newer one, if set."""
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
        events=tuple(dict.fromkeys([*old.events, *new.events])),
        batch_types=new.batch_types or old.batch_types,
        batch_subnets=new.batch_subnets or old.batch_subnets,
        batch_vcpus=new.batch_vcpus or old.batch_vcpus,
        sagemaker=new.sagemaker or old.sagemaker,
        schedules=new.schedules or old.schedules,
    )


def out_of_reach(wish: SetupWish, inputs: Sequence[str], outputs: Sequence[str]) -> list[str]:
    """Lists the URLs that the stack's role has no access to; empty if `wish` is empty, as for a role made elsewhere,
    which cannot be judged by it."""
    writable = [place(url) for url in wish.outputs]
    readable = [*(place(url) for url in [*wish.inputs, *wish.models]), *writable]
    if not readable:
        return []
    wanted = [*((url, readable) for url in inputs), *((url, writable) for url in outputs)]
    return [url for url, places in wanted if not any(here.covers(place(url)) for here in places)]


def wish_in(template: Mapping[str, Any], names: Names) -> SetupWish:
    """Reads the settings that one of our templates was rendered from; empty for any other template."""
    kept = template.get("Metadata", {}).get(METADATA)
    if kept is None:
        return SetupWish(names)
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
        pools=bool(kept.get("pools", False)),
        secrets=tuple(kept.get("secrets", ())),
        events=tuple(kept.get("events", ())),
        batch_types=tuple(kept.get("batch_types", ())),
        batch_subnets=tuple(kept.get("batch_subnets", ())),
        batch_vcpus=int(kept.get("batch_vcpus", 0)),
        sagemaker=bool(kept.get("sagemaker", False)),
        schedules=int(kept.get("schedules", 0)),
    )


def template(wish: SetupWish, region: str, account: str) -> Template:
    """Renders the template.

    Raises:
        UsageError: a URL outside S3, or an invalid key ARN.
    """
    names = wish.names
    people = _people(wish, region, account) if wish.email else {}
    budget = {"Budget": _budget(wish, region)} if wish.email and wish.budget_dollars else {}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"pdfbatch: what fleets of the stack {names.stack} need. Idle, only stored images cost money.",
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
                    "Tags": names.tags,
                },
            },
            "Topic": {
                "Type": "AWS::SNS::Topic",
                "Properties": {"TopicName": names.topic, "DisplayName": "pdfbatch", "Tags": names.tags},
            },
            **people,
            "Repository": _repository(names),
            **budget,
            **_batch(wish, region, account),
            **_processing(wish, region, account),
            **_schedules(wish, region, account),
        },
        "Outputs": {
            "Repository": {
                "Description": "The repository of the worker image.",
                "Value": {"Fn::GetAtt": ["Repository", "RepositoryUri"]},
            }
        },
    }


def as_text(made: Template) -> str:
    """Returns the JSON text that is sent to CloudFormation: as people read it, unless it would be too long then."""
    text = json.dumps(made, indent=2)
    return text if len(text.encode()) <= INLINE_BYTES else json.dumps(made, separators=(",", ":"))


def _batch(wish: SetupWish, region: str, account: str) -> dict[str, Template]:
    if not wish.batch_types:
        return {}
    worker = _worker_policy(wish, region, account)
    kinds, vcpus = wish.batch_types, wish.batch_vcpus
    return batch_resources(wish.names, region, worker, types=kinds, subnets=wish.batch_subnets, most_vcpus=vcpus)


def _processing(wish: SetupWish, region: str, account: str) -> dict[str, Template]:
    if not wish.sagemaker:
        return {}
    worker = _worker_policy(wish, region, account)
    return processing_resources(wish.names, region, account, worker, has_people=bool(wish.email))


def _schedules(wish: SetupWish, region: str, account: str) -> dict[str, Template]:
    if not wish.schedules:
        return {}
    ways = {"on_batch": bool(wish.batch_types), "on_sagemaker": wish.sagemaker}
    found = schedule_resources(wish.names, region, account, **ways, hours=wish.schedules)
    if wish.email:
        return found
    return {name: each for name, each in found.items() if name != "BatchRule"}


def _worker_policy(wish: SetupWish, region: str, account: str) -> Policy:
    reach = (wish.inputs, wish.outputs, wish.models, wish.keys, wish.secrets, wish.events)
    return worker_policy(region, account, wish.names, *reach)


def _role(wish: SetupWish, region: str, account: str) -> Template:
    managed = {"ManagedPolicyArns": [_session_manager(region)]} if wish.session_manager else {}
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
            "Policies": [{"PolicyName": "worker", "PolicyDocument": _worker_policy(wish, region, account)}],
            **managed,
            "Tags": wish.names.tags,
        },
    }


def _session_manager(region: str) -> str:
    """Returns the managed policy for Session Manager. Source: Systems Manager guide, "Configure instance permissions
    required for Systems Manager"."""
    return f"arn:{partition(region)}:iam::aws:policy/AmazonSSMManagedInstanceCore"


def _security_group(wish: SetupWish) -> Template:
    properties = {
        "GroupName": wish.names.security_group,
        "GroupDescription": "pdfbatch: workers of a fleet. Nothing comes in.",  # a change would replace the group
        "Tags": wish.names.tags,
    }
    return {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {**properties, "VpcId": wish.vpc} if wish.vpc else properties,
    }


def _people(wish: SetupWish, region: str, account: str) -> dict[str, Template]:
    """Builds the notifications: finished runs, and fleets that stopped on their own."""
    return {
        "Subscription": subscription(wish.email),
        "FleetRule": fleet_rule(wish.names),
        "TopicPolicy": topic_policy(region, account, _rules(wish), _alarms(wish, region, account)),
    }


def _rules(wish: SetupWish) -> list[str]:
    """Returns the rules that send emails."""
    of_batch = bool(wish.batch_types and wish.schedules)
    return ["FleetRule", *(["ProcessingRule"] if wish.sagemaker else []), *(["BatchRule"] if of_batch else [])]


def _alarms(wish: SetupWish, region: str, account: str) -> list[str]:
    """Returns the ARNs of the alarms that send emails."""
    alarms = f"arn:{partition(region)}:cloudwatch:{region}:{account}:alarm:{wish.names.stack}-*"
    return [alarms] if wish.schedules else []


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
            "Tags": names.tags,
        },
    }


def _budget(wish: SetupWish, region: str) -> Template:
    """Builds the budget for all EC2 instances in the account: a filter by our tag would match nothing until the tag is
    activated for billing.

    Budgets sends email directly, which needs no confirmation, unlike the topic.
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
            "ResourceTags": wish.names.tags,
        },
    }

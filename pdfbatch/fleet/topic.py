"""The stack's SNS topic: who may publish to it, who gets its emails, and the rules that email what workers cannot
report. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pdfbatch.fleet.names import Names, partition

Template = dict[str, Any]


def mail_rule(names: Names, what: str, pattern: Mapping[str, Any], parts: Mapping[str, str], text: str) -> Template:
    """Builds a rule of EventBridge that publishes `text` for each event that matches `pattern`.

    `what`: the events in a few words. `parts`: the places in the event of the words in angle brackets in `text`; not
    the event's description, whose quotes could break the text.
    """
    mail = {"InputPathsMap": dict(parts), "InputTemplate": f'"pdfbatch: {text}"'}
    return {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Description": f"pdfbatch: {what}, for the stack {names.stack}.",
            "EventPattern": dict(pattern),
            "Targets": [{"Id": "Topic", "Arn": {"Ref": "Topic"}, "InputTransformer": mail}],
            "Tags": names.tags,
        },
    }


def fleet_rule(names: Names) -> Template:
    """Builds the rule that reports what workers cannot: a fleet expired, halted at its price ceiling, or cannot launch.

    Events carry no tags, so it matches every EC2 Fleet of the region. Source: EC2 guide, "EC2 Fleet event types".
    """
    stopped = {
        "detail-type": ["EC2 Fleet State Change", "EC2 Fleet Information"],
        "detail": {"sub-type": ["expired", "fleetProgressHalted"]},
    }
    return mail_rule(
        names,
        "fleets that expired, halted or failed",
        {"source": ["aws.ec2fleet"], "$or": [{"detail-type": ["EC2 Fleet Error"]}, stopped]},
        {"kind": "$.detail-type", "what": "$.detail.sub-type", "fleet": "$.resources[0]"},
        "<kind>: <what>, <fleet>. See it with `pdfbatch ls` and `pdfbatch status OUTPUT`.",
    )


def topic_policy(region: str, account: str, rules: Sequence[str], alarms: Sequence[str]) -> Template:
    """Builds the topic's policy. EventBridge needs permission from the topic itself, and a policy of its own replaces
    SNS's default one, which lets the account publish."""
    publish = {"Effect": "Allow", "Action": "sns:Publish", "Resource": {"Ref": "Topic"}}
    arns = [{"Fn::GetAtt": [rule, "Arn"]} for rule in rules]
    of_rule = {"ArnEquals": {"aws:SourceArn": arns if len(arns) > 1 else arns[0]}}
    of_alarms = [
        {
            "Sid": "Alarms",
            **publish,
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Condition": {"ArnLike": {"aws:SourceArn": alarm}, "StringEquals": {"aws:SourceAccount": account}},
        }
        for alarm in alarms
    ]
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
                    *of_alarms,
                ],
            },
        },
    }


def subscription(email: str) -> Template:
    """Builds the subscription, separate from the topic: one defined inside a topic would outlive it."""
    return {
        "Type": "AWS::SNS::Subscription",
        "Properties": {"Protocol": "email", "Endpoint": email, "TopicArn": {"Ref": "Topic"}},
    }

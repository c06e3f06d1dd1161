"""Builds two IAM policies: the worker role's, and the one a person needs to launch. Pure.

Statements follow the service authorization reference ("Actions, resources, and condition keys for AWS services").
Both policies cover one stack: no access to anything without its tag or outside its S3 URLs.

For a missing object, S3 answers 404 instead of 403 only to callers that may list the bucket. Whether that holds under a
condition on `s3:prefix` is not documented, so output buckets may be listed whole: the keys of other folders can be
seen, not read. Buckets with only inputs or models may be listed below their prefixes only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pdfbatch.errors import UsageError
from pdfbatch.fleet.names import TAG_BOOTS, TAG_STACK, Names, partition
from pdfbatch.records import Secret, SinkAddress
from pdfbatch.store import S3Store, open_store

Policy = dict[str, Any]
Statement = dict[str, Any]

MANAGED_POLICY_CHARACTERS = 6144
"""IAM's limit for a managed policy, without white space."""
ROLE_POLICY_CHARACTERS = 10_240
"""IAM's limit for all inline policies of a role together, without white space."""
SERVICE_ROLES = {
    "AWSServiceRoleForEC2Spot": "spot.amazonaws.com",
    "AWSServiceRoleForEC2Fleet": "ec2fleet.amazonaws.com",
}
"""The service-linked roles of Spot fleets, one of each per account, and the services that use them."""
READ_IMAGE = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
WRITE_OBJECTS = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]

USE_QUEUE = [
    *("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:DeleteQueue"),
    *("sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"),
]

FIND_FLEET = [
    *("ec2:DescribeFleetHistory", "ec2:DescribeFleets", "ec2:DescribeInstances"),
    *("ec2:DescribeSpotPriceHistory", "ec2:DescribeTags"),
]


class BucketPlace(NamedTuple):
    """A folder in S3: `prefix` is "" or ends with "/"."""

    bucket: str
    prefix: str

    def covers(self, other: BucketPlace) -> bool:
        return self.bucket == other.bucket and other.prefix.startswith(self.prefix)


def place(url: str) -> BucketPlace:
    """Splits an S3 URL.

    Raises:
        UsageError: not `s3://bucket/prefix/`.
    """
    store = open_store(url)
    if not isinstance(store, S3Store):
        raise UsageError(f"{url!r} is a local folder; a fleet cannot reach it.", "Use s3://bucket/prefix/ .")
    return BucketPlace(store.bucket, store.prefix)


def checked_key(arn: str) -> str:
    """Checks the ARN of a KMS key. An alias does not work: IAM identifies keys by their own ARNs only.

    Raises:
        UsageError: not `arn:aws:kms:REGION:ACCOUNT:key/ID`.
    """
    if not re.fullmatch(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+", arn):
        raise UsageError(
            f"{arn!r} is not the ARN of a KMS key.",
            "Use arn:aws:kms:REGION:ACCOUNT:key/ID, as printed by `aws kms describe-key --key-id alias/NAME`.",
        )
    return arn


def worker_policy(
    region: str,
    account: str,
    names: Names,
    inputs: Sequence[str],
    outputs: Sequence[str],
    models: Sequence[str] = (),
    keys: Sequence[str] = (),
    secrets: Sequence[str] = (),
    events: Sequence[str] = (),
) -> Policy:
    """Builds the instance role's policy: read `inputs` and `models`, write `outputs` (URLs), delete the stack's fleets.

    `keys`: ARNs of the KMS keys that encrypt the objects; `secrets`: ARNs of the secrets that it reads; `events`: the
    SNS topics and event buses that get the run's events.
    """
    sinks = SinkAddress.read_all(events)
    topics = [("sns", sink.region) for sink in sinks if sink.kind == "sns"]
    locked = [Secret.read(arn) for arn in secrets]
    sources, targets = _places([*inputs, *models]), _places(outputs)
    ec2, logs = (
        f"arn:{partition(region)}:ec2:{region}:{account}",
        f"arn:{partition(region)}:logs:{region}:{account}:log-group:{names.log_group}",
    )
    return _policy(
        [
            *_objects(region, "ReadInput", ["s3:GetObject"], sources),
            *_objects(region, "WriteOutput", WRITE_OBJECTS, targets),
            *_listings(region, _places([*inputs, *models, *outputs]), {place(url).bucket for url in outputs}),
            *_keys(keys, [*((each.service, each.region) for each in locked), *topics]),
            *_secrets(locked),
            *_sinks("Send", {"sns": "sns:Publish", "eventbridge": "events:PutEvents"}, sinks, region, account),
            _allow("EndFleet", ["ec2:DeleteFleets", "ec2:ModifyFleet"], f"{ec2}:fleet/*", _of_stack(names)),
            _allow("EndMachine", ["ec2:TerminateInstances"], f"{ec2}:instance/*", _of_stack(names)),
            _allow("FindFleet", FIND_FLEET, "*"),
            _allow("CountBoots", ["ec2:CreateTags"], f"{ec2}:fleet/*", _count_of_boots(names)),
            _allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [logs, f"{logs}:*"]),
            _allow("LogInToImages", ["ecr:GetAuthorizationToken"], "*"),
            _allow("PullImage", READ_IMAGE, _repository(region, account, names)),
            _allow("WorkInPool", USE_QUEUE, _queues(region, account, names)),
            _allow("TellPeople", ["sns:Publish"], names.topic_arn(region, account)),
        ]
    )


def launcher_policy(
    region: str,
    account: str,
    names: Names,
    inputs: Sequence[str],
    outputs: Sequence[str],
    models: Sequence[str] = (),
    keys: Sequence[str] = (),
    types: Sequence[str] = (),
    on_demand: bool = False,
    events: Sequence[str] = (),
    watches: bool = False,
) -> Policy:
    """Builds the policy for plan, launch, status, logs, ls, down and doctor, once an administrator has run setup.

    `types`: the only instance types that may be launched; empty: any. Spot only unless `on_demand`. `watches`: with
    `--watch-input`, for which IAM knows no limit to notifications of one's own.
    """
    ec2 = f"arn:{partition(region)}:ec2:{region}:{account}"
    return _policy(
        [
            *_objects(region, "ReadInput", ["s3:GetObject"], _places([*inputs, *models])),
            *_objects(region, "WriteOutput", WRITE_OBJECTS, _places(outputs)),
            *_listings(region, _places([*inputs, *models, *outputs]), {place(url).bucket for url in outputs}),
            *_keys(keys),
            *_launching(ec2, region, names),
            _allow("RunInstances", ["ec2:RunInstances"], f"{ec2}:instance/*", _as_launched(ec2, types, on_demand)),
            _allow("Pools", ["sqs:*"], _queues(region, account, names)),
            *_roles(region, account, names),
            *_looking(region, account, names, _places([*inputs, *models, *outputs])),
            *(_watching(region, _places(inputs)) if watches else []),
            *_sinks("See", _SEE_SINK, SinkAddress.read_all(events), region, account),
        ]
    )


def _watching(region: str, places: Sequence[BucketPlace]) -> list[Statement]:
    buckets = sorted({f"arn:{partition(region)}:s3:::{here.bucket}" for here in places})
    return [_allow("WatchInput", ["s3:GetBucketNotification", "s3:PutBucketNotification"], buckets)] if buckets else []


def _as_launched(ec2: str, types: Sequence[str], on_demand: bool) -> Statement:
    """Limits launches to the account's launch templates ("UseTemplate": the stack's), these types and this market.

    `IfExists`, because it is not documented that CreateFleet passes type and market to IAM when it launches.
    """
    markets = ["spot", "on-demand"] if on_demand else ["spot"]
    limits = {"ec2:InstanceMarketType": markets} | ({"ec2:InstanceType": list(types)} if types else {})
    return {"ArnLike": {"ec2:LaunchTemplate": f"{ec2}:launch-template/*"}, "StringEqualsIfExists": limits}


def _launching(ec2: str, region: str, names: Names) -> list[Statement]:
    """Allows to create and delete the stack's templates and fleets.

    A `maintain` fleet takes its instances' tags from the launch template, so CreateFleet cannot be restricted by them.
    The template limits what is launched, and it must be the stack's."""
    parts = ["key-pair", "network-interface", "security-group", "spot-instances-request", "subnet", "volume"]
    wishes = {"StringEquals": {f"aws:RequestTag/{TAG_STACK}": names.stack}}
    made = {"ec2:CreateAction": ["CreateFleet", "CreateLaunchTemplate", "RunInstances"]}
    return [
        _allow("MakeTemplate", ["ec2:CreateLaunchTemplate"], f"{ec2}:launch-template/*", wishes),
        _allow("MakeFleet", ["ec2:CreateFleet"], f"{ec2}:fleet/*", wishes),
        _allow("UseTemplate", ["ec2:CreateFleet", "ec2:RunInstances"], f"{ec2}:launch-template/*", _of_stack(names)),
        _allow("FleetInstances", ["ec2:CreateFleet"], f"{ec2}:instance/*"),
        _allow(
            "MakeMachines",
            ["ec2:CreateFleet", "ec2:RunInstances"],
            [f"arn:{partition(region)}:ec2:{region}::{part}/*" for part in ("image", "snapshot")]
            + [f"{ec2}:{p}/*" for p in parts],
        ),
        _allow("TagWhatIsMade", ["ec2:CreateTags"], f"{ec2}:*/*", {"StringEquals": {**wishes["StringEquals"], **made}}),
        _allow(
            "EndWhatIsMade",
            ["ec2:DeleteFleets", "ec2:DeleteLaunchTemplate", "ec2:TerminateInstances"],
            [f"{ec2}:{part}/*" for part in ("fleet", "instance", "launch-template")],
            _of_stack(names),
        ),
    ]


def _roles(region: str, account: str, names: Names) -> list[Statement]:
    iam = f"arn:{partition(region)}:iam::{account}"
    service_roles = f"{iam}:role/aws-service-role"
    return [
        _allow(
            "GiveRole",
            ["iam:PassRole"],
            f"{iam}:role/{names.role(region)}",
            {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
        ),
        _allow(
            "MakeServiceRoles",
            ["iam:CreateServiceLinkedRole"],
            [f"{service_roles}/{service}/*" for service in SERVICE_ROLES.values()],
            {"StringEquals": {"iam:AWSServiceName": list(SERVICE_ROLES.values())}},
        ),
        _allow(
            "SeeRoles",
            ["iam:GetInstanceProfile", "iam:GetRole"],
            [
                f"{iam}:instance-profile/{names.role(region)}",
                f"{iam}:role/{names.role(region)}",
                f"{service_roles}/*",
            ],
        ),
    ]


def _looking(region: str, account: str, names: Names, places: Iterable[BucketPlace]) -> list[Statement]:
    here = f"{region}:{account}"
    group = f"arn:{partition(region)}:logs:{here}:log-group:{names.log_group}"
    anywhere = [
        *(
            "ec2:Describe*",
            "ec2:GetEbs*",
            "ec2:GetSpotPlacementScores",
            "logs:DescribeLogGroups",
            "secretsmanager:DescribeSecret",
            "sqs:ListQueues",
            "ssm:DescribeParameters",
        ),
        *("pricing:GetProducts", "servicequotas:Get*", "sts:DecodeAuthorizationMessage"),
    ]
    return [
        _allow("Look", anywhere, "*"),
        _allow("FindAMI", ["ssm:GetParameter"], f"arn:{partition(region)}:ssm:{region}::parameter/aws/service/*"),
        _allow(
            "FindImage",
            ["ecr:Describe*"],
            _repository(region, account, names),
        ),
        _allow(
            "ReadLogs",
            ["logs:FilterLogEvents"],
            [group, f"{group}:*"],
        ),
        _allow(
            "SeeStack",
            ["cloudformation:DescribeStacks", "cloudformation:GetTemplate"],
            f"arn:{partition(region)}:cloudformation:{here}:stack/{names.stack}/*",
        ),
        _allow(
            "SeeTopic",
            ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"],
            names.topic_arn(region, account),
        ),
        _allow(
            "SeeBudget",
            ["budgets:ViewBudget"],
            f"arn:{partition(region)}:budgets::{account}:budget/{names.budget(region)}",
        ),
        *_buckets(region, places),
    ]


def _places(urls: Iterable[str]) -> list[BucketPlace]:
    """Sorts the folders and drops those inside another one."""
    places = sorted({place(url) for url in urls})
    return [here for here in places if not any(other != here and other.covers(here) for other in places)]


def _objects(region: str, sid: str, actions: Sequence[str], places: Sequence[BucketPlace]) -> list[Statement]:
    resources = [f"arn:{partition(region)}:s3:::{here.bucket}/{_literally(here.prefix)}*" for here in places]
    return [_allow(sid, actions, resources)] if resources else []


def _buckets(region: str, places: Iterable[BucketPlace]) -> list[Statement]:
    """Allows to look up the buckets' regions and encryption; HeadBucket would need to list them without a prefix."""
    resources = sorted({f"arn:{partition(region)}:s3:::{here.bucket}" for here in places})
    return (
        [_allow("SeeBuckets", ["s3:GetBucketLocation", "s3:GetEncryptionConfiguration"], resources)]
        if resources
        else []
    )


def _listings(region: str, places: Sequence[BucketPlace], whole: set[str]) -> list[Statement]:
    """Builds one statement for all buckets that may be listed `whole`, and one for each bucket listed below prefixes:
    a condition applies to its whole statement."""
    arn, prefixes = f"arn:{partition(region)}:s3:::", dict[str, list[str]]()
    for here in places:
        prefixes.setdefault(here.bucket, []).append(_literally(here.prefix) + "*")
    free = sorted(bucket for bucket, of in prefixes.items() if of == ["*"] or bucket in whole)
    statements = [_allow("List", ["s3:ListBucket"], [arn + bucket for bucket in free])] if free else []
    for number, bucket in enumerate(sorted(prefixes.keys() - set(free))):
        within = {"StringLike": {"s3:prefix": prefixes[bucket]}}
        statements.append(_allow(f"List{number}", ["s3:ListBucket"], arn + bucket, within))
    return statements


def _secrets(secrets: Sequence[Secret]) -> list[Statement]:
    """Allows to read the values of these secrets only; AWS-managed keys that encrypt them need no permission."""
    actions = {"secretsmanager": "secretsmanager:GetSecretValue", "ssm": "ssm:GetParameter"}
    return [
        _allow(f"ReadSecret{number}", [actions[secret.service]], secret.arn)
        for number, secret in enumerate(sorted(secrets))
    ]


_SEE_SINK = {"sns": "sns:GetTopicAttributes", "eventbridge": "events:DescribeEventBus"}


def _sinks(
    does: str, actions: Mapping[str, str], sinks: Sequence[SinkAddress], region: str, account: str
) -> list[Statement]:
    """Allows one action on these topics, and one on these buses; a bus without an ARN is in the fleet's region."""
    statements = []
    for kind, action in actions.items():
        arns = [
            sink.target if sink.region else f"arn:{partition(region)}:events:{region}:{account}:event-bus/{sink.target}"
            for sink in sinks
            if sink.kind == kind
        ]
        if arns:
            statements.append(_allow(f"{does}{'Topics' if kind == 'sns' else 'Buses'}", [action], sorted(arns)))
    return statements


def _keys(arns: Iterable[str], users: Sequence[tuple[str, str]] = ()) -> list[Statement]:
    """Builds one statement per region, because a key is used by S3, and by other services (`users`, with their
    regions), of its own region.

    The KMS guide names `s3.REGION.amazonaws.com`. Whether China's regions use `amazonaws.com.cn` is not documented, so
    both are allowed there.
    """
    regions: dict[str, list[str]] = {}
    for arn in arns:
        regions.setdefault(checked_key(arn).split(":")[3], []).append(arn)
    statements = []
    for number, (region, keys) in enumerate(sorted(regions.items())):
        endings = ("com", "com.cn") if partition(region) == "aws-cn" else ("com",)
        others = {service for service, its_region in users if its_region == region}
        services = [f"{user}.{region}.amazonaws.{end}" for user in ["s3", *sorted(others)] for end in endings]
        condition = {"StringEquals": {"kms:ViaService": services}}
        statements.append(_allow(f"UseKey{number}", ["kms:Decrypt", "kms:GenerateDataKey"], keys, condition))
    return statements


def _literally(prefix: str) -> str:
    """Escapes IAM's wildcard characters as policy variables, so that they match literally."""
    return "".join(f"${{{sign}}}" if sign in "*?$" else sign for sign in prefix)


def _repository(region: str, account: str, names: Names) -> str:
    return f"arn:{partition(region)}:ecr:{region}:{account}:repository/{names.repository}"


def _queues(region: str, account: str, names: Names) -> str:
    return f"arn:{partition(region)}:sqs:{region}:{account}:{names.queues}*"


def _of_stack(names: Names) -> Statement:
    return {"StringEquals": {f"aws:ResourceTag/{TAG_STACK}": names.stack}}


def _count_of_boots(names: Names) -> Statement:
    """Limits tagging to `TAG_BOOTS`. `Null`, because `ForAllValues` is also true without any tag."""
    only = {"ForAllValues:StringEquals": {"aws:TagKeys": [TAG_BOOTS]}, "Null": {"aws:TagKeys": "false"}}
    return {**_of_stack(names), **only}


def _allow(
    sid: str, actions: Sequence[str], resources: str | Sequence[str], condition: Statement | None = None
) -> Statement:
    resource = resources if isinstance(resources, str) else list(resources)
    statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def _policy(statements: list[Statement]) -> Policy:
    return {"Version": "2012-10-17", "Statement": statements}

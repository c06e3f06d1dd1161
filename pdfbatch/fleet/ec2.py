"""Calls EC2 to create, find and delete launch templates, fleets and instances."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pdfbatch import aws
from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import TAG_STACK, TAG_WORKER
from pdfbatch.fleet.pricing import ROOT_MBPS
from pdfbatch.fleet.resources import Resource
from pdfbatch.fleet.values import Market, Plan, Zone

_ENDED = ("deleted", "deleted_running", "deleted_terminating", "failed")
"""States of a fleet that no longer launches."""
_LIVING = ["pending", "running", "shutting-down", "stopping", "stopped"]
_DELETE_AT_ONCE = 25
"""AWS's limit for one DeleteFleets call with termination."""


# ── create ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def create_template(clients: Clients, plan: Plan, worker: int, name: str, user_data: str) -> None:
    """Creates a worker's launch template. It contains the user data, so that each replacement boots the same way."""
    account, tags = plan.account, _tags(plan, worker)
    data: dict[str, Any] = {
        "ImageId": account.ami.id,
        "InstanceType": plan.instance_types[0],
        "IamInstanceProfile": {"Name": account.profile},
        "SecurityGroupIds": account.security_groups,
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 2,
            "InstanceMetadataTags": "enabled",
        },
        "BlockDeviceMappings": [
            {
                "DeviceName": account.ami.root_device,
                "Ebs": {
                    "VolumeSize": account.ami.root_gib,
                    "VolumeType": "gp3",
                    "Throughput": ROOT_MBPS,
                    "Encrypted": True,
                    "KmsKeyId": plan.ebs_key,
                    "DeleteOnTermination": True,
                },
            }
        ],
        "UserData": base64.b64encode(user_data.encode()).decode(),
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
    }
    if plan.key_name:
        data["KeyName"] = plan.key_name
    with aws.translating(f"create the launch template of worker {worker}"):
        clients.ec2.create_launch_template(
            LaunchTemplateName=name,
            ClientToken=f"{plan.run}-{worker}-template",
            LaunchTemplateData=data,  # type: ignore[arg-type]  # a plain dict
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
        )


def try_template(clients: Clients, name: str, zone: Zone, market: Market) -> None:
    """Makes AWS check what creating a template does not: AMI, profile, groups, permissions. Starts nothing."""
    spot: dict[str, Any] = {"InstanceMarketOptions": {"MarketType": "spot"}} if market == "spot" else {}
    aws.call(
        "launch an instance (dry run)",
        lambda: clients.ec2.run_instances(
            DryRun=True,
            MinCount=1,
            MaxCount=1,
            LaunchTemplate={"LaunchTemplateName": name, "Version": "1"},
            SubnetId=zone.subnet,
            **spot,
        ),
        absent={"DryRunOperation"},
    )


class Made(NamedTuple):
    fleet: str
    troubles: list[str]
    """What AWS could not do at once; a maintain fleet keeps trying."""


def create_fleet(clients: Clients, plan: Plan, worker: int, template: str, zones: Sequence[Zone]) -> Made:
    """Creates a fleet that keeps one instance running for this worker until it is deleted or expires."""
    market = _on_demand() if plan.market == "on-demand" else _spot()
    with aws.translating(f"create the fleet of worker {worker}"):
        answer = clients.ec2.create_fleet(
            Type="maintain",
            ClientToken=f"{plan.run}-{worker}-{len(zones)}",
            LaunchTemplateConfigs=[
                {
                    "LaunchTemplateSpecification": {"LaunchTemplateName": template, "Version": "1"},
                    "Overrides": _overrides(plan, zones),
                }
            ],
            ExcessCapacityTerminationPolicy="termination",
            ReplaceUnhealthyInstances=True,
            ValidUntil=plan.expiry,
            TerminateInstancesWithExpiration=True,
            TagSpecifications=[{"ResourceType": "fleet", "Tags": _tags(plan, worker)}],
            **market,
        )
    troubles = {f"{error.get('ErrorCode')}: {error.get('ErrorMessage')}" for error in answer.get("Errors", [])}
    return Made(answer["FleetId"], sorted(troubles))


def _spot() -> dict[str, Any]:
    """Builds the Spot settings. `price-capacity-optimized` would ignore priorities: all fleets could land in one pool
    and be interrupted together."""
    return {
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": 1,
            "SpotTargetCapacity": 1,
            "OnDemandTargetCapacity": 0,
            "DefaultTargetCapacityType": "spot",
        },
        "SpotOptions": {
            "AllocationStrategy": "capacity-optimized-prioritized",
            "InstanceInterruptionBehavior": "terminate",
        },
    }


def _on_demand() -> dict[str, Any]:
    return {
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": 1,
            "SpotTargetCapacity": 0,
            "OnDemandTargetCapacity": 1,
            "DefaultTargetCapacityType": "on-demand",
        },
        "OnDemandOptions": {"AllocationStrategy": "prioritized"},
    }


def _overrides(plan: Plan, zones: Sequence[Zone]) -> list[Any]:
    """Lists every type in every zone; the first zone has the highest priority, which is the lowest number."""
    overrides = []
    for priority, zone in enumerate(zones):
        for kind in plan.instance_types:
            if kind not in zone.prices and zone.prices:
                continue
            ceiling = {"MaxPrice": f"{plan.max_prices[kind]:.4f}"} if kind in plan.max_prices else {}
            overrides.append({"InstanceType": kind, "SubnetId": zone.subnet, "Priority": float(priority), **ceiling})
    return overrides


def _tags(plan: Plan, worker: int) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in (plan.tags | {TAG_WORKER: str(worker)}).items()]


def rotated(zones: Sequence[Zone], worker: int) -> list[Zone]:
    """Rotates the zones, so that each worker prefers a different one."""
    start = worker % len(zones)
    return [*zones[start:], *zones[:start]]


# ── find ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def fleets(clients: Clients) -> list[Resource]:
    """Lists pdfbatch's fleets in the region that are not deleted. EC2 cannot filter fleets by tag."""
    with aws.translating("list the fleets"):
        pages = clients.ec2.get_paginator("describe_fleets").paginate()
        found = [
            Resource(
                each["FleetId"], _tags_of(each), each.get("CreateTime"), each["FleetState"], each.get("ValidUntil")
            )
            for page in pages
            for each in page["Fleets"]
        ]
    return [each for each in found if TAG_STACK in each.tags and each.state not in _ENDED]


def instances(clients: Clients) -> list[Resource]:
    """Lists pdfbatch's instances that are not terminated yet."""
    filters: list[Any] = [
        {"Name": "instance-state-name", "Values": _LIVING},
        {"Name": "tag-key", "Values": [TAG_STACK]},
    ]
    with aws.translating("list the instances"):
        return [
            Resource(each["InstanceId"], _tags_of(each), each.get("LaunchTime"), each["State"]["Name"])
            for page in clients.ec2.get_paginator("describe_instances").paginate(Filters=filters)
            for group in page["Reservations"]
            for each in group["Instances"]
        ]


def templates(clients: Clients) -> list[Resource]:
    """Lists pdfbatch's launch templates; `id` is the name."""
    filters: list[Any] = [{"Name": "tag-key", "Values": [TAG_STACK]}]
    with aws.translating("list the launch templates"):
        return [
            Resource(each["LaunchTemplateName"], _tags_of(each), each.get("CreateTime"))
            for page in clients.ec2.get_paginator("describe_launch_templates").paginate(Filters=filters)
            for each in page["LaunchTemplates"]
        ]


def living(clients: Clients, now: datetime) -> list[Resource]:
    """Lists pdfbatch's fleets that may still launch, and its instances that are not terminated."""
    there = instances(clients)
    return [*(each for each in fleets(clients) if not is_over(each, there, now)), *there]


def is_over(fleet: Resource, there: Iterable[Resource], now: datetime) -> bool:
    """Whether a fleet is expired and has no instance. AWS calls it `active` until it is deleted."""
    if fleet.expires is None or fleet.expires > now:
        return False
    return all((each.run, each.worker) != (fleet.run, fleet.worker) for each in there)


def trouble_of(clients: Clients, fleet: str, since: datetime) -> str:
    """Returns a fleet's last launch error, else why it halted; "": neither since then."""
    with aws.translating(f"read the history of {fleet}"):
        records = list(_history(clients, fleet, since))
    errors = [each for each in records if _is_error(each)] or [each for each in records if _is_halt(each)]
    if not errors:
        return ""
    errors.sort(key=lambda record: record.get("Timestamp", since))
    last = errors[-1].get("EventInformation", {})
    return f"{last.get('EventSubType', 'error')}: {last.get('EventDescription', '')}".rstrip(": ")


def _history(clients: Clients, fleet: str, since: datetime) -> Iterator[Any]:
    """Yields all pages; boto3 has no paginator for it."""
    more: Any = {}
    while True:
        answer = clients.ec2.describe_fleet_history(FleetId=fleet, StartTime=since, **more)
        yield from answer["HistoryRecords"]
        if not answer.get("NextToken"):
            return
        more = {"NextToken": answer["NextToken"]}


def _is_error(record: Any) -> bool:
    """Whether it is an `error` or `service-error`. AWS's guide and API reference spell types differently:
    `instance-change`, `instanceChange`."""
    return str(record.get("EventType", "")).replace("-", "").lower() in ("error", "serviceerror")


def _is_halt(record: Any) -> bool:
    """Whether the price ceiling halts the fleet, which AWS reports as information, not as an error. Source: EC2 guide,
    "EC2 Fleet event types"."""
    return record.get("EventInformation", {}).get("EventSubType") in ("launchSpecUnusable", "fleetProgressHalted")


def _tags_of(found: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}


# ── delete ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def delete_fleets(clients: Clients, ids: Sequence[str]) -> list[str]:
    """Deletes fleets with their instances; returns AWS's messages about those it could not delete."""
    refused = []
    for start in range(0, len(ids), _DELETE_AT_ONCE):
        with aws.translating("delete the fleets"):
            answer = clients.ec2.delete_fleets(
                FleetIds=list(ids[start : start + _DELETE_AT_ONCE]), TerminateInstances=True
            )
        for each in answer.get("UnsuccessfulFleetDeletions", []):
            error = each.get("Error", {})
            if error.get("Code") == "fleetNotInDeletableState":
                continue  # already deleted
            refused.append(f"{each.get('FleetId')}: {error.get('Message', error.get('Code'))}")
    return refused


def terminate(clients: Clients, ids: Sequence[str]) -> None:
    """Terminates instances. One that is already gone fails the whole batch with 403 or NotFound: each is then
    terminated alone, and those errors are ignored."""
    if not ids:
        return
    try:
        with aws.translating("terminate the instances"):
            clients.ec2.terminate_instances(InstanceIds=list(ids))
    except PdfbatchError as error:
        if error.code not in ("UnauthorizedOperation", "InvalidInstanceID.NotFound"):
            raise
        if len(ids) > 1:
            for each in ids:
                terminate(clients, [each])


def delete_templates(clients: Clients, names: Iterable[str]) -> None:
    """Deletes launch templates; one that is already gone is no error."""
    for name in names:
        aws.call(
            f"delete the launch template {name}",
            lambda name=name: clients.ec2.delete_launch_template(LaunchTemplateName=name),  # type: ignore[misc]
            absent={"InvalidLaunchTemplateName.NotFoundException", "InvalidLaunchTemplateName.NotFound"},
        )


def decoded(clients: Clients, error: PdfbatchError) -> str:
    """Decodes which permission an encoded EC2 refusal says is missing; "" if it cannot be decoded."""
    _, mark, secret = error.said.partition("Encoded authorization failure message: ")
    if not mark:
        return ""
    try:
        with aws.translating("decode the refusal"):
            answer = clients.sts.decode_authorization_message(EncodedMessage=secret.split()[0])
        context = json.loads(answer["DecodedMessage"])["context"]
        return f"not allowed: {context['action']} on {context['resource']}"
    except (PdfbatchError, KeyError, ValueError):
        return ""

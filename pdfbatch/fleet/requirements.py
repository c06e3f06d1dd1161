"""The requirements of a launch: one table, judged from the account's facts. Pure.

`doctor` shows every row, `plan` those that are not met; `launch` is refused if any is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pdfbatch.fleet import pricing, routes
from pdfbatch.fleet.batch.environment import BatchEnvironment
from pdfbatch.fleet.facts import AccountFacts, Fact, Missing, Need, PlaceFacts, Unknown
from pdfbatch.fleet.policies import SERVICE_ROLES
from pdfbatch.fleet.template import SetupWish, out_of_reach
from pdfbatch.fleet.values import Check, State, Subnet
from pdfbatch.records import WAY_NAMES, Secret, WayName


class Finding(NamedTuple):
    state: State
    found: str
    hint: str = ""


class Requirement(NamedTuple):
    name: str
    judge: Callable[[AccountFacts, Need], Finding]
    is_comfort: bool = False
    """Optional for a launch, so a plan does not mention it."""
    ways: Sequence[WayName] = WAY_NAMES
    """The ways to run workers that have it."""


def judge(facts: AccountFacts, need: Need) -> list[Check]:
    """Judges every requirement, in the table's order."""
    wanted = [each for each in _table(need.request.way) if need.request.way in each.ways]
    return [Check(name=each.name, **each.judge(facts, need)._asdict()) for each in wanted]


def _table(way: WayName) -> Sequence[Requirement]:
    if way != "sagemaker":
        return REQUIREMENTS
    from pdfbatch.fleet.sagemaker.requirements import PROCESSING_REQUIREMENTS

    return PROCESSING_REQUIREMENTS


def unmet(checks: Sequence[Check]) -> list[Check]:
    """Selects what a plan reports: unmet requirements that are not optional."""
    comforts = {each.name for each in REQUIREMENTS if each.is_comfort}
    return [check for check in checks if check.state != "ok" and check.name not in comforts]


def _unusable(fact: Fact[Any], *others: Fact[Any]) -> Finding | None:
    """Returns the finding for the first fact that is missing or unknown; None where all are known."""
    for each in (fact, *others):
        if isinstance(each, Missing):
            return Finding("missing", *each)
        if isinstance(each, Unknown):
            return Finding("unknown", *each)
    return None


def _quota(facts: AccountFacts, need: Need) -> Finding:
    """Judges the vCPU quota; mixed types are counted as if all were of the largest."""
    if unusable := _unusable(facts.quota, facts.types):
        return unusable
    quota, types = facts.quota, facts.types
    assert not isinstance(quota, Missing | Unknown) and not isinstance(types, Missing | Unknown)
    each = max(fact.vcpus for fact in types.values())
    needed = each * need.request.workers
    room = pricing.room(quota, each)
    if room is None or quota.limit is None:
        ask = "Ask for the permissions servicequotas:GetServiceQuota and servicequotas:GetAWSDefaultServiceQuota."
        return Finding("unknown", f"{quota.name} ({quota.code}) cannot be read", ask)
    hint = pricing.quota_request(quota.code, math.ceil(quota.used + needed), facts.region)
    found = f"{quota.name} ({quota.code}): {quota.limit:g} vCPUs, {quota.used:g} in use, {needed} needed"
    if room >= need.request.workers:
        return Finding("ok", found)
    if room < 1:
        return Finding("missing", f"{found}: no room for one instance", hint)
    return Finding("warning", f"{found}: enough for {room} of {need.request.workers} workers", hint)


def _offerings(facts: AccountFacts, need: Need) -> Finding:
    if unusable := _unusable(facts.offered):
        return unusable
    types = need.request.instance_types
    zones = _offering_zones(facts)
    if not zones:
        return Finding(
            "missing",
            f"{facts.region} does not offer {' or '.join(types)}",
            "Choose another type with --instance-type, or another region with AWS_DEFAULT_REGION.",
        )
    found = f"{' or '.join(types)} in {', '.join(sorted(zones))}"
    assert isinstance(facts.offered, dict)
    if absent := [kind for kind in types if not facts.offered.get(kind)]:
        return Finding("warning", f"{found}; no {' or '.join(absent)}", "Remove the types that are not offered.")
    return Finding("ok", found)


def _offering_zones(facts: AccountFacts) -> set[str]:
    return {zone for zones in facts.offered.values() for zone in zones} if isinstance(facts.offered, dict) else set()


def offering_subnets(facts: AccountFacts) -> list[Subnet]:
    """Selects the subnets in zones that offer one of the types; all of them where the offerings are unknown."""
    if not isinstance(facts.subnets, list):
        return []
    if not isinstance(facts.offered, dict):
        return facts.subnets
    return [subnet for subnet in facts.subnets if subnet.zone in _offering_zones(facts)]


def _subnets(facts: AccountFacts, need: Need) -> Finding:
    if unusable := _unusable(facts.subnets):
        return unusable
    there = offering_subnets(facts)
    if not there:
        return Finding(
            "missing",
            f"no subnet is in a zone that offers {' or '.join(need.request.instance_types)}",
            "aws ec2 create-default-subnet --availability-zone ZONE, or choose your own subnets with --subnet",
        )
    shut = [f"{subnet.id} ({subnet.zone})" for subnet in there if subnet.way_out == routes.NONE]
    if len(shut) == len(there):
        return Finding(
            "missing",
            f"instances in {', '.join(shut)} cannot reach S3: the route table has no route out",
            "Choose public subnets with --subnet (route to an internet gateway, public IPv4 on launch), or add a "
            f"NAT gateway or endpoints for {', '.join(routes.NEEDED_ENDPOINTS)}.",
        )
    found = _by_way_out(there)
    if any(subnet.way_out is None for subnet in there):
        hint = "Ask for the permissions ec2:DescribeRouteTables and ec2:DescribeVpcEndpoints."
        return Finding("unknown", f"whether instances in {', '.join(s.id for s in there)} can reach S3", hint)
    if shut:
        return Finding("warning", f"one in each of {found}; left out, no route to S3: {', '.join(shut)}", "")
    return Finding("ok", f"one in each of {found}")


def _by_way_out(subnets: Sequence[Subnet]) -> str:
    """Formats zones by how instances there reach S3: `us-east-1a, us-east-1b (internet gateway)`."""
    ways = dict.fromkeys(subnet.way_out for subnet in subnets if subnet.way_out)
    return "; ".join(f"{', '.join(each.zone for each in subnets if each.way_out == way)} ({way})" for way in ways)


def _service_roles(facts: AccountFacts, need: Need) -> Finding:
    """Judges the service-linked roles. Only the console creates them by itself; the API needs them to exist, or the
    permission to create them."""
    if unusable := _unusable(facts.missing_service_roles):
        return unusable
    assert isinstance(facts.missing_service_roles, list)
    if not (missing := facts.missing_service_roles):
        return Finding("ok", ", ".join(SERVICE_ROLES))
    if facts.has_profile is False:  # setup creates them too
        return Finding("missing", f"no {', '.join(missing)}", need.setup())
    commands = [f"aws iam create-service-linked-role --aws-service-name {SERVICE_ROLES[role]}" for role in missing]
    return Finding("missing", f"no {', '.join(missing)}", "; ".join(commands))


def _role(facts: AccountFacts, need: Need) -> Finding:
    if unusable := _unusable(facts.has_profile):
        return unusable
    names = need.request.names
    if need.request.way == "batch":
        name, lacking = names.job_role(facts.region), f"no role {names.job_role(facts.region)}"
    else:
        name = names.role(facts.region)
        lacking = f"no instance profile {name} with a role in it"
    return Finding("ok", name) if facts.has_profile else Finding("missing", lacking, need.setup())


def _policy(facts: AccountFacts, need: Need) -> Finding:
    """Judges the policy by the stack's metadata, which it was rendered from; a role made elsewhere stays unknown."""
    if facts.has_profile is False:
        return Finding("missing", "no role yet", need.setup())
    if unusable := _unusable(facts.made_for, facts.has_profile):
        return unusable
    made_for = facts.made_for
    assert isinstance(made_for, SetupWish)
    if made_for == SetupWish(need.request.names):
        names, region = need.request.names, facts.region
        roles = {"batch": names.job_role(region), "sagemaker": names.processing_role(region)}
        role = roles.get(need.request.way, names.role(region))
        return Finding(
            "unknown", f"the role {role} is not from `pdfbatch setup`", "Compare `pdfbatch doctor --policy`."
        )
    if outside := out_of_reach(made_for, need.inputs, need.outputs):
        return Finding("missing", f"the role has no access to {', '.join(outside)}", need.setup())
    if need.request.is_pool and not made_for.pools:
        return Finding("missing", "the role may not use queues: the stack is of an earlier version", need.setup())
    reads = ", ".join([*made_for.inputs, *made_for.models])
    return Finding("ok", f"reads {reads}; writes {', '.join(made_for.outputs)}")


def _security_group(facts: AccountFacts, need: Need) -> Finding:
    if unusable := _unusable(facts.security_group):
        return unusable
    group, name = facts.security_group, need.request.names.security_group
    if group is None:
        of_vpc = isinstance(facts.subnets, list) and need.request.subnets
        vpc = f" --vpc {facts.subnets[0].vpc}" if of_vpc and isinstance(facts.subnets, list) else ""
        return Finding("missing", f"no security group {name}", need.setup() + vpc)
    assert not isinstance(group, Missing | Unknown)
    if group.lets_in:
        return Finding("warning", f"{name} has inbound rules", "Remove them: workers need none.")
    return Finding("ok", f"{name} in {group.vpc}, no inbound rules")


def _compute_environment(facts: AccountFacts, need: Need) -> Finding:
    """Judges where AWS Batch runs jobs. Those for which there is no room wait until others have ended."""
    if unusable := _unusable(need.batch, facts.types):
        return unusable
    found, types = need.batch, facts.types
    assert isinstance(found, BatchEnvironment) and not isinstance(types, Missing | Unknown)
    enable = f"aws batch update-compute-environment --compute-environment {found.name} --state ENABLED"
    if found.status == "INVALID":
        reason = found.reason.rstrip(".")
        return Finding(
            "missing", f"the compute environment {found.name} is INVALID: {reason}", f"Fix that, then: {enable}"
        )
    if found.state != "ENABLED":
        return Finding(
            "missing", f"the compute environment {found.name} is {found.state}: it starts no instances", enable
        )
    if not found.takes_jobs:
        state = f"the queue {found.name} is {found.queue_state}, {found.queue_status}"
        return Finding("missing", state, f"aws batch update-job-queue --job-queue {found.name} --state ENABLED")
    room = found.most_vcpus // max(fact.vcpus for fact in types.values())
    more = f"{need.setup()} --max-vcpus {max(fact.vcpus for fact in types.values()) * need.request.workers}"
    has = f"{found.name}: {' or '.join(found.types)}, at most {found.most_vcpus} vCPUs"
    if room < 1:
        return Finding("missing", f"{has}: no room for one instance", more)
    if found.status != "VALID":
        return Finding("warning", f"{has}; it is {found.status}", "Jobs start when it is VALID.")
    if room < need.request.workers:
        return Finding("warning", f"{has}: {room} of {need.request.workers} workers at a time", more)
    return Finding("ok", has)


def _log_group(facts: AccountFacts, need: Need) -> Finding:
    if unusable := _unusable(facts.log_days):
        return unusable
    name = need.request.names.log_group
    if facts.log_days is None:
        hint = f"aws logs put-retention-policy --log-group-name {name} --retention-in-days 7"
        return Finding("warning", f"{name} never expires its logs, which costs money", hint)
    return Finding("ok", f"{name}, {facts.log_days} days")


def _topic(facts: AccountFacts, need: Need) -> Finding:
    topic = need.request.names.topic
    if isinstance(facts.subscriptions, Missing):
        return Finding("warning", *facts.subscriptions)
    if unusable := _unusable(facts.subscriptions):
        return unusable
    assert isinstance(facts.subscriptions, list)
    if not facts.subscriptions:
        return Finding("warning", f"the topic {topic} has no subscribers", f"{need.setup()} --email ADDRESS")
    if waiting := [each.endpoint for each in facts.subscriptions if not each.is_confirmed]:
        return Finding("warning", f"not confirmed: {', '.join(waiting)}", "Confirm the subscription email from AWS.")
    return Finding("ok", f"sends email to {', '.join(each.endpoint for each in facts.subscriptions)}")


def _budget(facts: AccountFacts, _need: Need) -> Finding:
    if isinstance(facts.budget, Missing):
        return Finding("warning", *facts.budget)
    return _unusable(facts.budget) or Finding("ok", str(facts.budget))


def _repository(facts: AccountFacts, _need: Need) -> Finding:
    """Judges the repository, which is not needed if --image names an image."""
    return _unusable(facts.repository) or Finding("ok", str(facts.repository) or "not needed: --image is set")


def _image(facts: AccountFacts, _need: Need) -> Finding:
    return _unusable(facts.image) or Finding("ok", str(facts.image))


def _ami(facts: AccountFacts, _need: Need) -> Finding:
    if unusable := _unusable(facts.ami):
        return unusable
    assert not isinstance(facts.ami, Missing | Unknown)
    return Finding("ok", f"{facts.ami.id}, {facts.ami.root_gib} GiB root")


def _key_pair(facts: AccountFacts, need: Need) -> Finding:
    name = need.request.key_name
    if not name:
        return Finding("ok", "none requested")
    if unusable := _unusable(facts.has_key):
        return unusable
    if facts.has_key:
        return Finding("ok", name)
    return Finding("missing", f"no key pair {name} in {facts.region}", "Set --key-name to a key pair of this region.")


def _bucket_keys(facts: AccountFacts, need: Need) -> Finding:
    """Judges the buckets' KMS keys: without its key an object can be neither read nor written."""
    if unusable := _unusable(facts.bucket_keys, facts.made_for):
        return unusable
    assert isinstance(facts.bucket_keys, dict) and isinstance(facts.made_for, SetupWish)
    if not facts.bucket_keys:
        return Finding("ok", "the buckets use no customer-managed key")
    known = facts.made_for.keys
    unknown_keys = {
        bucket: key for bucket, key in facts.bucket_keys.items() if not any(arn.endswith(key) for arn in known)
    }
    if not unknown_keys:
        return Finding("ok", f"the role may use {', '.join(sorted(set(facts.bucket_keys.values())))}")
    found = "; ".join(f"s3://{bucket} is encrypted with {key}" for bucket, key in unknown_keys.items())
    hint = " ".join([need.setup(), *(f"--kms-key {key}" for key in dict.fromkeys(unknown_keys.values()))])
    if facts.made_for == SetupWish(need.request.names) or any("alias/" in key for key in unknown_keys.values()):
        return Finding("unknown", f"{found}: whether the role may use it", hint)
    return Finding("missing", f"{found}, which the role may not use", hint)


def _passwords(facts: AccountFacts, need: Need) -> Finding:
    """Judges whether the secrets exist and the role may read them; their values are not read."""
    if not need.request.secrets:
        return Finding("ok", "no secret set")
    if unusable := _unusable(facts.secret, facts.made_for):
        return unusable
    assert isinstance(facts.made_for, SetupWish)
    if facts.made_for == SetupWish(need.request.names):
        return Finding("unknown", f"whether the role may read {facts.secret}", need.setup())
    if not set(need.request.secrets) <= set(facts.made_for.secrets):
        return Finding("missing", f"the role may not read {facts.secret}", need.setup())
    regions = {Secret.read(arn).region for arn in need.request.secrets}
    if abroad := regions - {facts.region}:
        where = " and ".join(sorted(abroad))
        return Finding("warning", f"{facts.secret} is in {where}, the fleet in {facts.region}", "Copy it there.")
    return Finding("ok", f"{facts.secret}, which the role may read")


def _events(facts: AccountFacts, need: Need) -> Finding:
    """Judges whether the sinks in AWS exist and the role may send to them, and whether it may read what others need.
    What a webhook or Kafka would answer to an instance cannot be known here."""
    sinks, secret = need.request.events, need.request.events_secret
    if not sinks:
        return Finding("ok", "no sinks requested")
    if unusable := _unusable(facts.sinks, facts.sinks_secret, facts.made_for):
        return unusable
    assert isinstance(facts.sinks, list) and isinstance(facts.made_for, SetupWish)
    if not secret and (locked := next((sink for sink in sinks if sink.needs_secret), None)):
        return Finding(
            "missing", f"{locked.text} needs a key or a password", "Add --events-secret ARN (docs/events.md)."
        )
    barred = [*set(facts.sinks) - set(facts.made_for.events), *({secret} - {"", *facts.made_for.secrets})]
    if barred and facts.made_for == SetupWish(need.request.names):
        return Finding("unknown", f"whether the role may use {', '.join(barred)}", need.setup())
    if barred:
        return Finding("missing", f"the role may not use {', '.join(barred)}", need.setup())
    return Finding("ok", f"to {', '.join(sink.text for sink in sinks)}")


def _inputs(facts: AccountFacts, _need: Need) -> Finding:
    return _places(facts.inputs, facts.region)


def _outputs(facts: AccountFacts, _need: Need) -> Finding:
    return _places(facts.outputs, facts.region)


def _places(places: Fact[list[PlaceFacts]], region: str) -> Finding:
    """Judges the regions of the URLs: cross-region transfer is slower and billed by the gigabyte."""
    if unusable := _unusable(places):
        return unusable
    assert isinstance(places, list)
    if not places:
        return Finding("unknown", "no URL given", "pdfbatch doctor --input S3URL --output S3URL")
    if abroad := [each for each in places if each.region != region]:
        where = "; ".join(f"{each.url} is in {each.region}" for each in abroad)
        hint = f"Set AWS_DEFAULT_REGION={abroad[0].region}, and run setup and launch there"
        return Finding("warning", f"{where}: cross-region transfer is billed", hint)
    return Finding("ok", f"{', '.join(each.url for each in places)} in {region}")


def places_abroad(facts: AccountFacts) -> list[PlaceFacts]:
    """Selects the known inputs and outputs in another region than the fleet."""
    known = [each for places in (facts.inputs, facts.outputs) if isinstance(places, list) for each in places]
    return [each for each in known if each.region != facts.region]


REQUIREMENTS = [
    Requirement("quota", _quota),
    Requirement("instance types", _offerings),
    Requirement("subnets", _subnets),
    Requirement("compute environment", _compute_environment, ways=("batch",)),
    Requirement("service-linked roles", _service_roles),
    Requirement("worker role", _role),
    Requirement("role's policy", _policy),
    Requirement("security group", _security_group, ways=("spot",)),
    Requirement("log group", _log_group),
    Requirement("AMI", _ami, ways=("spot",)),
    Requirement("image repository", _repository),
    Requirement("worker image", _image),
    Requirement("key pair", _key_pair, ways=("spot",)),
    Requirement("input", _inputs),
    Requirement("output", _outputs),
    Requirement("bucket keys", _bucket_keys),
    Requirement("passwords", _passwords),
    Requirement("events", _events),
    Requirement("SNS topic", _topic, is_comfort=True),
    Requirement("budget", _budget, is_comfort=True),
]

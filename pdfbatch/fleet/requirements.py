"""What a launch requires of an account: one table, judged from its facts. Pure.

`doctor` shows every row, a plan those that are not met, and a launch is refused at the first one that is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pdfbatch.fleet import pricing, routes
from pdfbatch.fleet.facts import AccountFacts, Fact, Missing, Need, PlaceFacts, Unknown
from pdfbatch.fleet.policies import SERVICE_ROLES
from pdfbatch.fleet.template import SetupWish, out_of_reach
from pdfbatch.fleet.values import Check, State, Subnet
from pdfbatch.records import Secret


class Finding(NamedTuple):
    state: State
    found: str
    cure: str = ""


class Requirement(NamedTuple):
    name: str
    judge: Callable[[AccountFacts, Need], Finding]
    is_comfort: bool = False
    """A launch does without it: a plan does not mention it."""


def judge(facts: AccountFacts, need: Need) -> list[Check]:
    """Every requirement, in the table's order."""
    return [Check(name=each.name, **each.judge(facts, need)._asdict()) for each in REQUIREMENTS]


def unmet(checks: Sequence[Check]) -> list[Check]:
    """Those that a plan tells: what is not met and is more than a comfort."""
    comforts = {each.name for each in REQUIREMENTS if each.is_comfort}
    return [check for check in checks if check.state != "ok" and check.name not in comforts]


def _untold(fact: Fact[Any], *others: Fact[Any]) -> Finding | None:
    """The finding for the first fact that is not there or not told; None where all are."""
    for each in (fact, *others):
        if isinstance(each, Missing):
            return Finding("missing", *each)
        if isinstance(each, Unknown):
            return Finding("unknown", *each)
    return None


def _quota(facts: AccountFacts, need: Need) -> Finding:
    """Instances of different types are counted as if all were of the largest."""
    if untold := _untold(facts.quota, facts.types):
        return untold
    quota, types = facts.quota, facts.types
    assert not isinstance(quota, Missing | Unknown) and not isinstance(types, Missing | Unknown)
    each = max(fact.vcpus for fact in types.values())
    needed = each * need.request.workers
    room = pricing.room(quota, each)
    if room is None or quota.limit is None:
        ask = "Ask for the permissions servicequotas:GetServiceQuota and servicequotas:GetAWSDefaultServiceQuota."
        return Finding("unknown", f"{quota.name} ({quota.code}) cannot be asked", ask)
    cure = pricing.quota_request(quota.code, math.ceil(quota.used + needed), facts.region)
    found = f"{quota.name} ({quota.code}): {quota.limit:g} vCPUs, {quota.used:g} in use, {needed} needed"
    if room >= need.request.workers:
        return Finding("ok", found)
    if room < 1:
        return Finding("missing", f"{found}: leaves no room", cure)
    return Finding("warning", f"{found}: enough for {room} of {need.request.workers} workers", cure)


def _offerings(facts: AccountFacts, need: Need) -> Finding:
    if untold := _untold(facts.offered):
        return untold
    types = need.request.instance_types
    zones = _offering_zones(facts)
    if not zones:
        return Finding(
            "missing",
            f"{facts.region} has no {' or '.join(types)}",
            "Choose another type with --instance-type, or another region with AWS_DEFAULT_REGION.",
        )
    found = f"{' or '.join(types)} in {', '.join(sorted(zones))}"
    assert isinstance(facts.offered, dict)
    if absent := [kind for kind in types if not facts.offered.get(kind)]:
        return Finding("warning", f"{found}; no {' or '.join(absent)}", "Leave the types out that are not offered.")
    return Finding("ok", found)


def _offering_zones(facts: AccountFacts) -> set[str]:
    return {zone for zones in facts.offered.values() for zone in zones} if isinstance(facts.offered, dict) else set()


def offering_subnets(facts: AccountFacts) -> list[Subnet]:
    """The subnets in zones that offer one of the types; all where that could not be asked."""
    if not isinstance(facts.subnets, list):
        return []
    if not isinstance(facts.offered, dict):
        return facts.subnets
    return [subnet for subnet in facts.subnets if subnet.zone in _offering_zones(facts)]


def _subnets(facts: AccountFacts, need: Need) -> Finding:
    if untold := _untold(facts.subnets):
        return untold
    there = offering_subnets(facts)
    if not there:
        return Finding(
            "missing",
            f"no subnet is in a zone that offers {' or '.join(need.request.instance_types)}",
            "aws ec2 create-default-subnet --availability-zone ZONE, or name subnets of yours with --subnet",
        )
    shut = [f"{subnet.id} ({subnet.zone})" for subnet in there if subnet.way_out == routes.NONE]
    if len(shut) == len(there):
        return Finding(
            "missing",
            f"instances in {', '.join(shut)} cannot reach S3: the route table has no way out",
            "Name public subnets with --subnet (route to an internet gateway, public IPv4 on launch), or give these a "
            f"NAT gateway, or endpoints for {', '.join(routes.NEEDED_ENDPOINTS)}.",
        )
    found = ", ".join(f"{subnet.zone} ({subnet.way_out})" for subnet in there if subnet.way_out)
    if any(subnet.way_out is None for subnet in there):
        cure = "Ask for the permissions ec2:DescribeRouteTables and ec2:DescribeVpcEndpoints."
        return Finding("unknown", f"whether instances in {', '.join(s.id for s in there)} can reach S3", cure)
    if shut:
        return Finding("warning", f"one in each of {found}; left out, no way to S3: {', '.join(shut)}", "")
    return Finding("ok", f"one in each of {found}")


def _service_roles(facts: AccountFacts, _need: Need) -> Finding:
    """EC2 makes them only in the console by itself; through the API they must be there, or the caller may make them."""
    if untold := _untold(facts.missing_service_roles):
        return untold
    assert isinstance(facts.missing_service_roles, list)
    if not (missing := facts.missing_service_roles):
        return Finding("ok", ", ".join(SERVICE_ROLES))
    commands = [f"aws iam create-service-linked-role --aws-service-name {SERVICE_ROLES[role]}" for role in missing]
    return Finding("missing", f"no {', '.join(missing)}", "; ".join(commands))


def _role(facts: AccountFacts, need: Need) -> Finding:
    if untold := _untold(facts.has_profile):
        return untold
    name = need.request.names.role(facts.region)
    if facts.has_profile:
        return Finding("ok", name)
    return Finding("missing", f"no instance profile {name} with a role in it", need.setup())


def _policy(facts: AccountFacts, need: Need) -> Finding:
    """The policy is rendered from the stack's wish and nothing else; another maker's role cannot be judged here."""
    if facts.has_profile is False:
        return Finding("missing", "no role yet", need.setup())
    if untold := _untold(facts.made_for, facts.has_profile):
        return untold
    made_for = facts.made_for
    assert isinstance(made_for, SetupWish)
    if made_for == SetupWish(need.request.names):
        role = need.request.names.role(facts.region)
        return Finding(
            "unknown", f"the role {role} is not from `pdfbatch setup`", "Compare `pdfbatch doctor --policy`."
        )
    if outside := out_of_reach(made_for, need.inputs, need.outputs):
        return Finding("missing", f"the role may not use {', '.join(outside)}", need.setup())
    reads = ", ".join([*made_for.inputs, *made_for.models])
    return Finding("ok", f"reads {reads}; writes {', '.join(made_for.outputs)}")


def _security_group(facts: AccountFacts, need: Need) -> Finding:
    if untold := _untold(facts.security_group):
        return untold
    group, name = facts.security_group, need.request.names.security_group
    if group is None:
        of_vpc = isinstance(facts.subnets, list) and need.request.subnets
        vpc = f" --vpc {facts.subnets[0].vpc}" if of_vpc and isinstance(facts.subnets, list) else ""
        return Finding("missing", f"no security group {name}", need.setup() + vpc)
    assert not isinstance(group, Missing | Unknown)
    if group.lets_in:
        return Finding("warning", f"{name} lets something in", "Remove its inbound rules: workers need none.")
    return Finding("ok", f"{name} in {group.vpc}, lets nothing in")


def _log_group(facts: AccountFacts, need: Need) -> Finding:
    if untold := _untold(facts.log_days):
        return untold
    name = need.request.names.log_group
    if facts.log_days is None:
        cure = f"aws logs put-retention-policy --log-group-name {name} --retention-in-days 7"
        return Finding("warning", f"{name} keeps its lines for ever, which costs", cure)
    return Finding("ok", f"{name}, {facts.log_days} days")


def _topic(facts: AccountFacts, need: Need) -> Finding:
    topic = need.request.names.topic
    if isinstance(facts.subscriptions, Missing):
        return Finding("warning", *facts.subscriptions)
    if untold := _untold(facts.subscriptions):
        return untold
    assert isinstance(facts.subscriptions, list)
    if not facts.subscriptions:
        return Finding("warning", f"nobody is subscribed to the topic {topic}", f"{need.setup()} --email ADDRESS")
    if waiting := [each.endpoint for each in facts.subscriptions if not each.is_confirmed]:
        return Finding("warning", f"not confirmed: {', '.join(waiting)}", "Follow the link in the mail that AWS sent.")
    return Finding("ok", f"mails {', '.join(each.endpoint for each in facts.subscriptions)}")


def _budget(facts: AccountFacts, _need: Need) -> Finding:
    if isinstance(facts.budget, Missing):
        return Finding("warning", *facts.budget)
    return _untold(facts.budget) or Finding("ok", str(facts.budget))


def _repository(facts: AccountFacts, _need: Need) -> Finding:
    """Also of use without it: any image that an instance can pull may be named."""
    return _untold(facts.repository) or Finding("ok", str(facts.repository) or "not needed: an image is named")


def _image(facts: AccountFacts, _need: Need) -> Finding:
    return _untold(facts.image) or Finding("ok", str(facts.image))


def _ami(facts: AccountFacts, _need: Need) -> Finding:
    if untold := _untold(facts.ami):
        return untold
    assert not isinstance(facts.ami, Missing | Unknown)
    return Finding("ok", f"{facts.ami.id}, {facts.ami.root_gib} GiB root")


def _key_pair(facts: AccountFacts, need: Need) -> Finding:
    name = need.request.key_name
    if not name:
        return Finding("ok", "none is asked for")
    if untold := _untold(facts.has_key):
        return untold
    if facts.has_key:
        return Finding("ok", name)
    return Finding("missing", f"no key pair {name} in {facts.region}", "Give --key-name one of this region.")


def _bucket_keys(facts: AccountFacts, need: Need) -> Finding:
    """An object under a key that the role may not use can be neither read nor written."""
    if untold := _untold(facts.bucket_keys, facts.made_for):
        return untold
    assert isinstance(facts.bucket_keys, dict) and isinstance(facts.made_for, SetupWish)
    if not facts.bucket_keys:
        return Finding("ok", "the buckets need no key of your own")
    known = facts.made_for.keys
    unusable = {bucket: key for bucket, key in facts.bucket_keys.items() if not any(arn.endswith(key) for arn in known)}
    if not unusable:
        return Finding("ok", f"the role may use {', '.join(sorted(set(facts.bucket_keys.values())))}")
    found = "; ".join(f"s3://{bucket} is encrypted with {key}" for bucket, key in unusable.items())
    cure = " ".join([need.setup(), *(f"--kms-key {key}" for key in dict.fromkeys(unusable.values()))])
    if facts.made_for == SetupWish(need.request.names) or any("alias/" in key for key in unusable.values()):
        return Finding("unknown", f"{found}: whether the role may use it", cure)
    return Finding("missing", f"{found}, which the role may not use", cure)


def _passwords(facts: AccountFacts, need: Need) -> Finding:
    """Whether the secret is there and the role may read it; its value is nobody's business here."""
    arn = need.request.password_secret
    if not arn:
        return Finding("ok", "no secret is named")
    if untold := _untold(facts.secret, facts.made_for):
        return untold
    assert isinstance(facts.made_for, SetupWish)
    if facts.made_for == SetupWish(need.request.names):
        return Finding("unknown", f"whether the role may read {facts.secret}", need.setup())
    if arn not in facts.made_for.secrets:
        return Finding("missing", f"the role may not read {facts.secret}", need.setup())
    region = Secret.read(arn).region
    if region != facts.region:
        return Finding("warning", f"{facts.secret} is in {region}, the fleet in {facts.region}", "Copy it there.")
    return Finding("ok", f"{facts.secret}, which the role may read")


def _inputs(facts: AccountFacts, _need: Need) -> Finding:
    return _places(facts.inputs, facts.region)


def _outputs(facts: AccountFacts, _need: Need) -> Finding:
    return _places(facts.outputs, facts.region)


def _places(places: Fact[list[PlaceFacts]], region: str) -> Finding:
    """Data that crosses regions is slower and costs by the gigabyte."""
    if untold := _untold(places):
        return untold
    assert isinstance(places, list)
    if not places:
        return Finding("unknown", "no place is named", "pdfbatch doctor --input S3URL --output S3URL")
    if abroad := [each for each in places if each.region != region]:
        where = "; ".join(f"{each.url} is in {each.region}" for each in abroad)
        cure = f"AWS_DEFAULT_REGION={abroad[0].region}, and set up and launch there"
        return Finding("warning", f"{where}: cross-region transfer is billed", cure)
    return Finding("ok", f"{', '.join(each.url for each in places)} in {region}")


REQUIREMENTS = [
    Requirement("quota", _quota),
    Requirement("instance types", _offerings),
    Requirement("subnets", _subnets),
    Requirement("service-linked roles", _service_roles),
    Requirement("worker role", _role),
    Requirement("role's policy", _policy),
    Requirement("security group", _security_group),
    Requirement("log group", _log_group),
    Requirement("machine image", _ami),
    Requirement("image repository", _repository),
    Requirement("worker image", _image),
    Requirement("key pair", _key_pair),
    Requirement("input", _inputs),
    Requirement("output", _outputs),
    Requirement("bucket keys", _bucket_keys),
    Requirement("passwords", _passwords),
    Requirement("SNS topic", _topic, is_comfort=True),
    Requirement("budget", _budget, is_comfort=True),
]

"""The requirements of a SageMaker Processing job beyond those that all launches have. Pure."""

from __future__ import annotations

import re

from pdfbatch.fleet import pricing
from pdfbatch.fleet.facts import AccountFacts, Missing, Need, Unknown
from pdfbatch.fleet.requirements import REQUIREMENTS, Finding, Requirement
from pdfbatch.fleet.requirements import _unusable as unusable
from pdfbatch.fleet.sagemaker.facts import quota_name
from pdfbatch.fleet.template import SetupWish

_IN_ECR = re.compile(r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/")


def _quota(facts: AccountFacts, need: Need) -> Finding:
    """Judges the quota of each type: SageMaker counts instances, and a new account has 0 of most."""
    assert need.processing is not None
    if found := unusable(need.processing.quotas):
        return found
    quotas, wanted = need.processing.quotas, need.request.workers
    assert not isinstance(quotas, Missing | Unknown)
    if absent := [kind for kind in need.request.instance_types if kind not in quotas]:
        return Finding(
            "missing",
            f"{facts.region} has no quota {quota_name(absent[0])!r}: it does not offer that type",
            "Choose another type with --instance-type, or another region with AWS_DEFAULT_REGION.",
        )
    shown = [f"quota {q.name}: {q.limit or 0:g} instances, {q.used:g} in use, {wanted} needed" for q in quotas.values()]
    least = min(quotas.values(), key=lambda quota: pricing.room(quota, 1) or 0)
    room = pricing.room(least, 1) or 0
    hint = pricing.quota_request(least.code, least.used + wanted, facts.region, least.service)
    if room < 1:
        return Finding("missing", f"{'; '.join(shown)}: no room for one instance of {least.name.split()[0]}", hint)
    if room < wanted:
        return Finding("warning", f"{'; '.join(shown)}: enough for {room} of {wanted} workers", hint)
    return Finding("ok", "; ".join(shown))


def _price(_facts: AccountFacts, need: Need) -> Finding:
    assert need.processing is not None
    prices = need.processing.prices
    if found := unusable(prices):
        return found
    assert not isinstance(prices, Missing | Unknown)
    if unknown := [kind for kind in need.request.instance_types if kind not in prices]:
        return Finding(
            "unknown", f"no list price of {', '.join(unknown)} for processing", "See SageMaker's price page."
        )
    listed = ", ".join(f"{kind} ${price:.3f}/h" for kind, price in prices.items())
    return Finding("ok", f"{listed}; SageMaker has no Spot for processing")


def _role(facts: AccountFacts, need: Need) -> Finding:
    assert need.processing is not None
    if found := unusable(need.processing.role):
        return found
    if facts.made_for == SetupWish(need.request.names) or not isinstance(facts.made_for, SetupWish):
        return Finding("ok", f"{need.processing.role}, not from `pdfbatch setup`")
    return Finding("ok", str(need.processing.role))


def _image(facts: AccountFacts, _need: Need) -> Finding:
    """Judges where the image is: SageMaker pulls from ECR only."""
    if isinstance(facts.image, Missing | Unknown):
        return Finding("missing" if isinstance(facts.image, Missing) else "unknown", *facts.image)
    if not (found := _IN_ECR.match(facts.image)):
        return Finding(
            "missing",
            f"{facts.image} is not in ECR, and SageMaker pulls from nowhere else",
            "Push it to ECR with `make image push`, or name one there with --image.",
        )
    if found["region"] != facts.region:
        return Finding("missing", f"{facts.image} is in {found['region']}", f"Push it to ECR in {facts.region}.")
    return Finding("ok", facts.image)


def _network(facts: AccountFacts, need: Need) -> Finding:
    """Judges subnets and security groups, which only a job in a VPC has."""
    request = need.request
    if not request.subnets:
        return Finding("ok", "no VPC: SageMaker's own network" + (", and none at all" if request.isolated else ""))
    if found := unusable(facts.subnets):
        return found
    assert isinstance(facts.subnets, list)
    if not request.security_groups and facts.security_group is None:
        return Finding("missing", "no security group in the subnets' VPC", "Add --security-group ID.")
    shut = [subnet.id for subnet in facts.subnets if subnet.way_out == ""]
    if shut and not request.isolated:
        return Finding(
            "missing",
            f"jobs in {', '.join(shut)} cannot reach S3: the route table has no route out",
            "Add endpoints for S3, ECR (api and dkr) and CloudWatch Logs, or choose others with --subnet.",
        )
    return Finding("ok", f"in {', '.join(subnet.id for subnet in facts.subnets)}")


_OF_EC2 = {
    *("quota", "instance types", "subnets", "service-linked roles", "worker role", "security group", "log group"),
    *("AMI", "worker image", "key pair", "compute environment"),
}
"""Requirements of the other ways that a job of SageMaker does not have, or has in another form."""
PROCESSING_REQUIREMENTS = [
    Requirement("SageMaker quota", _quota),
    Requirement("SageMaker price", _price),
    Requirement("SageMaker role", _role),
    Requirement("network", _network),
    Requirement("worker image", _image),
    *(each for each in REQUIREMENTS if each.name not in _OF_EC2),
]

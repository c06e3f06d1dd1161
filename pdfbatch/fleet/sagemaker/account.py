"""Turns the facts about an account into what a plan for SageMaker uses. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pdfbatch.errors import NotReady
from pdfbatch.fleet.facts import AccountFacts, Missing, Need, SecurityGroup, Unknown
from pdfbatch.fleet.sagemaker.facts import ProcessingFacts, quota_name
from pdfbatch.fleet.sagemaker.jobs import LOG_GROUP
from pdfbatch.fleet.sagemaker.request import ec2_type
from pdfbatch.fleet.values import Account, Ami, Quota, Zone

if TYPE_CHECKING:
    from pdfbatch.fleet.values import Check

NO_DISK = Ami(id="", root_device="", root_gib=0)
"""SageMaker chooses its instances' image; their disks are in the price."""


def processing_account(facts: AccountFacts, need: Need, checks: list[Check], warnings: list[str]) -> Account:
    """Builds the account; what is missing was refused before.

    Raises:
        NotReady: something that every launch needs is unknown.
    """
    request, jobs = need.request, need.processing
    assert jobs is not None
    if isinstance(facts.types, Missing | Unknown):
        raise NotReady(f"The instance types cannot be looked up: {facts.types.found.rstrip('.')}.", facts.types.hint)
    names = request.names
    image = request.image if isinstance(facts.image, Missing | Unknown) else facts.image
    if not image:
        raise NotReady("The worker image cannot be looked up.", "Name it with --image.")
    types = {kind: facts.types[ec2_type(kind)] for kind in request.instance_types}
    prices = {} if isinstance(jobs.prices, Missing | Unknown) else jobs.prices
    if isinstance(jobs.prices, Unknown):
        warnings = [*warnings, f"not checked: SageMaker prices: {jobs.prices.found} ({jobs.prices.hint})"]
    group = facts.security_group
    own_group = [group.id] if request.subnets and isinstance(group, SecurityGroup) else []
    role = jobs.role if isinstance(jobs.role, str) else names.processing_role(facts.region)
    return Account(
        number=facts.number,
        region=facts.region,
        zones=[Zone(name="", subnet="", prices=prices)],
        vcpus={kind: each.vcpus for kind, each in types.items()},
        gpus={kind: each.gpu for kind, each in types.items()},
        quota=tightest_quota(jobs, request.instance_types),
        ami=NO_DISK,
        image=image,
        profile=role,
        security_groups=list(request.security_groups) or own_group,
        log_group=LOG_GROUP,
        topic=names.topic_arn(facts.region, facts.number) if isinstance(facts.subscriptions, list) else "",
        on_demand=prices,
        checks=checks,
        warnings=warnings,
    )


def tightest_quota(jobs: ProcessingFacts, types: object) -> Quota:
    """Returns the quota with the least room: SageMaker may take any of the types, and takes only one."""
    unknown = Quota(code="", name=quota_name(" or ".join(map(str, types))), limit=None, service="sagemaker")  # type: ignore[call-overload]
    if isinstance(jobs.quotas, Missing | Unknown) or not jobs.quotas:
        return unknown
    return min(jobs.quotas.values(), key=lambda quota: (quota.limit or 0.0) - quota.used)

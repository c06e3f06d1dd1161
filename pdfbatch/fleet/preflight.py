"""Turns an account's facts, judged once, into the one value that a plan uses."""

from __future__ import annotations

import re
import shlex
from typing import Any, TypeVar

from pdfbatch.errors import NotReady
from pdfbatch.fleet import aws_queries
from pdfbatch.fleet.batch.environment import BatchEnvironment
from pdfbatch.fleet.facts import AccountFacts, Fact, Missing, Need, Unknown
from pdfbatch.fleet.list_prices import ListPrices
from pdfbatch.fleet.requirements import judge, offering_subnets, places_abroad, unmet
from pdfbatch.fleet.routes import NONE
from pdfbatch.fleet.values import Account, Check, Quota, Zone

T = TypeVar("T")


def account_of(facts: AccountFacts, need: Need) -> Account:
    """Builds the account that the plan uses. Pure.

    Raises:
        NotReady: a requirement is missing, or something that every launch needs is unknown. All missing ones are named.
    """
    checks = judge(facts, need)
    open_points = unmet(checks)
    _refuse_missing(open_points, facts, need)
    if need.request.way == "sagemaker":
        from pdfbatch.fleet.sagemaker.account import processing_account

        return processing_account(facts, need, checks, list(map(_warning, open_points)))
    request, names = need.request, need.request.names
    types = _needed(facts.types, "instance types")
    group = _needed(facts.security_group, "security group")
    published = _or(facts.published, ListPrices())
    image = _or(facts.image, request.image) or _needed(facts.image, "worker image")
    code, family = aws_queries.family_of(list(request.instance_types), request.market)
    has_topic = isinstance(facts.subscriptions, list)
    return Account(
        number=facts.number,
        region=facts.region,
        zones=_zones(facts, need, published),
        vcpus={kind: each.vcpus for kind, each in types.items()},
        gpus={kind: each.gpu for kind, each in types.items()},
        memory_mib={kind: each.memory_mib for kind, each in types.items()},
        quota=_or(facts.quota, Quota(code=code, name=family, limit=None)),
        ami=_needed(facts.ami, "AMI"),
        image=image,
        profile=names.role(facts.region),
        security_groups=[group.id] if group else [],
        log_group=names.log_group,
        topic=names.topic_arn(facts.region, facts.number) if has_topic else "",
        on_demand=published.on_demand,
        **_limits(need, published),
        gib_month=published.gib_month,
        checks=checks,
        warnings=[*map(_warning, open_points), *_other_warnings(facts, image)],
    )


def _limits(need: Need, published: ListPrices) -> dict[str, Any]:
    """Returns the limits that a compute environment sets."""
    if not isinstance(need.batch, BatchEnvironment):
        return {}
    share = need.batch.bid_percentage / 100
    known = {kind: price for kind, price in published.on_demand.items() if kind in need.batch.types}
    ceilings = {kind: round(share * price, 4) for kind, price in known.items()}
    return {"ceilings": ceilings, "most_vcpus": need.batch.most_vcpus}


def _refuse_missing(open_points: list[Check], facts: AccountFacts, need: Need) -> None:
    missing = [check for check in open_points if check.state == "missing"]
    if not missing:
        return
    if abroad := places_abroad(facts):
        first_abroad = abroad[0]
        raise NotReady(
            f"{first_abroad.url} is in {first_abroad.region}, but the region here is {facts.region}, which lacks: "
            f"{', '.join(check.name for check in missing)}.",
            f"Set AWS_DEFAULT_REGION={first_abroad.region}, or work in {facts.region}: {need.setup()}",
        )
    first = missing[0]
    message = f"{_sentence(first.found).rstrip('.')}."
    if others := [check.name for check in missing[1:]]:
        given = [*(("--input", url) for url in need.inputs), *(("--output", url) for url in need.outputs)]
        given += [("--on", need.request.way)] if need.request.way != "spot" else []
        places = " ".join(f"{option} {shlex.quote(url)}" for option, url in given)
        message += f" Also missing: {', '.join(others)}; `pdfbatch doctor {places}` shows all."
    raise NotReady(message, first.hint)


def _sentence(text: str) -> str:
    """Begins with a capital letter, unless the first word is a name, as `us-east-1` or `s3://papers/`."""
    first = text.split(maxsplit=1)[0]
    return text[:1].upper() + text[1:] if re.fullmatch(r"[a-z]+('s)?[,.]?", first) else text


def _warning(check: Check) -> str:
    hint = f" ({check.hint})" if check.hint else ""
    return f"{'not checked: ' if check.state == 'unknown' else ''}{check.name}: {check.found}{hint}"


def _other_warnings(facts: AccountFacts, image: str) -> list[str]:
    """Lists warnings beyond the requirements."""
    warnings = [
        f"not checked: {name}: {fact.found} ({fact.hint})"
        for name, fact in (
            ("Spot prices", facts.prices),
            ("placement scores", facts.scores),
            ("SNS topic", facts.subscriptions),
        )
        if isinstance(fact, Unknown)
    ]
    if not aws_queries.is_pinned(image):
        warnings.append(f"the image {image} is not pinned by digest: a replacement may run a different version")
    return warnings


def _needed(fact: Fact[T], name: str) -> T:
    if isinstance(fact, Missing | Unknown):
        raise NotReady(f"The {name} cannot be looked up: {fact.found.rstrip('.')}.", fact.hint)
    return fact


def _or(fact: Fact[T], otherwise: T) -> T:
    return otherwise if isinstance(fact, Missing | Unknown) else fact


def _zones(facts: AccountFacts, need: Need, published: ListPrices) -> list[Zone]:
    _needed(facts.subnets, "subnets")
    subnets = [subnet for subnet in offering_subnets(facts) if subnet.way_out != NONE]
    offered = _or(facts.offered, {})
    scores, ids = _or(facts.scores, {}), _or(facts.zone_ids, {})
    prices = _or(facts.prices, {})
    if need.request.market == "on-demand":
        prices = {(kind, each.zone): price for kind, price in published.on_demand.items() for each in subnets}
    return [
        Zone(
            name=subnet.zone,
            subnet=subnet.id,
            prices={
                kind: prices[kind, subnet.zone]
                for kind in need.request.instance_types
                if (kind, subnet.zone) in prices and subnet.zone in offered.get(kind, {subnet.zone})
            },
            way_out=subnet.way_out,
            score=scores.get(ids.get(subnet.zone, "")),
        )
        for subnet in subnets
    ]

"""The table of requirements: pure, from made-up facts."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.errors import NotReady
from pdfbatch.fleet.facts import AccountFacts, Missing, Need, PlaceFacts, SecurityGroup, Subscription, Unknown
from pdfbatch.fleet.list_prices import ListPrices
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.preflight import account_of
from pdfbatch.fleet.requirements import REQUIREMENTS, judge, unmet
from pdfbatch.fleet.template import METADATA, SetupWish, template, wish_in
from pdfbatch.fleet.values import Ami, Check, LaunchRequest, Quota, Subnet, TypeFacts
from pdfbatch.records import SinkAddress

IN, OUT = "s3://docs/in/", "s3://docs/out/"
KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
NEED = Need(LaunchRequest(), (IN,), (OUT,))
READY = AccountFacts(
    region="us-east-1",
    number="123456789012",
    made_for=SetupWish(Names(), (IN,), (OUT,)),
    types={"g4dn.xlarge": TypeFacts(4, "T4")},
    offered={"g4dn.xlarge": {"us-east-1a", "us-east-1b"}},
    quota=Quota(code="L-3819A6DF", name="All G and VT Spot Instance Requests", limit=64),
    subnets=[Subnet("subnet-a", "us-east-1a", "vpc-1", "NAT"), Subnet("subnet-b", "us-east-1b", "vpc-1", "endpoints")],
    security_group=SecurityGroup("sg-1", "vpc-1", lets_in=False),
    has_profile=True,
    missing_service_roles=[],
    log_days=7,
    subscriptions=[Subscription("me@example.org", is_confirmed=True)],
    budget="50 USD a month",
    repository="123456789012.dkr.ecr.us-east-1.amazonaws.com/pdfbatch",
    image="123456789012.dkr.ecr.us-east-1.amazonaws.com/pdfbatch@sha256:" + "a" * 64,
    ami=Ami(id="ami-1"),
    has_key=True,
    inputs=[PlaceFacts(IN, "us-east-1")],
    outputs=[PlaceFacts(OUT, "us-east-1")],
    secret="",
    sinks=[],
    sinks_secret="",
    bucket_keys={},
    prices={("g4dn.xlarge", "us-east-1a"): 0.19, ("g4dn.xlarge", "us-east-1b"): 0.21},
    published=ListPrices(on_demand={"g4dn.xlarge": 0.526}, gib_month=0.088),
    scores={},
    zone_ids={},
)


def check(facts: AccountFacts, name: str, need: Need = NEED) -> Check:
    (found,) = [each for each in judge(facts, need) if each.name == name]
    return found


def test_an_account_that_has_everything_meets_every_requirement() -> None:
    assert {each.state for each in judge(READY, NEED)} == {"ok"}
    account = account_of(READY, NEED)
    assert account.warnings == [] and account.checks == judge(READY, NEED), "`plan --json` carries every row"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"quota": Quota(code="Q", name="Q", limit=3)}, "quota"),
        ({"offered": {"g4dn.xlarge": set()}}, "instance types"),
        ({"subnets": [Subnet("subnet-c", "us-east-1c", "vpc-1", "NAT")]}, "subnets"),
        ({"subnets": [Subnet("subnet-a", "us-east-1a", "vpc-1", "")]}, "subnets"),
        ({"missing_service_roles": ["AWSServiceRoleForEC2Fleet"]}, "service-linked roles"),
        ({"has_profile": False}, "worker role"),
        ({"made_for": SetupWish(Names(), ("s3://other/",), (OUT,))}, "role's policy"),
        ({"security_group": None}, "security group"),
        ({"log_days": Missing("no log group", "pdfbatch setup")}, "log group"),
        ({"repository": Missing("no repository", "pdfbatch setup")}, "image repository"),
        ({"image": Missing("no image", "make image push")}, "worker image"),
        ({"inputs": Missing("no bucket", "aws s3 mb s3://docs")}, "input"),
        ({"bucket_keys": {"docs": KEY}}, "bucket keys"),
        ({"outputs": Missing("no bucket", "aws s3 mb s3://docs")}, "output"),
    ],
)
def test_a_launch_is_refused_for_everything_doctor_calls_missing(change: dict[str, Any], name: str) -> None:
    facts = replace(READY, **change)
    row = check(facts, name)
    assert row.state == "missing" and row.hint
    with pytest.raises(NotReady) as refusal:
        account_of(facts, NEED)
    assert refusal.value.hint in [each.hint for each in judge(facts, NEED) if each.state == "missing"]


def test_a_pool_needs_a_stack_whose_role_may_use_queues() -> None:
    of_before = replace(READY, made_for=SetupWish(Names(), (IN,), (OUT,), pools=False))
    row = check(of_before, "role's policy", NEED._replace(request=LaunchRequest(is_pool=True)))
    assert row.state == "missing" and "pdfbatch setup" in row.hint
    assert check(of_before, "role's policy").state == "ok", "a run with slices uses none"
    rendered = template(SetupWish(Names(), (IN,), (OUT,)), "us-east-1", "123456789012")
    assert wish_in(rendered, Names()).pools
    del rendered["Metadata"][METADATA]["pools"]
    assert not wish_in(rendered, Names()).pools


def test_everything_missing_is_named_at_once() -> None:
    facts = replace(READY, security_group=None, log_days=Missing("no log group", "pdfbatch setup"))
    with pytest.raises(NotReady, match="Also missing: log group; `pdfbatch doctor --input s3://docs/in/"):
        account_of(facts, NEED)


@pytest.mark.parametrize(
    "field", [field.name for field in fields(AccountFacts) if field.name not in ("region", "number")]
)
def test_what_cannot_be_checked_is_never_silently_ok(field: str) -> None:
    secret = "arn:aws:ssm:us-east-1:123456789012:parameter/words"
    made_for = SetupWish(Names(), (IN,), (OUT,), secrets=(secret,))
    unknown = {field: Unknown("no permission to check", "Ask for the permission x:Y.")}
    facts = replace(READY, **{"made_for": made_for, **unknown})
    sinks = (SinkAddress.read("events:papers"),)
    request = LaunchRequest(key_name="mine", password_secret=secret, events=sinks, events_secret=secret)
    need = NEED._replace(request=request)
    said = [each.found + each.hint for each in judge(facts, need) if each.state == "unknown"]
    try:
        said += account_of(facts, need).warnings
    except NotReady as refusal:
        said.append(refusal.hint)
    if field in ("published", "zone_ids"):  # a plan says itself what it does without: an on-demand price, a zone's id
        return
    assert any("x:Y" in each for each in said)


@pytest.mark.parametrize("field", ["subscriptions", "budget"])
def test_a_missing_optional_requirement_neither_refuses_a_launch_nor_shows_in_a_plan(field: str) -> None:
    facts = replace(READY, **{field: Missing("none", "pdfbatch setup --email ADDRESS")})
    assert "warning" in {each.state for each in judge(facts, NEED)}
    assert unmet(judge(facts, NEED)) == [] and account_of(facts, NEED).warnings == []


@pytest.mark.parametrize("named", [KEY, KEY.rpartition("/")[2]], ids=["by ARN", "by id"])
def test_a_buckets_own_key_is_fine_where_the_role_may_use_it(named: str) -> None:
    wish = SetupWish(Names(), (IN,), (OUT,), keys=(KEY,))
    facts = replace(READY, bucket_keys={"docs": named}, made_for=wish)
    assert check(facts, "bucket keys").state == "ok"


def test_an_alias_or_a_role_made_elsewhere_cannot_be_judged() -> None:
    alias = replace(READY, bucket_keys={"docs": "alias/mine"})
    foreign = replace(READY, bucket_keys={"docs": KEY}, made_for=SetupWish())
    assert check(alias, "bucket keys").state == "unknown" == check(foreign, "bucket keys").state
    assert "--kms-key alias/mine" in check(alias, "bucket keys").hint


def test_a_key_pair_that_does_not_exist_is_found_before_the_launch() -> None:
    need = NEED._replace(request=LaunchRequest(key_name="nokey"))
    assert check(replace(READY, has_key=False), "key pair", need).state == "missing"
    assert check(READY, "key pair").found == "none requested"


def test_subnets_without_a_route_out_are_left_out_of_the_plan_and_named() -> None:
    facts = replace(
        READY,
        subnets=[Subnet("subnet-a", "us-east-1a", "vpc-1", ""), Subnet("subnet-b", "us-east-1b", "vpc-1", "NAT")],
    )
    account = account_of(facts, NEED)
    assert [zone.subnet for zone in account.zones] == ["subnet-b"]
    assert any("subnet-a" in warning for warning in account.warnings)


def test_on_demand_the_list_price_replaces_the_spot_price() -> None:
    account = account_of(READY, NEED._replace(request=LaunchRequest(market="on-demand")))
    assert {price for zone in account.zones for price in zone.prices.values()} == {0.526}
    assert account.gib_month == 0.088


@given(limit=st.integers(0, 200), used=st.integers(0, 200), workers=st.integers(1, 30))
def test_the_quota_is_missing_only_if_not_one_instance_fits(limit: int, used: int, workers: int) -> None:
    facts = replace(READY, quota=Quota(code="Q", name="Q", limit=limit, used=used))
    room = max(0, limit - used) // 4
    state = check(facts, "quota", NEED._replace(request=LaunchRequest(workers=workers))).state
    assert state == ("ok" if room >= workers else "warning" if room else "missing")


def test_every_requirement_has_a_name_of_its_own() -> None:
    names = [each.name for each in REQUIREMENTS]
    assert len(names) == len(set(names))


def test_a_service_role_alone_is_created_by_a_command_and_with_everything_else_by_setup() -> None:
    lacking = replace(READY, missing_service_roles=["AWSServiceRoleForEC2Fleet"])
    assert check(lacking, "service-linked roles").hint == (
        "aws iam create-service-linked-role --aws-service-name ec2fleet.amazonaws.com"
    )
    nothing = replace(lacking, has_profile=False)
    assert check(nothing, "service-linked roles").hint == NEED.setup()


def test_in_another_region_than_the_buckets_the_region_is_named_first() -> None:
    abroad = replace(READY, region="eu-west-1", has_profile=False)
    with pytest.raises(NotReady) as refused:
        account_of(abroad, NEED)
    assert refused.value.message == (
        f"{IN} is in us-east-1, but the region here is eu-west-1, which lacks: worker role, role's policy."
    )
    assert refused.value.hint == f"Set AWS_DEFAULT_REGION=us-east-1, or work in eu-west-1: {NEED.setup()}"


def test_subnets_with_the_same_way_out_are_named_together() -> None:
    both = [Subnet(f"subnet-{zone}", f"us-east-1{zone}", "vpc-1", "internet gateway") for zone in "ab"]
    found = check(replace(READY, subnets=both), "subnets").found
    assert found == "one in each of us-east-1a, us-east-1b (internet gateway)"

"""Our evaluation of IAM policies, by examples from the IAM user guide; the policies' own tests depend on it."""

from __future__ import annotations

import pytest

from tests.fleet.policy_evaluation import allows

TEMPLATE = "arn:aws:ec2:us-east-1:123456789012:launch-template/lt-1"


def holds(operator: str, value: str | list[str], given: str | None) -> bool:
    """Whether a statement with this one condition on the key `k` applies to a request in which `k` is `given`."""
    statement = {"Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": {operator: {"k": value}}}
    return allows({"Statement": [statement]}, "a:b", "*", {} if given is None else {"k": given})


@pytest.mark.parametrize(
    ("operator", "value", "given", "expected"),
    [
        ("StringEquals", ["spot", "on-demand"], "spot", True),
        ("StringEquals", "spot", "Spot", False),
        ("StringEquals", "sp*", "spot", False),
        ("StringEquals", "spot", None, False),
        ("StringLike", "out/*", "out/a", True),
        ("StringLike", "out/*", "in/a", False),
        ("StringEqualsIfExists", "spot", None, True),
        ("StringEqualsIfExists", "spot", "on-demand", False),
        ("ArnLike", "arn:aws:ec2:us-east-1:123456789012:launch-template/*", TEMPLATE, True),
        ("ArnLike", "arn:aws:ec2:us-east-1:210987654321:launch-template/*", TEMPLATE, False),
        ("ArnLike", "arn:aws:ec2:*:*:launch-template/*", TEMPLATE, True),
        ("ArnLike", "arn:aws:ec2:*:*:launch-template/*", None, False),
        ("ArnEquals", TEMPLATE, TEMPLATE, True),
        ("Bool", "true", "true", True),
        ("Bool", "false", "true", False),
        ("Bool", "true", None, False),
        ("BoolIfExists", "true", None, True),
        ("Null", "false", "any", True),
        ("Null", "false", None, False),
        ("Null", "true", None, True),
        ("ForAllValues:StringEquals", ["one", "two"], "one", True),
        ("ForAllValues:StringEquals", ["one", "two"], "one,three", False),
        ("ForAllValues:StringEquals", ["one", "two"], None, True),
    ],
)
def test_conditions_follow_the_user_guide(
    operator: str, value: str | list[str], given: str | None, expected: bool
) -> None:
    assert holds(operator, value, given) is expected


@pytest.mark.parametrize("operator", ["NumericLessThan", "ForAnyValue:StringEquals", "StringNotEquals", "IpAddress"])
def test_an_unknown_operator_is_refused_instead_of_ignored(operator: str) -> None:
    with pytest.raises(AssertionError, match=operator):
        holds(operator, "1", "1")


def test_a_pattern_that_is_not_a_full_arn_is_refused_too() -> None:
    with pytest.raises(AssertionError, match="six parts"):
        holds("ArnLike", "arn:aws:ec2:*", TEMPLATE)


def test_a_deny_wins_and_nothing_is_allowed_by_default() -> None:
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}
    assert allows({"Statement": [allow, deny]}, "s3:GetObject")
    assert not allows({"Statement": [allow, deny]}, "s3:DeleteBucket")
    assert not allows({"Statement": [allow]}, "ec2:RunInstances")

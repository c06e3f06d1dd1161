"""IAM's evaluation of one identity policy, for tests: an explicit Deny wins, an Allow is needed, the rest is denied.

Follows the IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements: condition operators". It supports
what our policies use and refuses anything else, so that nothing passes unnoticed: Action and Resource with `*` and
`?`, the reserved variables `${*}`, `${?}`, `${$}`, StringEquals, StringLike, ArnLike, Bool, any of these with IfExists,
Null, and ForAllValues:StringEquals. A condition on a key that the request does not carry holds only with IfExists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_SIGN = re.compile(r"\$\{(?P<literal>[*?$])\}|(?P<any>\*)|(?P<one>\?)|(?P<variable>\$\{)")


def allows(
    policy: Mapping[str, Any], action: str, resource: str = "*", context: Mapping[str, str] | None = None
) -> bool:
    """Whether the policy allows this. `context`: the request's condition keys, as `s3:prefix`."""
    effects = {
        statement["Effect"] for statement in policy["Statement"] if _applies(statement, action, resource, context or {})
    }
    return effects == {"Allow"}


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}
    assert not unknown, f"a policy element this evaluation does not know: {unknown}"
    return (
        any(_matches(pattern.lower(), action.lower()) for pattern in _list(statement["Action"]))
        and any(_matches(pattern, resource) for pattern in _list(statement["Resource"]))
        and all(
            _holds(operator, key, _list(values), context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, key: str, values: list[str], context: Mapping[str, str]) -> bool:
    if operator == "Null":
        return (key not in context) == (values == ["true"])
    if operator == "ForAllValues:StringEquals":  # holds where the request has no value; keys are one string, by commas
        return set(context.get(key, "").split(",")) - {""} <= set(values)
    if key not in context:
        return operator.endswith("IfExists")
    kind = operator.removesuffix("IfExists")
    assert kind in _SINGLE, f"a condition operator this evaluation does not know: {operator}"
    return any(_SINGLE[kind](value, context[key]) for value in values)


def _matches(pattern: str, text: str) -> bool:
    expression, end = "", 0
    for sign in _SIGN.finditer(pattern):
        assert not sign["variable"], f"a policy variable this evaluation does not know: {pattern}"
        expression += re.escape(pattern[end : sign.start()])
        expression += re.escape(sign["literal"]) if sign["literal"] else ".*" if sign["any"] else "."
        end = sign.end()
    return re.fullmatch(expression + re.escape(pattern[end:]), text, re.DOTALL) is not None


def _matches_arn(pattern: str, arn: str) -> bool:
    """Each of the six parts by itself: `*` does not reach over a colon. The last part may hold colons."""
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    assert len(patterns) == 6, f"an ARN has six parts: {pattern}"
    return len(parts) == 6 and all(map(_matches, patterns, parts))


_SINGLE: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringLike": _matches,
    "ArnLike": _matches_arn,
    "ArnEquals": _matches_arn,  # by the IAM guide the same
    "Bool": lambda value, given: value.lower() == given.lower(),
}
"""Operators on a key of one value: whether a value of the policy suits the request's."""


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value

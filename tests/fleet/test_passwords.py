"""Passwords on a fleet: a secret that only the role may read, passed on everywhere only by its ARN."""

from __future__ import annotations

from dataclasses import replace

import boto3
import pytest

from pdfbatch.errors import NotReady
from pdfbatch.fleet import aws_queries
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.facts import AccountFacts, Missing, Need
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.policies import worker_policy
from pdfbatch.fleet.requirements import judge
from pdfbatch.fleet.template import SetupWish, merged, template, wish_in
from pdfbatch.fleet.userdata import render, values_of
from pdfbatch.fleet.values import LaunchRequest
from pdfbatch.records import EndpointOptions, Manifest, ReadOptions
from tests.fleet.policy_evaluation import allows
from tests.fleet.test_requirements import IN, KEY, OUT, READY
from tests.runs.fleets import fleet

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:pdf/words-AbC123"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/pdf/words"
PASSWORD = "Sesame-4711"
WISH = SetupWish(Names(), (IN,), (OUT,), keys=(KEY,), secrets=(SECRET,))


def row(arn: str, facts: AccountFacts) -> tuple[str, str]:
    need = Need(LaunchRequest(password_secret=arn), (IN,), (OUT,))
    (found,) = [check for check in judge(facts, need) if check.name == "passwords"]
    return found.state, found.found + found.hint


@pytest.mark.parametrize(
    ("arn", "facts", "state", "words"),
    [
        ("", READY, "ok", "no secret set"),
        (SECRET, replace(READY, secret="words", made_for=WISH), "ok", "words, which the role may read"),
        (
            SECRET,
            replace(READY, secret="words"),
            "missing",
            f"pdfbatch setup --input {IN} --output {OUT} --password-secret {SECRET}",
        ),
        (SECRET, replace(READY, secret=Missing("there is none", "create")), "missing", "there is none"),
        (
            SECRET,
            replace(READY, secret="words", made_for=WISH, region="eu-west-1"),
            "warning",
            "the fleet in eu-west-1",
        ),
        (SECRET, replace(READY, secret="words", made_for=SetupWish()), "unknown", "whether the role may read"),
    ],
)
def test_a_launch_checks_first_whether_the_secret_can_be_read(
    arn: str, facts: AccountFacts, state: str, words: str
) -> None:
    found = row(arn, facts)
    assert found[0] == state
    assert words in found[1]


def test_the_key_of_an_endpoint_is_one_of_the_secrets_that_are_checked() -> None:
    endpoint = EndpointOptions(url="https://a.example/v1", model="m", secret=PARAMETER)
    need = Need(LaunchRequest(password_secret=SECRET, options=ReadOptions(endpoint=endpoint)), (IN,), (OUT,))
    assert need.request.secrets == [SECRET, PARAMETER]
    facts = replace(READY, secret="words, key", made_for=WISH)
    (found,) = [check for check in judge(facts, need) if check.name == "passwords"]
    assert found.state == "missing" and f"--password-secret {PARAMETER}" in found.hint


@pytest.mark.parametrize(
    ("arn", "action"), [(SECRET, "secretsmanager:GetSecretValue"), (PARAMETER, "ssm:GetParameter")]
)
def test_the_role_may_read_only_this_secret(arn: str, action: str) -> None:
    policy = worker_policy("us-east-1", "123456789012", Names(), [IN], [OUT], keys=[KEY], secrets=[arn])
    without = worker_policy("us-east-1", "123456789012", Names(), [IN], [OUT], keys=[KEY])
    assert allows(policy, action, arn, {})
    assert not allows(policy, action, arn.replace("words", "others"), {})
    assert not allows(policy, action.replace("Get", "Put"), arn, {})
    assert not allows(without, action, arn, {})
    service = {"kms:ViaService": f"{action.split(':')[0]}.us-east-1.amazonaws.com"}
    assert allows(policy, "kms:Decrypt", KEY, service) and not allows(without, "kms:Decrypt", KEY, service)


def test_a_stack_keeps_its_earlier_secrets() -> None:
    made = template(WISH, "us-east-1", "123456789012")
    assert SECRET in str(made["Resources"]["Role"])
    assert wish_in(made, Names()) == WISH
    assert merged(WISH, WISH._replace(secrets=(PARAMETER,))).secrets == (SECRET, PARAMETER)


def test_user_data_does_not_contain_the_secret() -> None:
    frozen = Manifest(
        run="R", created="2026-01-01T00:00:00Z", input=IN, output=OUT, total_workers=1, engine="cpu", slices=[0]
    ).model_copy(update={"password_secret": SECRET})
    text = render(values_of(frozen, fleet(), 0, False, {"PASSWORD": PASSWORD}))
    assert PASSWORD not in text and SECRET not in text


def test_a_secret_is_looked_up_without_reading_its_value(s3_endpoint: str, bucket: str) -> None:
    manager, ssm = (
        boto3.client("secretsmanager", endpoint_url=s3_endpoint),
        boto3.client("ssm", endpoint_url=s3_endpoint),
    )
    arn = manager.create_secret(Name=bucket, SecretString=PASSWORD)["ARN"]
    for name, kind in ((f"/{bucket}/a", "SecureString"), (f"/{bucket}/b", "String")):
        ssm.put_parameter(Name=name, Value=PASSWORD, Type=kind)
    clients = Clients("us-east-1")
    stem = f"arn:aws:ssm:us-east-1:123456789012:parameter/{bucket}"
    assert aws_queries.secret_name(clients, "") == ""
    assert aws_queries.secret_name(clients, arn) == bucket
    assert aws_queries.secret_name(clients, f"{stem}/a") == f"/{bucket}/a"
    manager.delete_secret(SecretId=arn)
    for wrong, words in (
        (arn, "no secret"),
        (SECRET, "no secret"),
        (f"{stem}/b", "SecureString"),
        (f"{stem}/c", "no parameter"),
    ):
        with pytest.raises(NotReady, match=words):
            aws_queries.secret_name(clients, wrong)

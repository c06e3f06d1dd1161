"""`setup` and `doctor --policy` as a person types them, each in a process of its own, against an AWS over HTTP."""

from __future__ import annotations

import json

from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.setup import carry_out, propose
from pdfbatch.fleet.template import SetupWish
from tests.fleet.conftest import Account
from tests.fleet.policy_evaluation import allows
from tests.fleet.test_commands import process

INSTANCE = "arn:aws:ec2:us-east-1:123456789012:instance/i-1"
LAUNCH = {
    "ec2:LaunchTemplate": "arn:aws:ec2:us-east-1:123456789012:launch-template/lt-1",
    "ec2:InstanceMarketType": "spot",
    "ec2:InstanceType": "g4dn.xlarge",
}
ON_DEMAND = {**LAUNCH, "ec2:InstanceMarketType": "on-demand"}


def at_once(_: float) -> None:
    """No pause."""


def set_up() -> None:
    clients = Clients()
    key = "arn:aws:kms:us-east-1:123456789012:key/1234"
    wish = SetupWish(inputs=("s3://docs/in/",), outputs=("s3://docs/out/",), models=("s3://models/",), keys=(key,))
    carry_out(clients, propose(clients, wish, at_once), at_once)


def test_a_bare_policy_has_the_places_and_keys_of_the_stack(account: Account) -> None:
    set_up()
    printed = process("doctor", "--policy")
    policy = json.loads(printed.stdout)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert allows(policy, "s3:GetObject", "arn:aws:s3:::docs/in/a.pdf")
    assert allows(policy, "s3:PutObject", "arn:aws:s3:::docs/out/a.md")
    assert allows(policy, "s3:GetObject", "arn:aws:s3:::models/dolphin/model.safetensors")
    via = {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
    assert allows(policy, "kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/1234", via)
    assert allows(policy, "ec2:RunInstances", INSTANCE, LAUNCH)
    assert not allows(policy, "ec2:RunInstances", INSTANCE, ON_DEMAND)
    assert not allows(policy, "ec2:RunInstances", INSTANCE, {**LAUNCH, "ec2:InstanceType": "p5.48xlarge"})


def test_places_types_and_market_that_are_named_count(account: Account) -> None:
    set_up()
    wanted = ["--output", "s3://mine/out/", "--instance-type", "g5.xlarge", "--on-demand"]
    policy = json.loads(process("doctor", "--policy", *wanted).stdout)
    assert allows(policy, "s3:PutObject", "arn:aws:s3:::mine/out/a.md")
    assert not allows(policy, "s3:PutObject", "arn:aws:s3:::docs/out/a.md")
    assert allows(policy, "ec2:RunInstances", INSTANCE, {**ON_DEMAND, "ec2:InstanceType": "g5.xlarge"})
    assert not allows(policy, "ec2:RunInstances", INSTANCE, ON_DEMAND)


def test_without_a_stack_or_the_right_to_read_it_the_policy_says_what_it_lacks(account: Account) -> None:
    printed = process("doctor", "--policy")
    assert printed.returncode == 0 and json.loads(printed.stdout)["Statement"]
    assert "there is no stack pdfbatch made by pdfbatch in 123456789012/us-east-1" in printed.stderr

    account.order("faults", [{"action": "GetTemplate", "code": "AccessDenied", "message": "no", "times": 9}])
    printed = process("doctor", "--policy")
    assert printed.returncode == 0 and json.loads(printed.stdout)["Statement"]
    assert "Cannot read the template of the stack pdfbatch: access denied" in printed.stderr


def test_on_demand_without_the_policy_is_refused(account: Account) -> None:
    refused = process("doctor", "--on-demand")
    assert refused.returncode == 2
    assert "--policy" in refused.stderr

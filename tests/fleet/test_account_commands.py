"""`setup` and `doctor --policy` as a user runs them, against a simulated AWS over HTTP."""

from __future__ import annotations

import json
from io import StringIO

from rich.console import Console

from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.setup import Change, StackProposal, carry_out, propose
from pdfbatch.fleet.template import SetupWish, template
from pdfbatch.views.account import proposal_screen
from tests.fleet.conftest import Account
from tests.fleet.policy_evaluation import allows
from tests.program import Program, own_process

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


def test_a_policy_without_options_has_the_urls_and_keys_of_the_stack(account: Account) -> None:
    set_up()
    printed = own_process("doctor", "--policy")
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


def test_given_urls_types_and_market_are_used(account: Account, pdfbatch: Program) -> None:
    set_up()
    wanted = ["--output", "s3://mine/out/", "--instance-type", "g5.xlarge", "--on-demand"]
    policy = json.loads(pdfbatch("doctor", "--policy", *wanted).stdout)
    assert allows(policy, "s3:PutObject", "arn:aws:s3:::mine/out/a.md")
    assert not allows(policy, "s3:PutObject", "arn:aws:s3:::docs/out/a.md")
    assert allows(policy, "ec2:RunInstances", INSTANCE, {**ON_DEMAND, "ec2:InstanceType": "g5.xlarge"})
    assert not allows(policy, "ec2:RunInstances", INSTANCE, ON_DEMAND)


def test_without_a_readable_stack_the_policy_says_what_is_missing(account: Account, pdfbatch: Program) -> None:
    printed = pdfbatch("doctor", "--policy")
    assert printed.returncode == 0 and json.loads(printed.stdout)["Statement"]
    assert "pdfbatch has no stack pdfbatch in 123456789012/us-east-1" in printed.stderr

    account.order("faults", [{"action": "GetTemplate", "code": "AccessDenied", "message": "no", "times": 9}])
    printed = pdfbatch("doctor", "--policy")
    assert printed.returncode == 0 and json.loads(printed.stdout)["Statement"]
    assert "Cannot read the template of the stack pdfbatch: access denied" in printed.stderr


PLACES = ["--input", "s3://docs/in/", "--output", "s3://docs/out/"]


def test_setup_shows_a_table_and_asks_with_the_account_and_the_region(account: Account, pdfbatch: Program) -> None:
    asked = pdfbatch("setup", *PLACES)
    assert asked.returncode == 2
    assert "Create stack pdfbatch in 123456789012/us-east-1?" in asked.stderr
    for word in ("IAM::Role", "permissions", "EC2::SecurityGroup", "inbound"):
        assert word in asked.stderr
    assert "AWSTemplateFormatVersion" not in asked.stderr + asked.stdout
    assert account.client("cloudformation").describe_stacks()["Stacks"] == []

    made = pdfbatch("setup", *PLACES, "--email", "me@example.org", "--show-template", "--yes")
    assert made.returncode == 0, made.stderr
    assert "AWSTemplateFormatVersion" in made.stderr
    assert "mail:    confirm the subscription that AWS sends to me@example.org" in made.stdout
    assert "pdfbatch launch s3://" in made.stdout and "make image push" in made.stdout

    asked = pdfbatch("setup", "--input", "s3://more/in/")
    assert "Update stack pdfbatch in 123456789012/us-east-1?" in asked.stderr
    assert "Modify" in asked.stderr
    asked = pdfbatch("setup", "--delete")
    assert "Delete stack pdfbatch in 123456789012/us-east-1" in asked.stderr


def test_setup_explains_every_resource_type_it_creates() -> None:
    wish = SetupWish(inputs=("s3://docs/in/",), outputs=("s3://docs/out/",), email="me@example.org", budget_dollars=9)
    made = template(wish, "us-east-1", "123456789012")["Resources"]
    changes = [Change(action="Add", name=name, type=about["Type"]) for name, about in made.items()]
    changes.append(Change(action="Add", name="AWSServiceRoleForEC2Spot", type="AWS::IAM::ServiceLinkedRole"))
    proposal = StackProposal(stack="pdfbatch", kind="create", template="{}", changes=changes)
    console = Console(width=80, file=StringIO())
    console.print(proposal_screen(proposal))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    for change in changes:
        (line,) = [line for line in lines if line.split()[1:2] == [change.type.removeprefix("AWS::")]]
        assert len(line.split()) > 3 and "…" not in line, line
    assert len(lines) == len(changes) + 3, "one line for each"


def test_doctor_checks_the_on_demand_quota_on_request(account: Account, pdfbatch: Program) -> None:
    assert "L-3819A6DF" in pdfbatch("doctor").stdout  # of Spot instances of the G family
    assert "L-DB2E81BA" in pdfbatch("doctor", "--on-demand").stdout

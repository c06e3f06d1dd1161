"""What setup says and leaves behind when CloudFormation fails; moto's never does, so its answers are made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pdfbatch.errors import NotReady, PdfbatchError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import TAG_STACK
from pdfbatch.fleet.setup import StackProposal, carry_out, delete, propose
from tests.fleet.conftest import Account
from tests.fleet.test_setup import NAMES, WISH, at_once, with_service_roles


class Answers:
    """A CloudFormation that answers from lists, one answer a call, the last one again and again."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def answer(**parameters: Any) -> Any:
            self.asked.append((method, parameters))
            left = self.answers[method]
            return left.pop(0) if len(left) > 1 else left[0]

        return answer

    def get_paginator(self, method: str) -> Answers:
        return Answers(paginate=[[page] for page in self.answers[method]])

    def methods(self) -> list[str]:
        return [method for method, _ in self.asked]


class ClientsWith(Clients):
    """Clients of the account, but for this CloudFormation."""

    def __init__(self, cloudformation: Any) -> None:
        super().__init__()
        self.__dict__["cloudformation"] = cloudformation


STACK_ID = "arn:aws:cloudformation:us-east-1:123456789012:stack/pdfbatch/1"
CHANGE_SET = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/setup-1/1"
PROPOSAL = StackProposal(
    stack="pdfbatch", kind="create", template="{}", changes=[], change_set=CHANGE_SET, stack_id=STACK_ID
)


def stack(status: str) -> dict[str, Any]:
    about = {"StackName": "pdfbatch", "StackId": STACK_ID, "Tags": [{"Key": TAG_STACK, "Value": "pdfbatch"}]}
    return {"Stacks": [{**about, "StackStatus": status}]}


def event(name: str, status: str, reason: str = "") -> dict[str, str]:
    kind = "AWS::CloudFormation::Stack" if name == "pdfbatch" else f"AWS::IAM::{name}"
    return {"LogicalResourceId": name, "ResourceType": kind, "ResourceStatus": status, "ResourceStatusReason": reason}


FAILED_CREATION = [
    event("pdfbatch", "DELETE_COMPLETE"),
    event("pdfbatch", "DELETE_IN_PROGRESS", "The following resource(s) failed to create: [Profile, Role]."),
    event("Profile", "CREATE_FAILED", "Resource creation cancelled"),
    event("Role", "CREATE_FAILED", "Role with name pdfbatch-worker already exists."),
    event("Role", "CREATE_IN_PROGRESS"),
    event("pdfbatch", "CREATE_IN_PROGRESS", "User Initiated"),
    event("Profile", "CREATE_FAILED", "of an earlier attempt"),
]


def test_a_failed_creation_reports_what_failed_first() -> None:
    formation = Answers(
        execute_change_set=[{}],
        describe_stacks=[
            stack("REVIEW_IN_PROGRESS"),
            stack("CREATE_IN_PROGRESS"),
            stack("DELETE_IN_PROGRESS"),
            stack("DELETE_COMPLETE"),
        ],
        describe_stack_events=[{"StackEvents": FAILED_CREATION}],
    )
    pauses: list[float] = []
    with pytest.raises(PdfbatchError) as failure:
        carry_out(ClientsWith(formation), PROPOSAL, pauses.append)
    assert failure.value.message == (
        "Cannot set up the stack pdfbatch: Role (AWS::IAM::Role): Role with name pdfbatch-worker already exists."
    )
    assert "choose another stack with --stack" in failure.value.hint
    assert len(pauses) == 4


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("User: me is not authorized to perform: iam:CreateRole (AccessDenied)", "Grant your user the permission"),
        ("No default VPC for this user", "aws ec2 create-default-vpc"),
        ("resource sg-1 has a dependent object", "pdfbatch down"),
        ("Rate exceeded", "run the same command again"),
    ],
)
def test_each_failure_has_a_hint(reason: str, hint: str) -> None:
    formation = Answers(
        execute_change_set=[{}],
        describe_stacks=[stack("UPDATE_IN_PROGRESS"), stack("UPDATE_ROLLBACK_COMPLETE")],
        describe_stack_events=[
            {"StackEvents": [event("Role", "UPDATE_FAILED", reason), event("pdfbatch", "UPDATE_IN_PROGRESS")]}
        ],
    )
    with pytest.raises(PdfbatchError) as failure:
        carry_out(ClientsWith(formation), PROPOSAL, at_once)
    assert reason in failure.value.message
    assert hint in failure.value.hint


def test_a_failed_deletion_says_what_blocks_it() -> None:
    formation = Answers(
        delete_stack=[{}],
        get_template=[{"TemplateBody": {}}],
        describe_stacks=[stack("CREATE_COMPLETE"), stack("DELETE_IN_PROGRESS"), stack("DELETE_FAILED")],
        describe_stack_events=[
            {
                "StackEvents": [
                    event("SecurityGroup", "DELETE_FAILED", "resource sg-1 has a dependent object"),
                    event("pdfbatch", "DELETE_IN_PROGRESS", "User Initiated"),
                ]
            }
        ],
    )
    clients = ClientsWith(formation)
    clients.__dict__["ec2"] = Answers(describe_fleets=[{"Fleets": []}], describe_instances=[{"Reservations": []}])
    with pytest.raises(PdfbatchError, match="has a dependent object"):
        delete(clients, NAMES, at_once)


def test_a_rejected_change_leaves_no_stack_behind(account: Account) -> None:
    formation = Answers(
        describe_stacks=[stack("REVIEW_IN_PROGRESS")],
        create_change_set=[{"Id": CHANGE_SET, "StackId": STACK_ID}],
        describe_change_set=[
            {"Status": "CREATE_PENDING"},
            {"Status": "CREATE_IN_PROGRESS"},
            {"Status": "FAILED", "StatusReason": "You do not have permission iam:GetRole."},
        ],
        delete_change_set=[{}],
        delete_stack=[{}],
    )
    with pytest.raises(PdfbatchError, match="does not accept the change: You do not have permission"):
        propose(ClientsWith(formation), WISH, at_once)
    assert formation.methods()[-3:] == ["delete_change_set", "describe_stacks", "delete_stack"]


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        ("ROLLBACK_COMPLETE", "pdfbatch setup --delete"),
        ("DELETE_FAILED", "pdfbatch setup --delete"),
        ("UPDATE_IN_PROGRESS", "in a minute"),
    ],
)
def test_a_stack_that_cannot_be_changed_is_reported_with_a_hint(status: str, hint: str) -> None:
    with pytest.raises(NotReady, match=status) as refusal:
        propose(ClientsWith(Answers(describe_stacks=[stack(status)])), WISH, at_once)
    assert hint in refusal.value.hint


def test_changes_on_many_pages_are_all_listed(account: Account) -> None:
    with_service_roles(account)
    pages = [
        {"Status": "CREATE_COMPLETE", "Changes": [change("Role")], "NextToken": "2"},
        {"Status": "CREATE_COMPLETE", "Changes": [change("Topic")]},
    ]
    formation = Answers(
        describe_stacks=[{"Stacks": []}],
        create_change_set=[{"Id": CHANGE_SET, "StackId": STACK_ID}],
        describe_change_set=pages,
    )
    proposal = propose(ClientsWith(formation), WISH, at_once)
    assert [change.name for change in proposal.changes] == ["Role", "Topic"]


def change(name: str) -> dict[str, Any]:
    return {"ResourceChange": {"Action": "Add", "LogicalResourceId": name, "ResourceType": f"AWS::X::{name}"}}

"""Creates and deletes what a launch needs in an account: one CloudFormation stack.

A change is first proposed (as a change set, which changes nothing), shown, and then carried out or abandoned.
The two service-linked roles for Spot fleets belong to the account and not to a stack, else a second stack could not be
created beside the first: they are created when missing, and they stay.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from pdfbatch import aws
from pdfbatch.errors import NotFound, NotReady, PdfbatchError, UsageError
from pdfbatch.fleet import aws_queries, ec2, routes
from pdfbatch.fleet.batch import jobs as batch_jobs
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import TAG_STACK, Names, partition
from pdfbatch.fleet.policies import SERVICE_ROLES
from pdfbatch.fleet.sagemaker import jobs as processing_jobs
from pdfbatch.fleet.template import SetupWish, as_text, merged, template, wish_in

Sleep = Callable[[float], object]
POLL_SECONDS = 3.0
BROKEN_STATES = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED")
"""States of a stack that can no longer be changed, only deleted."""
NOT_BEGUN = "REVIEW_IN_PROGRESS"
"""The state of a stack that a change set would create."""


class Change(BaseModel):
    """One resource that a proposal changes."""

    model_config = ConfigDict(frozen=True)
    action: str
    """CloudFormation's word: `Add`, `Modify`, `Remove`, `Dynamic`, `Import`."""
    name: str
    type: str
    """As `AWS::IAM::Role`."""


class StackProposal(BaseModel):
    """What a setup would do; nothing is done yet."""

    model_config = ConfigDict(frozen=True)
    stack: str
    kind: Literal["create", "update", "nothing"]
    template: str
    """The JSON text sent to CloudFormation."""
    changes: list[Change]
    change_set: str = ""
    """Its ARN; "": the stack does not change."""
    stack_id: str = ""
    service_roles: list[str] = []
    """The service-linked roles to create; `changes` has them too."""


def propose(clients: Clients, wish: SetupWish, sleep: Sleep = time.sleep) -> StackProposal:
    """Proposes the changes that make the account ready for `wish` and for all earlier setups of its stack.

    Raises:
        UsageError: no input or output in S3; a budget without an email address; a stack not made by pdfbatch.
        NotReady: the stack is broken, or another change is in progress.
    """
    found = _stack(clients, wish.names.stack)
    is_new = found is None or found["StackStatus"] == NOT_BEGUN
    if not is_new:
        _check_ours(found, wish.names)
        _check_changeable(found)
        kept = current_wish(clients, wish.names)
        if _role_made(clients, wish.names) != wish.names.role(clients.region):
            _check_nothing_runs(clients, wish.names, kept)  # the role would be replaced, and instances would lose it
        wish = merged(kept, wish)
    _check_complete(wish, clients.region)
    wish = _with_subnets(clients, wish)
    text = as_text(template(wish, clients.region, clients.account))
    missing = _missing_service_roles(clients)
    made = _change_set(clients, wish.names, text, is_new)
    answer = _when_made(clients, made, sleep)
    service_changes = [Change(action="Add", name=role, type="AWS::IAM::ServiceLinkedRole") for role in missing]
    if answer is None:
        kind: Literal["update", "nothing"] = "update" if missing else "nothing"
        return StackProposal(
            stack=wish.names.stack, kind=kind, template=text, changes=service_changes, service_roles=missing
        )
    return StackProposal(
        stack=wish.names.stack,
        kind="create" if is_new else "update",
        template=text,
        changes=[*_changes(clients, made["Id"], answer), *service_changes],
        change_set=made["Id"],
        stack_id=made["StackId"],
        service_roles=missing,
    )


def carry_out(clients: Clients, proposal: StackProposal, sleep: Sleep = time.sleep) -> None:
    """Carries out a proposal and waits until it is complete, about a minute.

    Raises:
        PdfbatchError: it failed; the message says what failed first. Nothing remains of a stack that failed to create.
    """
    if proposal.change_set:
        with aws.translating(f"change the stack {proposal.stack}"):
            clients.cloudformation.execute_change_set(ChangeSetName=proposal.change_set)
        stack = _when_still(clients, proposal.stack_id, sleep)
        if stack is None or stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            begun = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
            raise _failure(clients, f"set up the stack {proposal.stack}", proposal.stack_id, begun)
    for role in proposal.service_roles:
        _make_service_role(clients, role)


def abandon(clients: Clients, proposal: StackProposal) -> None:
    """Discards a proposal; the account is unchanged. Idempotent."""
    if proposal.change_set:
        _take_back(clients, proposal.change_set, proposal.stack_id)


def delete(clients: Clients, names: Names, sleep: Sleep = time.sleep) -> bool:
    """Deletes the stack with everything in it, including logs and worker images. False: no such stack.

    Raises:
        NotReady: fleets, instances or jobs of the stack run; without their role they could not terminate themselves.
        PdfbatchError: it failed; the message says what failed first.
    """
    found = _stack(clients, names.stack)
    if found is None:
        return False
    _check_ours(found, names)
    _check_nothing_runs(clients, names, current_wish(clients, names))
    stack_id = found["StackId"]
    with aws.translating(f"delete the stack {names.stack}"):
        clients.cloudformation.delete_stack(StackName=stack_id)
    if _when_still(clients, stack_id, sleep) is not None or _stack(clients, names.stack) is not None:
        raise _failure(clients, f"delete the stack {names.stack}", stack_id, ("DELETE_IN_PROGRESS",))
    return True


def current_wish(clients: Clients, names: Names) -> SetupWish:
    """Reads the settings that the stack was made with; empty if there is no stack, or not one of pdfbatch's."""
    try:
        with aws.translating(f"read the template of the stack {names.stack}"):
            body = clients.cloudformation.get_template(StackName=names.stack)["TemplateBody"]
    except PdfbatchError as error:
        if not _does_not_exist(error):
            raise
        return SetupWish(names=names)
    try:
        return wish_in(body if isinstance(body, dict) else json.loads(body), names)
    except ValueError:  # YAML: not ours
        return SetupWish(names=names)


def _role_made(clients: Clients, names: Names) -> str:
    """Reads the role's name from the existing stack; older versions left the region out of it."""
    with aws.translating(f"read the template of the stack {names.stack}"):
        body = clients.cloudformation.get_template(StackName=names.stack)["TemplateBody"]
    found = body if isinstance(body, dict) else json.loads(body)
    return str(found.get("Resources", {}).get("Role", {}).get("Properties", {}).get("RoleName", ""))


def _stack(clients: Clients, name: str) -> Any:
    """Looks up CloudFormation's description of a stack by name or id; None if it does not exist or was deleted."""
    try:
        with aws.translating(f"look up the stack {name}"):
            found = clients.cloudformation.describe_stacks(StackName=name)["Stacks"]
    except PdfbatchError as error:
        if not _does_not_exist(error):
            raise
        return None
    return found[0] if found and found[0]["StackStatus"] != "DELETE_COMPLETE" else None


def _does_not_exist(error: PdfbatchError) -> bool:
    """Whether a stack is missing; CloudFormation has no error code of its own for it."""
    return isinstance(error, NotFound) or (error.code == "ValidationError" and "does not exist" in error.message)


def _with_subnets(clients: Clients, wish: SetupWish) -> SetupWish:
    """Fills in the subnets of the compute environment: those of the VPC whose instances can reach S3.

    Raises:
        NotReady: there is none.
    """
    if not wish.batch_types or wish.batch_subnets:
        return wish
    found = [each for each in aws_queries.subnets(clients, (), wish.vpc) if each.way_out != routes.NONE]
    if not found:
        raise NotReady(
            f"No subnet of {wish.vpc or 'the default VPC'} has a route to S3.",
            "Choose subnets with --subnet, or add a route to an internet gateway or NAT gateway.",
        )
    return wish._replace(batch_subnets=tuple(each.id for each in found))


def _check_complete(wish: SetupWish, region: str) -> None:
    if not wish.inputs or not wish.outputs:
        raise UsageError(
            "The worker role needs at least one input and one output.",
            "Pass --input s3://bucket/pdfs/ and --output s3://bucket/markdown/ .",
        )
    if wish.budget_dollars and not wish.email:
        raise UsageError("A budget needs an email address for its alerts.", "Add --email, or leave out --budget.")
    if wish.budget_dollars and partition(region) == "aws-us-gov":  # CloudFormation has no AWS::Budgets::Budget there
        raise UsageError(
            f"A budget cannot be created in {region}.",
            "Leave out --budget, and create one in the standard account that is billed for this GovCloud account.",
        )


def _check_ours(stack: Any, names: Names) -> None:
    if stack["StackStatus"] != NOT_BEGUN and not _is_of(names, stack.get("Tags", [])):
        raise UsageError(
            f"The CloudFormation stack {names.stack} was not made by pdfbatch.", "Choose another name with --stack."
        )


def _check_changeable(stack: Any) -> None:
    name, status = stack["StackName"], stack["StackStatus"]
    if status in BROKEN_STATES:
        raise NotReady(
            f"An earlier attempt left the stack {name} broken ({status}).",
            f"Delete it with `pdfbatch setup --delete{Names(name).option}` and run the same command again.",
        )
    if status.endswith("IN_PROGRESS"):
        raise NotReady(
            f"Another change of the stack {name} is in progress ({status}).", "Run the same command again in a minute."
        )


def _change_set(clients: Clients, names: Names, text: str, is_new: bool) -> Any:
    """Creates a change set. The named role needs CAPABILITY_NAMED_IAM. A stack that fails to create deletes itself; its
    events stay."""
    options: Any = {"ChangeSetType": "CREATE", "OnStackFailure": "DELETE"} if is_new else {"ChangeSetType": "UPDATE"}
    with aws.translating(f"propose a change of the stack {names.stack}"):
        return clients.cloudformation.create_change_set(
            StackName=names.stack,
            ChangeSetName=f"setup-{uuid.uuid4().hex[:12]}",
            TemplateBody=text,
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Tags=names.tags,
            **options,
        )


def _when_made(clients: Clients, made: Any, sleep: Sleep) -> Any:
    """Waits for a change set and returns its description; deletes an empty one and returns None."""
    while (found := _described(clients, made["Id"]))["Status"] in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
        sleep(POLL_SECONDS)
    if found["Status"] == "CREATE_COMPLETE":
        return found
    reason = str(found.get("StatusReason", found["Status"]))
    _take_back(clients, made["Id"], made["StackId"])
    if "didn't contain changes" in reason or "No updates are to be performed" in reason:
        return None
    raise PdfbatchError(
        f"CloudFormation does not accept the change: {reason.rstrip('.')}.",
        "Grant your user the permission it names, or correct the URL or address it names, and run it again.",
    )


def _described(clients: Clients, change_set: str, **page: Any) -> Any:
    with aws.translating("look up the proposed change"):
        return clients.cloudformation.describe_change_set(ChangeSetName=change_set, **page)


def _take_back(clients: Clients, change_set: str, stack_id: str) -> None:
    try:
        with aws.translating("delete the proposed change"):
            clients.cloudformation.delete_change_set(ChangeSetName=change_set)
    except PdfbatchError as error:
        if error.code != "ChangeSetNotFound":
            raise
    found = _stack(clients, stack_id)
    if found is not None and found["StackStatus"] == NOT_BEGUN:
        with aws.translating("delete the stack that was only proposed"):
            clients.cloudformation.delete_stack(StackName=stack_id)


def _changes(clients: Clients, change_set: str, first_page: Any) -> list[Change]:
    changes, page = list(first_page.get("Changes", [])), first_page
    while token := page.get("NextToken"):
        page = _described(clients, change_set, NextToken=token)
        changes += page.get("Changes", [])
    touched = [each["ResourceChange"] for each in changes if "ResourceChange" in each]
    return [
        Change(action=each["Action"], name=each["LogicalResourceId"], type=each["ResourceType"]) for each in touched
    ]


def _when_still(clients: Clients, stack_id: str, sleep: Sleep) -> Any:
    """Waits until the stack stops changing and returns it; None if it was deleted."""
    while True:
        sleep(POLL_SECONDS)  # before the first look: CloudFormation takes a moment to start
        found = _stack(clients, stack_id)
        if found is None or not found["StackStatus"].endswith("IN_PROGRESS"):
            return found


def _failure(clients: Clients, what: str, stack_id: str, begun: Sequence[str]) -> PdfbatchError:
    """Makes the error from what failed first since the stack was last in one of the states `begun`."""
    failed = None
    for event in _last_events(clients, stack_id, begun):
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in event.get("ResourceStatusReason", ""):
            failed = event
    if failed is None:
        return PdfbatchError(f"Cannot {what}: AWS does not say why.", "See its events in the CloudFormation console.")
    reason = str(failed.get("ResourceStatusReason", "no reason given")).rstrip(". ")
    return PdfbatchError(
        f"Cannot {what}: {failed['LogicalResourceId']} ({failed['ResourceType']}): {reason}.", _hint(reason)
    )


def _last_events(clients: Clients, stack_id: str, begun: Sequence[str]) -> Iterator[Any]:
    """Yields the stack's events, newest first. Those of a deleted stack can still be listed by its id."""
    with aws.translating("read the stack's events"):
        for page in clients.cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for event in page["StackEvents"]:
                yield event
                if event["ResourceType"] == "AWS::CloudFormation::Stack" and event["ResourceStatus"] in begun:
                    return


def _hint(reason: str) -> str:
    said = reason.lower()
    if "already exists" in said:
        return "It does not belong to this stack: remove or rename it, or choose another stack with --stack."
    if "not authorized" in said or "accessdenied" in said:
        return "Grant your user the permission it names, or choose another with AWS_PROFILE, and run it again."
    if "default vpc" in said or "no vpc" in said:
        return "Create one with `aws ec2 create-default-vpc`, or choose yours with --vpc, and run it again."
    if "dependent object" in said or "in use" in said:
        return "Terminate what uses it (`pdfbatch ls`, `pdfbatch down`) and run the same command again."
    return "Fix that and run the same command again; the account is unchanged."


def _check_nothing_runs(clients: Clients, names: Names, made_for: SetupWish) -> None:
    """Asks only the services that the stack was made for: a region may lack the others."""
    there = list(ec2.living(clients, datetime.now(UTC)))
    if made_for.batch_types:
        there += batch_jobs.jobs(clients)
    if made_for.sagemaker:
        there += processing_jobs.jobs(clients)
    living = [each.id for each in there if each.tags[TAG_STACK] == names.stack]
    if not living:
        return
    raise NotReady(
        f"Fleets, instances or jobs of the stack {names.stack} still run: {', '.join(living[:5])}.",
        "See them with `pdfbatch ls`, terminate them with `pdfbatch down`, and run the same command again.",
    )


def _is_of(names: Names, tags: Any) -> bool:
    return {"Key": TAG_STACK, "Value": names.stack} in [{"Key": tag["Key"], "Value": tag["Value"]} for tag in tags]


def has_service_role(clients: Clients, role: str) -> bool:
    """Whether the account has this role.

    Raises:
        PdfbatchError: access is denied, or AWS does not answer.
    """
    try:
        with aws.translating(f"look up the role {role}"):
            clients.iam.get_role(RoleName=role)
    except PdfbatchError as error:
        if error.code != "NoSuchEntity":
            raise
        return False
    return True


def _missing_service_roles(clients: Clients) -> list[str]:
    return [role for role in SERVICE_ROLES if not has_service_role(clients, role)]


def _make_service_role(clients: Clients, role: str) -> None:
    try:
        with aws.translating(f"create the role {role}"):
            clients.iam.create_service_linked_role(AWSServiceName=SERVICE_ROLES[role])
    except PdfbatchError as error:
        if not any(word in error.message for word in ("has been taken", "already exists")):  # created meanwhile
            raise

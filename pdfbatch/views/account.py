"""What `doctor` and `setup` show."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pdfbatch.fleet.doctor import Diagnosis
from pdfbatch.fleet.setup import StackProposal
from pdfbatch.views.words import plural

_STYLE = {"ok": "green", "missing": "bold red", "warning": "yellow", "unknown": "yellow"}
_USE = {
    "AWS::IAM::Role": "what instances may do",
    "AWS::IAM::InstanceProfile": "gives instances that role",
    "AWS::IAM::ServiceLinkedRole": "AWS's own, to run Spot fleets; stays after --delete",
    "AWS::EC2::SecurityGroup": "lets nothing in",
    "AWS::Logs::LogGroup": "the workers' logs, kept a week",
    "AWS::ECR::Repository": "the worker image; what is stored costs",
    "AWS::SNS::Topic": "tells when a run is over",
    "AWS::SNS::TopicPolicy": "lets that rule publish to the topic",
    "AWS::SNS::Subscription": "mails what the topic tells",
    "AWS::Events::Rule": "tells when a fleet expires, halts or fails",
    "AWS::Budgets::Budget": "mails at 50 and 90 % of the month's EC2 spending",
}
_ACTION_STYLE = {"Add": "green", "Modify": "yellow", "Remove": "red"}


def diagnosis_screen(diagnosis: Diagnosis) -> RenderableType:
    """A line for each requirement; under those that are not met, the cure."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    told: set[str] = set()
    for check in diagnosis.checks:
        table.add_row(Text(check.state, style=_STYLE[check.state]), check.name, Text(check.found))
        if check.state != "ok" and check.cure not in told:
            table.add_row("", "", Text(check.cure, style="bold"))
            told.add(check.cure)
    missing = sum(check.state == "missing" for check in diagnosis.checks)
    last = (
        Text("ready: pdfbatch launch INPUT OUTPUT", style="bold green")
        if diagnosis.ready
        else Text(f"not ready: {plural(missing, 'thing')} missing", style="bold red")
    )
    return Group(table, Text(), last)


def proposal_screen(proposal: StackProposal) -> RenderableType:
    """What would be made or changed, a line each."""
    if proposal.kind == "nothing":
        return Text(f"The stack {proposal.stack} is as it should be; nothing to change.")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("Change", "Resource", "Type", "Use"):
        table.add_column(title, overflow="fold")
    for change in proposal.changes:
        action = Text(change.action, style=_ACTION_STYLE.get(change.action, ""))
        table.add_row(action, change.name, change.type.removeprefix("AWS::"), _USE.get(change.type, ""))
    head = Text(f"CloudFormation stack {proposal.stack}, to {proposal.kind}:", style="bold")
    return Group(Text(), head, table)


def set_up_screen() -> RenderableType:
    return Text.assemble(
        ("The account is set up. ", "bold green"),
        "AWS mails a link to whoever is to be told: it must be followed once. Next: `make image push` fills the image "
        "repository, `pdfbatch doctor` checks everything, `pdfbatch launch INPUT OUTPUT` starts.",
    )


def deleted_screen(stack: str, was_there: bool) -> RenderableType:
    return Text(f"The stack {stack} is gone." if was_there else f"There is no stack {stack}; nothing to delete.")

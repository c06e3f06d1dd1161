"""What `doctor` and `setup` show."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pdfbatch.fleet.names import Names
from pdfbatch.fleet.values import Check
from pdfbatch.views.words import plural, to_copy

if TYPE_CHECKING:
    from pdfbatch.fleet.doctor import Diagnosis
    from pdfbatch.fleet.setup import StackProposal

_STYLE = {"ok": "green", "missing": "bold red", "warning": "yellow", "unknown": "yellow"}
_USE = {  # short, so that a line fits 80 columns
    "AWS::IAM::Role": "permissions of the workers",
    "AWS::IAM::InstanceProfile": "attaches that role to instances",
    "AWS::IAM::ServiceLinkedRole": "{name}; kept after --delete",
    "AWS::EC2::SecurityGroup": "no inbound connections",
    "AWS::Logs::LogGroup": "the workers' logs, kept a week",
    "AWS::ECR::Repository": "the worker image; storage is billed",
    "AWS::SNS::Topic": "notifications about runs",
    "AWS::SNS::TopicPolicy": "lets rules and alarms publish to the topic",
    "AWS::SNS::Subscription": "sends notifications to --email",
    "AWS::Events::Rule": "notifies when a fleet expires, halts or fails",
    "AWS::Budgets::Budget": "sends mails at 50 and 90 % of the monthly budget",
}
_USE_OF = {
    "ProcessingRole": "permissions of SageMaker jobs",
    "ProcessingRule": "notifies when a SageMaker job fails or stops",
    "ScheduleGroup": "the schedules",
    "ScheduleRole": "lets EventBridge Scheduler start jobs",
    "ScheduleDeadLetters": "jobs that could not be started",
    "NotStartedAlarm": "mails if a job could not start; $0.10 a month",
    "NothingRanAlarm": "mails if nothing was started; $0.10 a month",
    "FailuresAlarm": "mails if many documents fail; $0.10 a month",
    "JobRole": "permissions of the jobs of AWS Batch",
    "HostRole": "permissions of the instances of AWS Batch",
    "HostProfile": "attaches that role to instances",
    "HostTemplate": "disk and metadata of these instances",
    "ComputeEnvironment": "Spot instances for jobs; none while idle",
    "JobQueue": "takes the jobs of --on batch",
    "BatchRule": "notifies when a job fails",
}
"""Of resources whose type does not say it, by their names in the template."""
_ACTION_STYLE = {"Add": "green", "Modify": "yellow", "Remove": "red"}


def diagnosis_screen(diagnosis: Diagnosis, launch: str) -> RenderableType:
    """Shows a line per requirement, and under each that is not met how to fix it, then `launch`, the next command."""
    lines: list[RenderableType] = []
    shown: set[str] = set()
    names = max(len(check.name) for check in diagnosis.checks)
    for check in diagnosis.checks:
        lines.append(_check_line(check, names))
        if check.state != "ok" and check.hint and check.hint not in shown:
            lines.append(Text.assemble("  fix: ", (check.hint, "bold"), no_wrap=True, overflow="ignore"))
            shown.add(check.hint)
    missing = sum(check.state == "missing" for check in diagnosis.checks)
    last = (
        to_copy("ready:", launch, "bold green")
        if diagnosis.ready
        else Text(f"not ready: {plural(missing, 'problem')} to fix", style="bold red")
    )
    return Group(*lines, Text(), last)


def _check_line(check: Check, names: int) -> Table:
    """Shows a check in columns; what was found is wrapped within its column."""
    line = Table.grid(padding=(0, 2))
    line.add_column(no_wrap=True, min_width=max(map(len, _STYLE)))
    line.add_column(no_wrap=True, min_width=names)
    line.add_column(overflow="fold")
    line.add_row(Text(check.state, style=_STYLE[check.state]), check.name, Text(check.found))
    return line


def proposal_screen(proposal: StackProposal) -> RenderableType:
    """Shows what would be created or changed, one line each."""
    if proposal.kind == "nothing":
        return Text(f"Stack {proposal.stack} is up to date; nothing to change.")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("Change", "Resource"):
        table.add_column(title, no_wrap=True, min_width=max(map(len, _ACTION_STYLE)))
    table.add_column("Use", overflow="fold")
    for change in proposal.changes:
        action = Text(change.action, style=_ACTION_STYLE.get(change.action, ""))
        use = _USE_OF.get(change.name) or _USE.get(change.type, "{name}").format(name=change.name)
        table.add_row(action, change.type.removeprefix("AWS::"), use)
    head = Text(f"CloudFormation stack {proposal.stack}, to {proposal.kind}:", style="bold")
    return Group(Text(), head, table)


def set_up_screen(
    where: str, email: str, inputs: Sequence[str], outputs: Sequence[str], stack: str, on: str = ""
) -> RenderableType:
    """Shows what to do next, with the places that were just set up. `on`: what runs the workers, "" for a fleet."""
    source, output = _first(inputs, "INPUT"), _first(outputs, "OUTPUT")
    lines = [Text.assemble((f"{where} is set up", "bold green"))]
    if email:
        lines.append(to_copy("mail:", f"confirm the subscription that AWS sends to {email}"))
    push = "make image push" + (f" STACK={stack}" if Names(stack).option else "")
    return Group(
        *lines,
        to_copy("next:", f"{push}   # once, in the clone: the worker image", "bold"),
        to_copy("then:", f"pdfbatch doctor --input {source} --output {output}{_more(stack, on)}"),
        to_copy("", launch_command(inputs, outputs, stack, on)),
    )


def launch_command(inputs: Sequence[str], outputs: Sequence[str], stack: str, on: str) -> str:
    """Returns the command that launches with the first of these places. `on`: "" for a fleet."""
    return f"pdfbatch launch {_first(inputs, 'INPUT')} {_first(outputs, 'OUTPUT')}{_more(stack, on)}"


def _first(places: Sequence[str], otherwise: str) -> str:
    return shlex.quote(places[0]) if places else otherwise


def _more(stack: str, on: str) -> str:
    return (f" --on {on}" if on else "") + Names(stack).option


def deleted_screen(stack: str, was_there: bool) -> RenderableType:
    return Text(f"Stack {stack} deleted." if was_there else f"No stack {stack}; nothing to delete.")

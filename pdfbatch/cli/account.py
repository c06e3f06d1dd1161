"""The account's commands: `doctor` looks, `setup` makes what is missing or takes it all away."""

from __future__ import annotations

import json as encoding
from typing import TYPE_CHECKING, Annotated

import typer

from pdfbatch import views
from pdfbatch.cli import options as o
from pdfbatch.cli.console import agreed, finish, now, say, show
from pdfbatch.errors import AccessDenied, ExitCode
from pdfbatch.records import Secret

if TYPE_CHECKING:
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.names import Names
    from pdfbatch.fleet.values import Market

Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="S3URL", help="A prefix that the machines may read PDFs from; repeatable."),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option("--output", metavar="S3URL", help="A prefix that they may write Markdown to; repeatable."),
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="S3URL", help="A folder that they may fetch weights from; repeatable."),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--kms-key", metavar="ARN", help="A KMS key of your own that encrypts objects in these buckets; repeatable."
    ),
]
Secrets = Annotated[
    list[str] | None,
    typer.Option(
        "--password-secret",
        metavar="ARN",
        help="A Secrets Manager secret or SSM parameter with passwords of PDFs that they may read; repeatable.",
    ),
]


def doctor(
    inputs: Inputs = None,
    outputs: Outputs = None,
    workers: o.Workers = 5,
    instance_type: o.InstanceTypes = None,
    image: o.Image = "",
    password_secret: o.PasswordSecret = "",
    stack: o.Stack = "pdfbatch",
    policy: Annotated[
        bool,
        typer.Option(
            "--policy",
            help="Print the least IAM policy for whoever launches these instance types, and end. Places and keys are "
            "the stack's where none are given.",
        ),
    ] = False,
    on_demand: Annotated[
        bool,
        typer.Option("--on-demand", help="Check for on-demand instances; with --policy: admit them beside Spot."),
    ] = False,
    json: o.Json = False,
) -> None:
    """Check everything a launch needs, and tell the cure of what is missing."""
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.doctor import diagnose
    from pdfbatch.fleet.facts import Need
    from pdfbatch.fleet.names import Names
    from pdfbatch.fleet.values import DEFAULT_TYPE, LaunchRequest
    from pdfbatch.views import account as screens

    clients, names = Clients(), Names.checked(stack)
    types = instance_type or [DEFAULT_TYPE]
    if policy:
        finish(_policy_text(clients, names, tuple(inputs or ()), tuple(outputs or ()), types, on_demand))
    market: Market = "on-demand" if on_demand else "spot"
    request = LaunchRequest(
        names=names,
        workers=workers,
        instance_types=tuple(types),
        market=market,
        image=image,
        password_secret=Secret.read(password_secret).arn if password_secret else "",
    )
    diagnosis = diagnose(clients, Need(request, inputs or (), outputs or ()), now())
    finish(
        views.as_json(diagnosis) if json else screens.diagnosis_screen(diagnosis),
        ExitCode.DONE if diagnosis.ready else ExitCode.NOT_READY,
    )


def _policy_text(
    clients: Clients,
    names: Names,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    types: list[str],
    on_demand: bool,
) -> str:
    """The launcher's policy as JSON: for the places that are given, else for those that the stack was made for."""
    from pdfbatch.fleet.policies import launcher_policy
    from pdfbatch.fleet.setup import current_wish
    from pdfbatch.fleet.template import SetupWish

    lacking = f"there is no stack {names.stack} made by pdfbatch in {clients.account}/{clients.region}"
    try:
        wish = current_wish(clients, names)
    except AccessDenied as error:
        wish, lacking = SetupWish(names), error.message.rstrip(".")
    if not wish.inputs:
        say(f"Only the places of --input and --output are in this policy: {lacking}.")
    allowed = launcher_policy(
        clients.region,
        clients.account,
        names,
        inputs or wish.inputs,
        outputs or wish.outputs,
        models=wish.models,
        keys=wish.keys,
        types=types,
        on_demand=on_demand,
    )
    return encoding.dumps(allowed, indent=2)


def setup(
    inputs: Inputs = None,
    outputs: Outputs = None,
    models: Models = None,
    keys: Keys = None,
    password_secret: Secrets = None,
    email: Annotated[str, typer.Option(help="Who is told when a run is over, and of the budget.")] = "",
    budget: Annotated[
        float, typer.Option(metavar="DOLLARS", min=0, help="Warn by mail at 50 and 90 % of this in a month.")
    ] = 0.0,
    vpc: Annotated[str, typer.Option(help="A VPC of your own.", show_default="the default VPC")] = "",
    stack: o.Stack = "pdfbatch",
    session_manager: Annotated[
        bool,
        typer.Option("--session-manager", help="Let instances be reached by Session Manager: a shell without SSH."),
    ] = False,
    show_template: Annotated[
        bool, typer.Option("--show-template", help="Show the CloudFormation template before the question too.")
    ] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Take away all that setup made.")] = False,
    yes: o.Yes = False,
    json: o.Json = False,
) -> None:
    """Make what a launch needs in the account, as one CloudFormation stack; shown first. Again to add places.

    Role and profile of the machines, security group without inbound, log group, SNS topic, image repository, budget.
    Nothing in it costs while it is idle, but for images that are stored.
    """
    from pdfbatch.fleet import setup as stacks
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.names import Names
    from pdfbatch.fleet.template import SetupWish
    from pdfbatch.views import account as screens

    clients, names = Clients(), Names.checked(stack)
    where = f"{clients.account}/{clients.region}"
    if delete:
        if not agreed(f"Delete stack {stack} in {where}, with its logs and images?", yes):
            raise typer.Exit(ExitCode.INTERRUPTED)
        was_there = stacks.delete(clients, names)
        finish(encoding.dumps({"deleted": was_there}) if json else screens.deleted_screen(stack, was_there))
    wish = SetupWish(
        names,
        inputs=tuple(inputs or ()),
        outputs=tuple(outputs or ()),
        models=tuple(models or ()),
        email=email,
        budget_dollars=budget,
        vpc=vpc,
        keys=tuple(keys or ()),
        secrets=tuple(Secret.read(arn).arn for arn in password_secret or ()),
        session_manager=session_manager,
    )
    proposal = stacks.propose(clients, wish)
    if show_template:
        say(proposal.template)
    if proposal.kind == "nothing":
        finish(views.as_json(proposal) if json else screens.proposal_screen(proposal))
    say(screens.proposal_screen(proposal))
    try:
        go_on = agreed(f"{proposal.kind.capitalize()} stack {stack} in {where}?", yes)
    except BaseException:
        stacks.abandon(clients, proposal)
        raise
    if not go_on:
        stacks.abandon(clients, proposal)
        raise typer.Exit(ExitCode.INTERRUPTED)
    stacks.carry_out(clients, proposal)
    show(views.as_json(proposal) if json else screens.set_up_screen())

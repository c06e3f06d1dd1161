"""The account's commands: `doctor` checks it, `setup` creates what is missing or deletes everything."""

from __future__ import annotations

import json as encoding
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pdfbatch import views
from pdfbatch.cli import options as o
from pdfbatch.cli.console import agreed, finish, now, say, show, waiting
from pdfbatch.errors import AccessDenied, ExitCode, UsageError
from pdfbatch.records import Secret, SinkAddress, WayName

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pdfbatch.engines.dolphin.device import GpuSystem
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.names import Names
    from pdfbatch.fleet.values import Check, Market

Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="S3URL", help="Prefix from which instances may read PDFs; repeatable."),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option("--output", metavar="S3URL", help="Prefix to which instances may write Markdown; repeatable."),
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="S3URL", help="Folder from which instances may fetch model weights; repeatable."),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--kms-key", metavar="ARN", help="Your own KMS key that encrypts objects in these buckets; repeatable."
    ),
]
Secrets = Annotated[
    list[str] | None,
    typer.Option(
        "--password-secret",
        metavar="ARN",
        help="Secrets Manager secret or SSM parameter with PDF passwords that instances may read; repeatable.",
    ),
]

Sinks = Annotated[
    list[str] | None,
    typer.Option(
        "--events", metavar="ADDRESS", help="SNS topic or event bus that instances may send events to; repeatable."
    ),
]
EventsSecrets = Annotated[
    list[str] | None,
    typer.Option(
        "--events-secret",
        metavar="ARN",
        help="Secret with the key of webhooks, or Kafka's password, that instances may read; repeatable.",
    ),
]


def doctor(
    inputs: Inputs = None,
    outputs: Outputs = None,
    on: o.On = "spot",
    workers: o.Workers = 5,
    instance_type: o.InstanceTypes = None,
    image: o.Image = "",
    password_secret: o.PasswordSecret = "",
    events: o.Events = None,
    events_secret: o.EventsSecret = "",
    stack: o.Stack = "pdfbatch",
    policy: Annotated[
        bool,
        typer.Option(
            "--policy",
            help="Print the smallest IAM policy that allows to launch these instance types, and exit. Uses the places "
            "and keys of the stack unless others are given.",
        ),
    ] = False,
    on_demand: Annotated[
        bool,
        typer.Option("--on-demand", help="Check for on-demand instances; with --policy: allow them as well as Spot."),
    ] = False,
    watch_input: Annotated[
        bool, typer.Option("--watch-input", help="With --policy: also allow `launch --pool --watch-input`.")
    ] = False,
    json: o.Json = False,
) -> None:
    """Check everything that a launch needs, and print a fix for each problem."""
    from pdfbatch.engines.dolphin.device import gpu_system
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.doctor import diagnose
    from pdfbatch.fleet.facts import Need
    from pdfbatch.fleet.names import Names
    from pdfbatch.fleet.values import DEFAULT_TYPE, LaunchRequest
    from pdfbatch.views import account as screens

    clients, names = Clients(bucket=_bucket([*(outputs or ()), *(inputs or ())])), Names.checked(stack)
    types = instance_type or [DEFAULT_TYPE]
    if policy:
        places = tuple(inputs or ()), tuple(outputs or ())
        finish(_policy_text(clients, names, *places, types, on_demand, watch_input, on))
    market: Market = "on-demand" if on_demand else "spot"
    request = LaunchRequest(
        names=names,
        way=on,
        workers=workers,
        instance_types=tuple(types),
        market=market,
        image=image,
        password_secret=Secret.read(password_secret).arn if password_secret else "",
        events=tuple(SinkAddress.read_all(events or ())),
        events_secret=Secret.read(events_secret).arn if events_secret else "",
    )
    with waiting("Checking the account"):
        found = diagnose(clients, Need(request, inputs or (), outputs or ()), now())
    diagnosis = found.model_copy(update={"checks": [gpu_check(gpu_system()), *found.checks]})
    launch = screens.launch_command(inputs or (), outputs or (), stack, "" if on == "spot" else on)
    finish(
        views.as_json(diagnosis) if json else screens.diagnosis_screen(diagnosis, launch),
        ExitCode.DONE if diagnosis.ready else ExitCode.NOT_READY,
    )


def _bucket(places: Sequence[str]) -> str:
    """Returns the first bucket of some URLs; "" if there is none."""
    from pdfbatch.store import is_s3, s3_parts

    return next((s3_parts(place)[0] for place in places if is_s3(place)), "")


def gpu_check(system: GpuSystem) -> Check:
    """Says what a model would compute on here. It is never `missing`: the fleet's instances have GPUs of their own."""
    from importlib.util import find_spec

    from pdfbatch.engines.dolphin.device import examined
    from pdfbatch.errors import NotReady
    from pdfbatch.fleet.values import Check

    name = "GPU here"
    if system.wants_cpu or not system.is_present:
        why = "not used: the environment asks for the CPU" if system.is_present else "none: local runs use the CPU"
        return Check(name=name, state="ok", found=why)
    if find_spec("torch") is None:
        return Check(
            name=name,
            state="warning",
            found=f"not used: torch is not installed (driver {system.driver or 'unknown'})",
            hint="pip install '.[dolphin]' in the clone (docs/dolphin.md)",
        )
    try:
        return Check(name=name, state="ok", found=examined(system))
    except NotReady as error:
        return Check(name=name, state="warning", found=error.message, hint=error.hint)


def _policy_text(
    clients: Clients,
    names: Names,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    types: list[str],
    on_demand: bool,
    watches: bool,
    on: WayName,
) -> str:
    """Returns the launcher's policy as JSON, for the given places or else for those of the stack."""
    from pdfbatch.fleet.policies import launcher_policy
    from pdfbatch.fleet.setup import current_wish
    from pdfbatch.fleet.template import SetupWish

    lacking = f"pdfbatch has no stack {names.stack} in {clients.account}/{clients.region}"
    try:
        wish = current_wish(clients, names)
    except AccessDenied as error:
        wish, lacking = SetupWish(names), error.message.rstrip(".")
    if not wish.inputs:
        say(f"This policy covers only the places of --input and --output: {lacking}.")
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
        watches=watches,
        events=wish.events,
    )
    if on == "batch":
        from pdfbatch.fleet.batch.policy import batch_launcher_policy

        allowed = batch_launcher_policy(allowed, clients.region, clients.account, names)
    if on == "sagemaker":
        from pdfbatch.fleet.sagemaker.policy import launcher_policy as of_sagemaker

        allowed = of_sagemaker(allowed, clients.region, clients.account, names)
    if wish.schedules and on != "spot":
        from pdfbatch.fleet.schedules.stack import launcher_statements as of_schedules

        allowed["Statement"] += of_schedules(clients.region, clients.account, names)
    return encoding.dumps(allowed, indent=2)


def batch_wish(batch: bool, types: Sequence[str], subnets: Sequence[str], vcpus: int) -> dict[str, Any]:
    """Returns the part of a setup that is about AWS Batch.

    Raises:
        UsageError: an option of it without --batch.
    """
    from pdfbatch.fleet.batch.requests import DEFAULT_VCPUS
    from pdfbatch.fleet.values import DEFAULT_TYPE

    if not batch and (types or subnets or vcpus):
        raise UsageError("--instance-type, --subnet and --max-vcpus are for AWS Batch.", "Add --batch.")
    if not batch:
        return {}
    return {
        "batch_types": tuple(dict.fromkeys(types)) or (DEFAULT_TYPE,),
        "batch_subnets": tuple(subnets),
        "batch_vcpus": vcpus or DEFAULT_VCPUS,
    }


def setup(
    inputs: Inputs = None,
    outputs: Outputs = None,
    models: Models = None,
    keys: Keys = None,
    password_secret: Secrets = None,
    events: Sinks = None,
    events_secret: EventsSecrets = None,
    email: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address for mails about finished runs and the budget.")
    ] = "",
    budget: Annotated[
        float, typer.Option(metavar="DOLLARS", min=0, help="Send a mail at 50 and 90 % of this monthly budget.")
    ] = 0.0,
    vpc: Annotated[str, typer.Option(metavar="ID", help="VPC to use.", show_default="the default VPC")] = "",
    stack: o.Stack = "pdfbatch",
    batch: Annotated[
        bool,
        typer.Option("--batch", help="Also create a Spot compute environment and a queue of AWS Batch: --on batch."),
    ] = False,
    instance_type: o.BatchTypes = None,
    subnet: o.BatchSubnets = None,
    max_vcpus: o.MaxVcpus = 0,
    session_manager: Annotated[
        bool,
        typer.Option("--session-manager", help="Allow Session Manager: a shell on the instances without SSH."),
    ] = False,
    sagemaker: Annotated[
        bool, typer.Option("--sagemaker", help="Also create the role of SageMaker Processing jobs: --on sagemaker.")
    ] = False,
    schedules: Annotated[
        bool,
        typer.Option(
            "--schedules",
            help="Also create what `schedule` needs: a role, a dead-letter queue, and alarms to the address.",
        ),
    ] = False,
    expect_within: Annotated[
        int,
        typer.Option(
            "--expect-within",
            metavar="HOURS",
            min=1,
            max=168,
            help="With --schedules: alarm if no schedule has started anything for so long.",
        ),
    ] = 25,
    show_template: Annotated[
        bool, typer.Option("--show-template", help="Also print the CloudFormation template before asking.")
    ] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete everything that setup created.")] = False,
    yes: o.Yes = False,
    json: o.Json = False,
) -> None:
    """Create what a launch needs in the AWS account, as one CloudFormation stack. Run it again to add places.

    It shows the changes and asks first. The stack holds the instances' role, a security group without inbound rules, a
    log group, an SNS topic, an image repository and a budget. While idle, only stored images cost money.
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
        with waiting(f"Deleting stack {stack}, a minute or two"):
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
        secrets=tuple(Secret.read(arn).arn for arn in [*(password_secret or ()), *(events_secret or ())]),
        events=tuple(sink.text for sink in SinkAddress.read_all(events or ()) if sink.kind in ("sns", "eventbridge")),
        session_manager=session_manager,
        sagemaker=sagemaker,
        schedules=expect_within if schedules else 0,
        **batch_wish(batch, instance_type or (), subnet or (), max_vcpus),
    )
    with waiting("Asking CloudFormation what would change"):
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
    with waiting(f"Changing stack {stack}, a minute or two"):
        stacks.carry_out(clients, proposal)
    on = "batch" if batch else "sagemaker" if sagemaker else ""
    screen = screens.set_up_screen(where, email, inputs or (), outputs or (), stack, on)
    show(views.as_json(proposal) if json else screen)

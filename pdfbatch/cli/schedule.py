"""`schedule`: jobs of AWS Batch or SageMaker that start by themselves, again and again."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from pdfbatch import config, views
from pdfbatch.cli import options as o
from pdfbatch.cli.command import chosen_for, with_command
from pdfbatch.cli.console import agreed, details, finish, now, say, show, waiting
from pdfbatch.cli.fleet import places_of
from pdfbatch.cli.inputs import split
from pdfbatch.cli.launching import clients_near
from pdfbatch.cli.request import request_of
from pdfbatch.cli.settings import default_model, default_places
from pdfbatch.errors import ExitCode, UsageError
from pdfbatch.records import ReadOptions, WayName
from pdfbatch.views import schedules as screens
from pdfbatch.views.fleet import plan_screen

if TYPE_CHECKING:
    from pdfbatch.fleet.schedules.requests import Timing
    from pdfbatch.fleet.values import LaunchRequest

HOURS = 24.0
"""The default of --max-hours: the next execution of a daily schedule takes what is left."""

Cron = Annotated[
    str,
    typer.Option(
        "--cron",
        metavar="WHEN",
        help="Minute, hour, day, month, weekday, year, as `'0 3 * * ? *'`; or `'rate(12 hours)'`.",
    ),
]
ScheduleName = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Name of the schedule; one of the same name is replaced.")
]
Timezone = Annotated[str, typer.Option(metavar="ZONE", help="Time zone of --cron, as Europe/Berlin.")]
Window = Annotated[
    int, typer.Option(metavar="MINUTES", min=0, max=1440, help="Start at some time within so many minutes after it.")
]
Retries = Annotated[
    int,
    typer.Option(
        metavar="N", min=0, max=2, help="How often AWS repeats a call that failed; each may start another job."
    ),
]
OnJobs = Annotated[
    WayName,
    typer.Option("--on", help="What runs the workers: batch (on Spot instances) or sagemaker."),
]


@o.with_read_options
def schedule(
    places: o.Places = None,
    output: o.OutputOption = "",
    cron: Cron = "",
    name: ScheduleName = "nightly",
    timezone: Timezone = "UTC",
    window: Window = 0,
    retries: Retries = 0,
    include: o.Include = None,
    exclude: o.Exclude = None,
    pages: o.Pages = "",
    password_secret: o.PasswordSecret = "",
    events: o.Events = None,
    events_secret: o.EventsSecret = "",
    on: OnJobs = "batch",
    workers: o.Workers = 1,
    instance_type: o.InstanceTypes = None,
    max_hours: o.MaxHours = None,
    max_cost: o.MaxCost = None,
    engine: o.FleetEngineName = "",
    model: o.FleetModel = "",
    image: o.Image = "",
    subnet: o.Subnets = None,
    security_group: o.SecurityGroups = None,
    ebs_key: o.EbsKey = "alias/aws/ebs",
    tag: o.Tags = None,
    stack: o.Stack = "pdfbatch",
    pages_per_second: o.Pace = None,
    limit: o.Limit = None,
    all_failures: o.AllFailures = False,
    read: ReadOptions = ReadOptions(),  # noqa: B008  # frozen
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan of one execution and exit.")] = False,
    yes: o.Yes = False,
    json: o.Json = False,
) -> None:
    """Convert what is new or changed at fixed times, by jobs of AWS Batch or SageMaker.

    `schedule list` shows the stack's schedules, `schedule delete NAME` deletes one. Each execution lists INPUT, and
    converts documents that are new, or whose ETag has changed. `pdfbatch setup --schedules` comes first.
    """
    if places and places[0] == "list" and len(places) == 1:
        _list(stack, json)
    if places and places[0] == "delete":
        _delete(places[1:], stack, yes, json)
    from pdfbatch.fleet.schedules.requests import Timing, checked_name, expression_of

    if not cron:
        raise UsageError("--cron is missing.", "Add it: --cron '0 3 * * ? *' is every day at 3:00.")
    timing = Timing(expression_of(cron), timezone, window, retries)
    checked_name(name)
    if on == "spot":
        raise UsageError(
            "A schedule cannot start EC2 Fleets: that takes several calls, and a schedule makes one.",
            "Use --on batch, which runs on Spot instances too.",
        )
    options = read.model_copy(update={"pages": pages})
    engine = with_command(engine, options)
    given, target = split(*default_places(places, output))
    store, inputs = places_of(given, target, include, exclude)
    request = request_of(
        inputs.source.url,
        store.url,
        chosen=chosen_for(engine, inputs.chosen),
        password_secret=password_secret,
        events=events or (),
        events_secret=events_secret,
        engine=engine,
        model=model or (default_model() if engine in ("", "dolphin", "auto") else ""),
        options=options,
        redo_changed=True,
        limit=limit,
        all_failures=all_failures,
        way=on,
        workers=workers,
        recurs=True,
        instance_types=instance_type,
        on_demand=False,
        max_price=None,
        max_hours=max_hours or HOURS,
        max_cost=max_cost,
        ebs_key=ebs_key,
        image=image,
        ami="",
        subnets=subnet,
        security_groups=security_group,
        key_name="",
        tags=tag,
        stack=stack,
        pages_per_second=pages_per_second,
    )
    _make(request, name, timing, dry_run=dry_run, yes=yes, json=json)


def _make(request: LaunchRequest, name: str, timing: Timing, *, dry_run: bool, yes: bool, json: bool) -> None:
    from pdfbatch.fleet.effects import Effects
    from pdfbatch.fleet.planning import propose
    from pdfbatch.fleet.sample import count_pages
    from pdfbatch.fleet.schedules.scheduling import make
    from pdfbatch.store import open_store

    output = open_store(request.output)
    clients = clients_near(output)
    counting = partial(count_pages, processes=config.default_processes(), pages=request.options.pages)
    with waiting("Checking the account, counting pages in a sample"):
        proposal = propose(request, clients=clients, now=now(), environment=os.environ, count_pages=counting)
    decided = proposal.decided
    assert decided is not None, "a schedule may begin with nothing to do"
    if dry_run:
        finish(views.as_json(decided.plan) if json else plan_screen(decided.plan, details()))
    say(plan_screen(decided.plan, details()))
    if not agreed(screens.schedule_question(name, timing.expression, decided.plan), yes):
        raise typer.Exit(ExitCode.INTERRUPTED)
    with waiting("Creating the schedule"):
        made = make(
            decided,
            Effects(clients, output, os.environ, say, time.sleep, now),
            name,
            timing,
            request.limit,
            request.all_failures,
        )
    finish(views.as_json(made) if json else screens.scheduled_screen(made, request.names.stack))


def _list(stack: str, json: bool) -> None:
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.names import Names
    from pdfbatch.fleet.schedules.scheduling import Schedules, schedules

    with waiting("Asking AWS"):
        found = Schedules(schedules=schedules(Clients(), Names.checked(stack)))
    finish(views.as_json(found) if json else screens.schedules_screen(found))


def _delete(words: list[str], stack: str, yes: bool, json: bool) -> None:
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.names import Names
    from pdfbatch.fleet.schedules.scheduling import delete
    from pdfbatch.store import open_store

    if len(words) != 1:
        raise UsageError("The name of the schedule is missing.", "`pdfbatch schedule list` shows the names.")
    if not agreed(f"Delete the schedule {words[0]}?", yes):
        raise typer.Exit(ExitCode.INTERRUPTED)
    gone = delete(Clients(), Names.checked(stack), words[0], open_store)
    show(views.as_json(gone) if json else screens.deleted_screen(gone))
    raise typer.Exit(ExitCode.DONE)

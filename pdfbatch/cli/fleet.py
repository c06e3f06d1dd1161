"""`plan` and `launch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pdfbatch.cli import options as o
from pdfbatch.cli.command import chosen_for, with_command
from pdfbatch.cli.inputs import STDOUT, inputs_of, split
from pdfbatch.cli.launching import plan_and_launch
from pdfbatch.cli.request import request_of
from pdfbatch.cli.settings import default_model, default_places
from pdfbatch.errors import UsageError
from pdfbatch.records import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pdfbatch.runs.named import Inputs
    from pdfbatch.store import Store


@o.with_read_options
def launch(
    places: o.Places = None,
    output: o.OutputOption = "",
    include: o.Include = None,
    exclude: o.Exclude = None,
    pages: o.Pages = "",
    password_secret: o.PasswordSecret = "",
    events: o.Events = None,
    events_secret: o.EventsSecret = "",
    on: o.On = "spot",
    workers: o.LaunchWorkers = None,
    pool: o.AsPool = False,
    watch_input: o.WatchInput = False,
    instance_type: o.InstanceTypes = None,
    on_demand: o.OnDemand = False,
    max_price: o.MaxPrice = None,
    max_hours: o.MaxHours = None,
    max_cost: o.MaxCost = None,
    ebs_key: o.EbsKey = "alias/aws/ebs",
    engine: o.FleetEngineName = "",
    model: o.FleetModel = "",
    image: o.Image = "",
    ami: o.AmiName = "",
    subnet: o.Subnets = None,
    security_group: o.SecurityGroups = None,
    network_isolation: o.NetworkIsolation = False,
    output_key: o.OutputKey = "",
    key_name: o.KeyName = "",
    tag: o.Tags = None,
    stack: o.Stack = "pdfbatch",
    pages_per_second: o.Pace = None,
    limit: o.Limit = None,
    changed: o.Changed = False,
    all_failures: o.AllFailures = False,
    read: ReadOptions = ReadOptions(),  # noqa: B008  # frozen
    keep_partial: o.KeepPartial = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and exit, like `pdfbatch plan`.")] = False,
    wait: o.Wait = False,
    yes: o.Yes = False,
    json: o.Json = False,
) -> None:
    """Convert PDFs and image files on a fleet of EC2 Spot instances. Launch again to resume.

    It shows the plan and asks first. Instances terminate themselves when the work is done; AWS terminates them after
    --max-hours in any case.
    """
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
        redo_changed=changed,
        limit=limit,
        all_failures=all_failures,
        way=on,
        workers=workers,
        is_pool=pool,
        watches_input=watch_input,
        instance_types=instance_type,
        on_demand=on_demand,
        max_price=max_price,
        max_hours=max_hours,
        max_cost=max_cost,
        ebs_key=ebs_key,
        image=image,
        ami=ami,
        subnets=subnet,
        security_groups=security_group,
        isolated=network_isolation,
        output_key=output_key,
        key_name=key_name,
        tags=tag,
        stack=stack,
        pages_per_second=pages_per_second,
    )
    plan_and_launch(request, dry_run=dry_run, keep_partial=keep_partial, wait=wait, yes=yes, json=json)


def _plan(**options: Any) -> None:
    launch(dry_run=True, **options)


plan = o.with_options_of(
    launch,
    _plan,
    "Show what a launch would do, how long it would take and what it would cost. Changes nothing.",
    without={"dry_run", "yes", "keep_partial", "wait"},
)


def places_of(
    given: Sequence[str], target: str, include: Sequence[str] | None, exclude: Sequence[str] | None
) -> tuple[Store, Inputs]:
    """Opens the output and the input, and checks them."""
    from pdfbatch.runs.begin import check_places
    from pdfbatch.store import open_store

    if target == STDOUT:
        raise UsageError("A fleet cannot write to stdout.", "Use s3://bucket/prefix/ as OUTPUT.")
    store = open_store(target)
    inputs = inputs_of(given, store, include, exclude)
    check_places(inputs.source, store, inputs.chosen)
    return store, inputs

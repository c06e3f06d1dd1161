"""`retry-failures`: a new run over failed documents, here or on a fleet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pdfbatch.cli import options as o
from pdfbatch.cli.command import COMMAND, with_command
from pdfbatch.cli.console import now, say
from pdfbatch.cli.delivering import checked_sinks, sinks_here
from pdfbatch.cli.inputs import read_passwords
from pdfbatch.cli.launching import plan_and_launch
from pdfbatch.cli.notes import nothing_to_retry, show_notes
from pdfbatch.cli.request import request_of
from pdfbatch.cli.running import check_cap, run_slice, select_engine
from pdfbatch.cli.settings import default_model
from pdfbatch.errors import UsageError
from pdfbatch.records import ReadOptions, Reason, WayName, read_page_list

if TYPE_CHECKING:
    from pdfbatch.records import Manifest
    from pdfbatch.store import Store


@o.with_read_options
def retry_failures(
    output: o.Output,
    reason: o.Reasons = None,
    below: o.Below = 0.0,
    all_failures: o.AllFailures = False,
    engine: o.RetryEngineName = "",
    local: Annotated[bool, typer.Option("--local", help="Retry on this computer, not on a fleet.")] = False,
    on: o.RetryOn = None,
    workers: o.Workers = 1,
    pool: o.AsPool = False,
    instance_type: o.InstanceTypes = None,
    on_demand: o.OnDemand = False,
    max_price: o.MaxPrice = None,
    max_hours: o.MaxHours = None,
    max_cost: o.MaxCost = None,
    ebs_key: o.EbsKey = "alias/aws/ebs",
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the fleet's plan and exit.")] = False,
    yes: o.Yes = False,
    processes: o.Processes = None,
    pages: o.RetryPages = "",
    password_file: o.PasswordFile = "",
    password_secret: o.PasswordSecret = "",
    model: o.Model = "",
    events: o.Events = None,
    events_secret: o.EventsSecret = "",
    read: ReadOptions = ReadOptions(),  # noqa: B008  # frozen
    json: o.Json = False,
) -> None:
    """Retry failed documents in a new run, on a small fleet or with --local on this computer. Keeps earlier runs."""
    from pdfbatch.runs import manifest
    from pdfbatch.runs.begin import Request, begin_retry, check_places
    from pdfbatch.runs.partition import Slice
    from pdfbatch.runs.verify import no_run
    from pdfbatch.store import open_store

    store = open_store(output)
    store.check_readable()
    latest = manifest.current(store)
    if latest is None:
        raise no_run(store)
    before = manifest.load(store, latest)
    only = _documents_in(pages, reason or [], below) if o.is_file_of_pages(pages) else None
    read = read.model_copy(update={"pages": before.options.pages if only is not None or not pages else pages})
    read = _as_before(read, before, engine, local=local)
    engine = with_command(engine, read)
    if (password_secret and local) or (password_file and not local):
        raise UsageError("--password-file is for --local, and --password-secret for a fleet.", "Use the other option.")
    if events_secret and local:
        raise UsageError(
            "--events-secret is for a fleet.", "With --local the environment has the secrets: docs/events.md."
        )
    sinks = checked_sinks(events) if local else sinks_here()
    source = open_store(before.input)
    check_places(source, store, before.chosen)
    if not local:
        if not engine:
            engine, model = before.engine, model or before.model
        request = request_of(
            source.url,
            store.url,
            engine=engine,
            model=model,
            options=read,
            all_failures=all_failures,
            retry=reason or (),
            below=below,
            only=only,
            way=on or _way_of(store, latest),
            workers=workers,
            is_pool=pool,
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
            chosen=before.chosen,
            password_secret=password_secret or before.password_secret,
            events=events or before.events,
            events_secret=events_secret or before.events_secret,
        )
        plan_and_launch(request, dry_run=dry_run, yes=yes, json=json)
        return
    reads = select_engine(engine, model, default_model(), read)
    check_cap(max_cost, reads.name, read)
    passwords = read_passwords(password_file)
    wanted = Request(
        Slice(0, 1),
        reads.name,
        read,
        model=reads.model,
        pin=reads.pinned_model,
        chosen=before.chosen,
        events=[sink.text for sink in sinks.addresses],
    )
    begun = begin_retry(
        source,
        store,
        wanted,
        reason or [],
        now,
        below,
        all_failures=all_failures,
        has_passwords=len(passwords) > 0,
        only=only,
    )
    show_notes(begun, store)
    if begun.how == "nothing":
        say(nothing_to_retry(reason or [], below, bool(begun.hopeless)))
    run_slice(begun, 0, source, store, processes, o.how_to_print(json), passwords, sinks, max_cost)


def _as_before(read: ReadOptions, before: Manifest, engine: str, *, local: bool) -> ReadOptions:
    """Takes from the run before what was not named now and belongs to its engine or its documents."""
    was, taken = before.options, dict[str, Any]()
    if before.engine == COMMAND and not engine and not read.command.line:
        taken["command"] = was.command
    elif not read.also and not read.command.line:
        taken["also"] = was.also
    if read.endpoint is None:
        taken["endpoint"] = was.endpoint
    if not engine and not local:  # the engine is that of the run before
        taken |= {"triage": read.triage or was.triage}
        if not read.fallback:
            fallback = ("fallback", "fallback_below", "fallback_elements")
            taken |= {name: getattr(was, name) for name in fallback}
    return read.model_copy(update=taken)


def _way_of(store: Store, run: str) -> WayName:
    """Returns what ran the workers of a run; `spot` for a run on this computer."""
    from pdfbatch.runs.manifest import load_fleet

    record = load_fleet(store, run)
    return record.way if record else "spot"


def _documents_in(file: str, reasons: Sequence[Reason], below: float) -> frozenset[str]:
    """Returns the documents of a list of pages.

    Raises:
        UsageError: the file is no such list, or other options choose documents too.
    """
    if reasons or below:
        raise UsageError("--pages FILE names the documents itself.", "Leave out --reason and --below.")
    try:
        found = read_page_list(Path(file).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read as a list of pages: {error}.", "Write key, tab, pages.") from error
    if not found:
        raise UsageError(f"{file} lists no pages.", "Mark some in `pdfbatch view`.")
    return frozenset(found)

"""The fleet's commands: `plan`, `launch`, `down`, `ls`, `logs`."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pdfbatch import config, views
from pdfbatch.cli import options as o
from pdfbatch.cli.inputs import STDOUT, inputs_of, split
from pdfbatch.cli.options import with_options_of
from pdfbatch.cli.outside import agreed, finish, now, say, show
from pdfbatch.cli.request import request_of
from pdfbatch.errors import ExitCode, NotReady, PdfbatchError, UsageError
from pdfbatch.views import fleet as screens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.ec2 import Found
    from pdfbatch.fleet.plan import Decided
    from pdfbatch.fleet.propose import Proposal
    from pdfbatch.fleet.values import Launched, LaunchRequest
    from pdfbatch.records import FleetRecord
    from pdfbatch.runs.named import Inputs
    from pdfbatch.store import Store


def launch(
    places: o.Places,
    output: o.OutputOption = "",
    include: o.Include = None,
    exclude: o.Exclude = None,
    pages: o.Pages = "",
    password_secret: o.PasswordSecret = "",
    workers: o.LaunchWorkers = None,
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
    key_name: o.KeyName = "",
    tag: o.Tags = None,
    stack: o.Stack = "pdfbatch",
    pages_per_second: o.Pace = None,
    limit: o.Limit = None,
    changed: o.Changed = False,
    all_failures: o.AllFailures = False,
    dpi: o.Dpi = 200,
    as_published: o.AsPublished = False,
    keep_hidden: o.KeepHidden = False,
    join_tables: o.JoinTables = True,
    keep_headers: o.KeepHeaders = False,
    page_seconds: o.PageSeconds = 120.0,
    max_retries: o.MaxRetries = 2,
    max_failures_in_a_row: o.FailuresInARow = 20,
    keep_partial: o.KeepPartial = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and end, as `pdfbatch plan` does.")] = False,
    yes: o.Yes = False,
    json: o.Json = False,
) -> None:
    """Convert PDFs, and pictures, on a fleet of EC2 Spot machines: the plan, a question, then the fleet.

    The machines end themselves when all is done, and AWS ends them after --max-hours whatever happens. Launch again to
    take up what is left.
    """
    options = o.read_options(
        keep_headers,
        page_seconds,
        max_retries,
        dpi,
        as_published,
        keep_hidden,
        join_tables,
        max_failures_in_a_row,
        pages,
    )
    given, target = split(places, output)
    store, inputs = _places(given, target, include, exclude)
    request = request_of(
        inputs.source.url,
        store.url,
        chosen=inputs.chosen,
        password_secret=password_secret,
        engine=engine,
        model=model,
        options=options,
        redo_changed=changed,
        limit=limit,
        all_failures=all_failures,
        workers=workers,
        instance_types=instance_type,
        on_demand=on_demand,
        max_price=max_price,
        max_hours=max_hours,
        max_cost=max_cost,
        ebs_key=ebs_key,
        image=image,
        ami=ami,
        subnets=subnet,
        key_name=key_name,
        tags=tag,
        stack=stack,
        pages_per_second=pages_per_second,
    )
    go(request, dry_run=dry_run, keep_partial=keep_partial, yes=yes, json=json)


def _dry(**options: Any) -> None:
    launch(dry_run=True, **options)


plan = with_options_of(
    launch,
    _dry,
    "Tell what a launch would do, how long it would take and what it would cost. Changes nothing.",
    without={"dry_run", "yes", "keep_partial"},
)


def down(
    output: o.OptionalOutput = "",
    run: Annotated[str, typer.Option(help="End this run alone, also where its OUTPUT is gone.")] = "",
    yes: o.Yes = False,
    json: o.Json = False,
) -> None:
    """End the fleets of OUTPUT with their machines, and see that nothing is left. What was converted stays."""
    from pdfbatch.fleet.down import Known, end, known_of, look, no_such_run, note_ended
    from pdfbatch.fleet.names import output_digest
    from pdfbatch.store import open_store

    if not output and not run:
        raise UsageError("Pass OUTPUT or --run.", "`pdfbatch ls` lists what runs.")
    store = open_store(output) if output else None
    known = known_of(store, run, say) if store else Known("", None)
    clients = _clients_of(known.record)
    digest = output_digest(store.url) if store else ""

    def is_wanted(found: Found) -> bool:
        return (not run or found.run == run) and (not digest or found.output == digest)

    there = look(clients)
    found = there.only(is_wanted)
    if found.is_nothing and not known.run:
        raise no_such_run(clients, _where(run, store), there, now())
    if not found.is_nothing:
        say(screens.remains_screen(found))
        if not agreed(screens.down_question(found), yes):
            raise typer.Exit(ExitCode.INTERRUPTED)
    note_ended(found, store, known.record, now(), say)
    ended = end(clients, is_wanted, time.sleep)
    finish(views.as_json(ended) if json else screens.ended_screen(ended))


def _where(run: str, store: Store | None) -> str:
    return " ".join(part for part in (run, f"at {store.url}" if store else "") if part)


def _clients_of(record: FleetRecord | None) -> Clients:
    """Where the fleet is, whatever region is set here.

    Raises:
        NotReady: it is another account's.
    """
    from pdfbatch.fleet.clients import Clients

    clients = Clients(record.region if record else "")
    if record and record.account and record.account != clients.account:
        raise NotReady(
            f"Run {record.run} is in the account {record.account}; these credentials are of {clients.account}.",
            "Choose the right ones with AWS_PROFILE.",
        )
    return clients


def ls(json: o.Json = False) -> None:
    """List every run with machines in this region, and whatever was left behind."""
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.inventory import take

    listed = take(Clients(), now())
    show(views.as_json(listed) if json else screens.inventory_screen(listed))


def logs(
    output: o.Output,
    worker: Annotated[int | None, typer.Argument(metavar="[WORKER]", help="This worker alone.", min=0)] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow new lines.")] = False,
    boot: Annotated[bool, typer.Option("--boot", help="What the machines said while they booted and ended.")] = False,
    run: o.Run = None,
) -> None:
    """Show what the workers say, from CloudWatch."""
    from datetime import datetime

    from pdfbatch.fleet import logs as cloudwatch
    from pdfbatch.runs import manifest
    from pdfbatch.runs.verify import no_run
    from pdfbatch.store import open_store

    store = open_store(output)
    store.check_readable()
    wanted = run or manifest.current(store)
    if wanted is None:
        raise no_run(store)
    record, frozen = manifest.load_fleet(store, wanted), manifest.load(store, wanted)
    if worker is not None and worker >= frozen.total_workers:
        raise UsageError(f"Run {wanted} has {_workers_of(frozen.total_workers)}, not {worker}.", "Give one of them.")
    if record is None:
        raise UsageError(f"Run {wanted} was not on a fleet, so it has no logs.", "Its failures: `pdfbatch report`.")
    if boot:
        _show_boots(store, wanted, worker)
        return
    since = datetime.fromisoformat(record.launched)
    clients = _clients_of(record)
    lines = (
        cloudwatch.follow(clients, record.log_group, wanted, worker, since, time.sleep)
        if follow
        else cloudwatch.lines(clients, record.log_group, wanted, worker, since)
    )
    silent = True
    for line in lines:
        silent = False
        show(screens.log_line(line))
    if silent:
        say(f"no worker has said anything yet; `pdfbatch status {store.url}` tells whether its instance has booted")


def _workers_of(count: int) -> str:
    return "worker 0 alone" if count == 1 else f"workers 0 to {count - 1}"


def go(
    request: LaunchRequest,
    *,
    dry_run: bool = False,
    keep_partial: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """The plan, the question and the launch; `retry-failures` ends here too."""
    from pdfbatch.fleet.propose import propose
    from pdfbatch.fleet.sample import look
    from pdfbatch.store import open_store

    output = open_store(request.output)
    clients = clients_near(output)
    counting = partial(look, processes=config.default_processes(), pages=request.options.pages)
    proposal = propose(request, clients=clients, now=now(), environment=os.environ, look=counting)
    if proposal.rest.changed:
        say(f"changed since converted, left alone (--changed converts them again): {views.some(proposal.rest.changed)}")
    if proposal.rest.other_pages:
        say(
            "Markdown of other pages than are asked for now, left alone (--changed converts them again): "
            + views.some(proposal.rest.other_pages)
        )
    if proposal.decided is None:
        _nothing_to_do(proposal, request, json)
        return
    if dry_run:
        finish(views.as_json(proposal.decided.plan) if json else screens.plan_screen(proposal.decided.plan))
    say(screens.plan_screen(proposal.decided.plan))
    if not agreed(screens.launch_question(proposal.decided.plan), yes):
        raise typer.Exit(ExitCode.INTERRUPTED)
    _carry_out(proposal.decided, clients, output, keep_partial, json)


def _carry_out(decided: Decided, clients: Clients, output: Store, keep_partial: bool, json: bool) -> None:
    from pdfbatch.fleet.launch import Outside, launch

    with _ctrl_c_for_every_signal():
        launched = launch(decided, Outside(clients, output, os.environ, say, time.sleep, now), keep_partial)
    show(views.as_json(launched) if json else screens.launched_screen(launched))
    _tell_first_troubles(clients, launched)
    raise typer.Exit(ExitCode.FAILED if launched.missing else ExitCode.DONE)


def _tell_first_troubles(clients: Clients, launched: Launched) -> None:
    """A fleet that gets no instance says so in its history alone. The launch is done: Ctrl-C only ends the looking."""
    from pdfbatch.fleet.first_minutes import troubles

    try:
        for worker, trouble in troubles(clients, launched.fleets, now(), time.sleep):
            say(f"worker {worker}: no instance yet ({trouble}); AWS keeps trying until {launched.expiry:%H:%M} UTC")
    except PdfbatchError as error:
        say(f"whether the instances start was not checked: {error.message}")
    except KeyboardInterrupt:
        say("the fleets go on; `pdfbatch ls` shows their instances")


def clients_near(output: Store) -> Clients:
    """Clients of the region that boto3's settings name, else of the one where the output's bucket is."""
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.store import S3Store

    return Clients(bucket=output.bucket if isinstance(output, S3Store) else "")


@contextmanager
def _ctrl_c_for_every_signal() -> Iterator[None]:
    """A closed terminal or a `kill` must not leave half a fleet: they end a launch as Ctrl-C does. What `nohup` ignores
    stays ignored."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    heard = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing_to_do(proposal: Proposal, request: LaunchRequest, json: bool) -> None:
    from pdfbatch.runs.progress import nothing_left

    rest = proposal.rest
    nothing = nothing_left(request.source, request.output, rest.skipped, now())
    if rest.hopeless:
        say(
            f"left out: {views.plural(len(rest.hopeless), 'document')} that would fail again, unchanged since "
            f"({views.tally(rest.hopeless.values())}); --all-failures tries them anyway"
        )
    elif request.retry is not None:
        say("nothing to retry: no document failed" + (" for this reason" if request.retry else ""))
    show(views.as_json(nothing) if json else views.closing(nothing, [], []))


def _places(
    given: Sequence[str], target: str, include: Sequence[str] | None, exclude: Sequence[str] | None
) -> tuple[Store, Inputs]:
    """Output and input, checked."""
    from pdfbatch.runs.begin import check_places
    from pdfbatch.store import open_store

    if target == STDOUT:
        raise UsageError("A fleet cannot write to stdout.", "Give s3://bucket/prefix/ as OUTPUT.")
    store = open_store(target)
    inputs = inputs_of(given, store, include, exclude)
    check_places(inputs.source, store, inputs.chosen)
    return store, inputs


def _show_boots(store: Store, run: str, worker: int | None) -> None:
    from pdfbatch.records import RunKeys

    keys = RunKeys(run)
    prefix = f"{keys.prefix}logs/" if worker is None else keys.boot_logs_of(worker)
    entries = list(store.list(prefix))
    for entry in entries:
        show(screens.heading(entry.key.removeprefix(keys.prefix)))
        show(store.get(entry.key).decode("utf-8", "replace"))
    if not entries:
        say("no machine has ended yet: each leaves its log when it ends")

"""Commands for running fleets: `down`, `ls`, `logs`."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from pdfbatch import views
from pdfbatch.cli import options as o
from pdfbatch.cli.console import agreed, finish, now, say, show, waiting
from pdfbatch.cli.launching import clients_near
from pdfbatch.errors import ExitCode, NotReady, UsageError
from pdfbatch.views import fleet as screens

if TYPE_CHECKING:
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.resources import Resource
    from pdfbatch.records import FleetRecord
    from pdfbatch.store import LocalStore, Store


def down(
    output: o.OptionalOutput = "",
    run: Annotated[
        str,
        typer.Option(metavar="ID", help="Terminate only this run's instances; works even if its OUTPUT was deleted."),
    ] = "",
    yes: o.Yes = False,
    json: o.Json = False,
) -> None:
    """Terminate all instances that write to OUTPUT, and check that none is left. Keeps the Markdown."""
    from pdfbatch.fleet.down import Known, end, known_of, list_resources, no_such_run, note_ended
    from pdfbatch.fleet.names import output_digest
    from pdfbatch.store import LocalStore, open_store

    if not output and not run:
        raise UsageError("OUTPUT is missing.", "Name OUTPUT, or a run with --run ID; `pdfbatch ls` lists all runs.")
    store = open_store(output) if output else None
    if isinstance(store, LocalStore):
        _finish_local(store, run, json)
    known = known_of(store, run, say) if store else Known("", None)
    clients = clients_of(known.record, store)
    digest = output_digest(store.url) if store else ""

    def is_wanted(found: Resource) -> bool:
        return (not run or found.run == run) and (not digest or found.output == digest)

    there = list_resources(clients)
    found = there.only(is_wanted)
    if found.is_nothing and not known.run:
        raise no_such_run(clients, _where(run, store), there, now())
    if not found.is_nothing:
        say(screens.remains_screen(found))
        if not agreed(screens.down_question(found), yes):
            raise typer.Exit(ExitCode.INTERRUPTED)
    note_ended(found, store, known.record, now(), say)
    with waiting("Terminating, and checking that nothing is left"):
        ended = end(clients, is_wanted, time.sleep)
    finish(views.as_json(ended) if json else screens.ended_screen(ended))


def _finish_local(store: LocalStore, run: str, json: bool) -> NoReturn:
    """Ends `down` for a folder: a fleet writes to S3 only.

    Raises:
        NotFound: there is no such run in the folder.
    """
    from pdfbatch.fleet.resources import Ended
    from pdfbatch.runs import manifest
    from pdfbatch.runs.verify import no_run

    store.check_readable()
    wanted = run or manifest.current(store)
    if wanted is None:
        raise no_run(store)
    manifest.load(store, wanted)
    nothing = Ended(runs=[], fleets=0, instances=0, templates=0)
    finish(views.as_json(nothing) if json else screens.local_screen(wanted))


def _where(run: str, store: Store | None) -> str:
    return " ".join(part for part in (run, f"at {store.url}" if store else "") if part)


def clients_of(record: FleetRecord | None, output: Store | None = None) -> Clients:
    """Returns clients for the fleet's own region, whatever region is set here; without a record for the region that is
    set, or else for that of the output's bucket.

    Raises:
        NotReady: the fleet is in another account.
    """
    from pdfbatch.fleet.clients import Clients

    clients = Clients(record.region) if record else clients_near(output)
    if record and record.account and record.account != clients.account:
        raise NotReady(
            f"Run {record.run} is in account {record.account}, but these credentials are for {clients.account}.",
            "Choose the right credentials with AWS_PROFILE.",
        )
    return clients


def ls(json: o.Json = False) -> None:
    """List all runs in this region with their instances, fleets and launch templates, leftovers included."""
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.inventory import take

    listed = take(Clients(), now())
    show(views.as_json(listed) if json else screens.inventory_screen(listed))


def logs(
    output: o.Output,
    worker: Annotated[int | None, typer.Argument(metavar="WORKER", help="Show only this worker.", min=0)] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep showing new lines.")] = False,
    boot: Annotated[bool, typer.Option("--boot", help="Show the boot and shutdown logs of the instances.")] = False,
    run: o.Run = None,
) -> None:
    """Show the workers' logs from CloudWatch."""
    from pdfbatch.fleet import logs as cloudwatch
    from pdfbatch.fleet.ways import way_named
    from pdfbatch.runs import manifest
    from pdfbatch.runs.pool import pool_of, workers_of
    from pdfbatch.runs.verify import no_run
    from pdfbatch.store import open_store

    store = open_store(output)
    store.check_readable()
    wanted = run or manifest.current(store)
    if wanted is None:
        raise no_run(store)
    record, frozen = manifest.load_fleet(store, wanted), manifest.load(store, wanted)
    workers = workers_of(frozen, pool_of(store, frozen))
    if worker is not None and worker >= workers:
        raise UsageError(f"Run {wanted} has {_named(workers)}, not {worker}.", "Choose one of them.")
    if record is None:
        raise UsageError(
            f"Run {wanted} did not use a fleet, so it has no logs.",
            "See its failures with `pdfbatch report --failures OUTPUT`.",
        )
    if boot and record.way != "spot":
        raise UsageError(
            f"Run {wanted} has no boot logs: AWS {record.way.capitalize()} boots the instances.", "Leave out --boot."
        )
    if boot:
        _show_boots(store, wanted, worker)
        return
    clients = clients_of(record)
    streams = way_named(record.way).log_streams(clients, record, worker, workers)
    lines = (
        cloudwatch.follow(clients, record.log_group, streams, record.launched, time.sleep)
        if follow
        else cloudwatch.lines(clients, record.log_group, streams, record.launched)
    )
    silent = True
    for line in lines:
        silent = False
        show(screens.log_line(line))
    if silent:
        status = f"pdfbatch status {shlex.quote(store.url)}"
        say(f"no worker has logged anything yet; `{status}` shows whether its instance has booted")


def _named(count: int) -> str:
    return "only worker 0" if count == 1 else f"workers 0 to {count - 1}"


def _show_boots(store: Store, run: str, worker: int | None) -> None:
    from pdfbatch.records import RunKeys

    keys = RunKeys(run)
    prefix = f"{keys.prefix}logs/" if worker is None else keys.boot_logs_of(worker)
    entries = list(store.list(prefix))
    for entry in entries:
        show(screens.heading(entry.key.removeprefix(keys.prefix)))
        show(store.get(entry.key).decode("utf-8", "replace"))
    if not entries:
        say("no boot logs yet: each instance writes its log when it shuts down")

"""From a request to a fleet: plan, question, launch. `launch` and `retry-failures` share it."""

from __future__ import annotations

import os
import shlex
import signal
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import typer

from pdfbatch import config, views
from pdfbatch.cli.console import agreed, details, finish, local_now, now, say, show, stderr, waiting
from pdfbatch.cli.jobs import with_jobs
from pdfbatch.cli.notes import nothing_to_retry, show_left_out
from pdfbatch.errors import ExitCode, PdfbatchError
from pdfbatch.views import fleet as screens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.plan import Decided
    from pdfbatch.fleet.planning import LaunchProposal
    from pdfbatch.fleet.values import Launched, LaunchRequest
    from pdfbatch.runs.progress import RunStatus
    from pdfbatch.store import Store


WAIT_SECONDS = 10.0


def plan_and_launch(
    request: LaunchRequest,
    *,
    dry_run: bool = False,
    keep_partial: bool = False,
    wait: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Shows the plan, asks, and launches."""
    from pdfbatch.fleet.planning import propose
    from pdfbatch.fleet.sample import count_pages
    from pdfbatch.store import open_store

    output = open_store(request.output)
    clients = clients_near(output)
    counting = partial(count_pages, processes=config.default_processes(), pages=request.options.pages)
    with waiting("Checking the account, counting pages in a sample"):
        proposal = propose(request, clients=clients, now=now(), environment=os.environ, count_pages=counting)
    show_left_out(proposal.rest, request.output)
    if proposal.decided is None:
        _nothing_to_do(proposal, request, json)
        return
    if dry_run:
        finish(views.as_json(proposal.decided.plan) if json else screens.plan_screen(proposal.decided.plan, details()))
    say(screens.plan_screen(proposal.decided.plan, details()))
    if not agreed(screens.launch_question(proposal.decided.plan), yes):
        raise typer.Exit(ExitCode.INTERRUPTED)
    with waiting("Requesting instances"):
        launched = _carry_out(proposal.decided, clients, output, keep_partial)
    if not (wait and json):
        show(views.as_json(launched) if json else screens.launched_screen(launched))
    _show_first_troubles(clients, launched)
    if wait:
        _follow(output, launched.run, json)
    raise typer.Exit(ExitCode.FAILED if launched.missing else ExitCode.DONE)


def _carry_out(decided: Decided, clients: Clients, output: Store, keep_partial: bool) -> Launched:
    from pdfbatch.fleet.launch import Effects, launch

    with _ctrl_c_for_every_signal():
        return launch(decided, Effects(clients, output, os.environ, say, time.sleep, now), keep_partial)


def _follow(output: Store, run: str, json: bool) -> NoReturn:
    """Shows the run on stderr until it is over; Ctrl-C ends the display, not the run."""
    from pdfbatch.runs import manifest, progress

    frozen = manifest.load(output, run)
    reader = with_jobs(progress.status_reader(output, frozen, now), output, run)
    last = views.watch(reader, stderr, WAIT_SECONDS, local_now)
    if last is None or last.state not in progress.OVER:
        say(f"Stopped watching; the run goes on in AWS. next: pdfbatch status {shlex.quote(output.url)} --watch")
        raise typer.Exit(ExitCode.INTERRUPTED)
    finish(views.as_json(last) if json else views.status_screen(last, local_now()), _code_of(last))


def _code_of(status: RunStatus) -> ExitCode:
    if status.state != "done":
        return ExitCode.FAILED
    some_failed = status.documents.failed or status.documents.partial
    return ExitCode.SOME_DOCUMENTS_FAILED if some_failed else ExitCode.DONE


def _show_first_troubles(clients: Clients, launched: Launched) -> None:
    """Shows why fleets have no instance yet: only their history says so. Ctrl-C ends the check, not the fleets."""
    from pdfbatch.fleet.ways import way_named

    troubles = way_named(launched.way).troubles(clients, launched, now(), time.sleep)
    try:
        with waiting("Waiting until every fleet has its instance, two minutes at most; Ctrl-C is safe"):
            for worker, trouble in troubles:
                if launched.way == "sagemaker":
                    say(f"the SageMaker job has failed: {trouble}; launch again to resume")
                    continue
                say(f"worker {worker}: no instance yet ({trouble}); AWS keeps trying until {launched.expiry:%H:%M} UTC")
    except PdfbatchError as error:
        say(f"could not check whether the instances start: {error.message}")
    except KeyboardInterrupt:
        say("the fleets keep running; `pdfbatch ls` shows their instances")


def clients_near(output: Store | None) -> Clients:
    """Returns clients for the region in boto3's settings, or else for that of the output's bucket."""
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.store import S3Store

    return Clients(bucket=output.bucket if isinstance(output, S3Store) else "")


@contextmanager
def _ctrl_c_for_every_signal() -> Iterator[None]:
    """Lets a closed terminal or a `kill` end a launch as Ctrl-C does, so that neither leaves half a fleet. What `nohup`
    ignores stays ignored."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    heard = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing_to_do(proposal: LaunchProposal, request: LaunchRequest, json: bool) -> None:
    from pdfbatch.runs.progress import nothing_left

    rest = proposal.rest
    nothing = nothing_left(request.source, request.output, rest.skipped, now())
    if request.retry is not None:
        say(nothing_to_retry(request.retry, request.below, bool(rest.hopeless)))
    output = request.output
    step = views.failures_command(output) if rest.hopeless else f"pdfbatch verify {shlex.quote(output)}"
    show(views.as_json(nothing) if json else views.closing(nothing, [], step))

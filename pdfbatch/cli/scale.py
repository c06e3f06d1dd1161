"""`scale`: adds workers to a running pool, and takes some away."""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from pdfbatch import views
from pdfbatch.cli import options as o
from pdfbatch.cli.console import agreed, now, say, show, waiting
from pdfbatch.cli.instances import clients_of
from pdfbatch.errors import ExitCode
from pdfbatch.views import fleet as screens


def scale(
    output: o.Output,
    workers: Annotated[
        int, typer.Option("--workers", min=1, max=1000, metavar="N", help="Number of workers that the pool is to have.")
    ],
    yes: o.Yes = False,
    json: o.Json = False,
) -> None:
    """Add workers to a running pool (`launch --pool`), or take some away. What they hold is given back, not lost."""
    from pdfbatch.fleet.launch import Effects
    from pdfbatch.fleet.scale import running_pool
    from pdfbatch.fleet.scale import scale as carry_out
    from pdfbatch.runs import manifest
    from pdfbatch.runs.verify import no_run
    from pdfbatch.store import open_store

    store = open_store(output)
    store.check_readable()
    wanted = manifest.current(store)
    if wanted is None:
        raise no_run(store)
    there = running_pool(store, manifest.load(store, wanted), now())
    clients = clients_of(there.record)
    more = workers - len(there.pool.workers)
    if more and not agreed(screens.scale_question(more, there.dollars_of(max(0, more), now())), yes):
        raise typer.Exit(ExitCode.INTERRUPTED)
    with waiting("Requesting instances" if more > 0 else "Telling the workers"):
        scaled = carry_out(there, workers, Effects(clients, store, os.environ, say, time.sleep, now))
    show(views.as_json(scaled) if json else screens.scaled_screen(scaled))
    raise typer.Exit(ExitCode.FAILED if scaled.missing else ExitCode.DONE)

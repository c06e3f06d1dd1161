"""`batch-job`: the entry point of the worker image in a job of AWS Batch."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pdfbatch import config
from pdfbatch.cli.console import now, say
from pdfbatch.cli.worker import Given, Worked, end_for_good, given_by, run_worker
from pdfbatch.errors import ExitCode
from pdfbatch.records import RunKeys

if TYPE_CHECKING:
    from pdfbatch.config import WorkerSettings
    from pdfbatch.records import Machine
    from pdfbatch.worker.batch_child import BatchChild

_UPTIME = Path("/proc/uptime")


def batch_job() -> None:
    """Run one worker in a job of AWS Batch: the array's index is its number."""
    from pdfbatch.worker.batch_child import BatchChild, batch_exit_code, boot_key

    child = BatchChild.read(os.environ)
    machine = _machine(child)
    environment = {**os.environ, **child.variables(machine)}

    def begun(settings: WorkerSettings) -> Given:
        given = given_by(settings)
        given.output.put(boot_key(RunKeys(given.frozen.run).boots, child.number, machine), b"")
        return given

    worked = run_worker(environment, begun)
    if worked is None:
        raise typer.Exit(ExitCode.DONE)
    _end_for_good(child, worked)
    _wait_for_the_end(child, worked)
    raise typer.Exit(batch_exit_code(worked.mark))


def _machine(child: BatchChild) -> Machine:
    from pdfbatch.worker.batch_child import uptime_of
    from pdfbatch.worker.spot import Metadata

    endpoint = config.metadata_endpoint(os.environ)
    try:
        uptime = uptime_of(_UPTIME.read_text())
    except OSError:
        uptime = None
    return child.machine(Metadata(endpoint).get if endpoint else None, uptime, now())


def _end_for_good(child: BatchChild, worked: Worked) -> None:
    """Marks the slice as given up after the last attempt."""
    from pdfbatch.worker.batch_child import given_up

    settings = config.worker_settings({**os.environ, "WORKER_ID": str(child.number)})
    mark = given_up(worked.mark, child.attempt, settings.attempts, now())
    if mark is not None:
        end_for_good(worked, mark, settings.topic)


def _wait_for_the_end(child: BatchChild, worked: Worked) -> None:
    from pdfbatch.runs.lease import last_sign
    from pdfbatch.worker.batch_child import seconds_to_wait

    if worked.mark.why != "interrupted":
        return
    beat, _ = last_sign(worked.given.output, RunKeys(worked.given.frozen.run), child.number)
    if beat is not None and (left := seconds_to_wait(beat, now())):
        say("interrupted: waiting for AWS to terminate this instance")
        time.sleep(left)

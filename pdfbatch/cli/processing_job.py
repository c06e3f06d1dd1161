"""`processing-job`: the entry point of the worker image on a host of a SageMaker Processing job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pdfbatch.cli.console import now, say
from pdfbatch.cli.running import exit_code
from pdfbatch.cli.worker import Given, end_for_good, given_by, run_worker
from pdfbatch.errors import ExitCode, NotReady, PdfbatchError
from pdfbatch.records.processing_job import ISOLATED_VARIABLE, OPT_ML, OPT_ML_VARIABLE

if TYPE_CHECKING:
    from datetime import datetime

    from pdfbatch.cli.worker import Worked
    from pdfbatch.config import WorkerSettings
    from pdfbatch.worker.processing_host import ProcessingHost


def processing_job() -> None:
    """Run one host of a SageMaker Processing job, as the files below /opt/ml say."""
    from pdfbatch.worker.exit_message import job_exit_code, nothing_to_do, of_error
    from pdfbatch.worker.isolated import clear_temporary
    from pdfbatch.worker.processing_host import ProcessingHost

    started, tree = now(), Path(os.environ.get(OPT_ML_VARIABLE) or OPT_ML)
    host = ProcessingHost.read(tree)
    try:
        worked = _worked(tree, host, started)
    except PdfbatchError as error:
        _leave(tree, of_error(host, error))
        raise
    if worked is None:
        _leave(tree, nothing_to_do() if host.is_first else b"")
        raise typer.Exit(ExitCode.DONE)
    if (mark := host.given_up(worked.mark, now())) is not None:
        end_for_good(worked, mark, os.environ.get("PDFBATCH_TOPIC", ""))
    if os.environ.get(ISOLATED_VARIABLE):
        clear_temporary(tree)
    _leave(tree, _message(host, worked))
    raise typer.Exit(job_exit_code(_code(worked)))


def _worked(tree: Path, host: ProcessingHost, started: datetime) -> Worked | None:
    environment = {**os.environ, **host.variables(started)}
    if not environment.get(ISOLATED_VARIABLE):
        return run_worker(environment, given_by)

    def mounted(settings: WorkerSettings) -> Given:
        from pdfbatch.worker.isolated import share_of

        if settings.run is None:
            raise NotReady("A job without network needs a frozen run.", "Start it with `pdfbatch launch`.")
        return Given(*share_of(tree, settings.run, settings.worker))

    return run_worker(environment, mounted)


def _code(worked: Worked) -> ExitCode:
    """Returns the worker's exit code. Without network, a worker that reached the deadline ends like one that is done:
    of a job that has failed, SageMaker may not upload what was written."""
    code = exit_code(worked.mark)
    is_saved_by_upload = bool(os.environ.get(ISOLATED_VARIABLE)) and worked.mark.why == "deadline"
    return ExitCode.DONE if is_saved_by_upload else code


def _message(host: ProcessingHost, worked: Worked) -> bytes:
    from pdfbatch.runs.progress import read_status
    from pdfbatch.worker.exit_message import of_host, of_run

    own = of_host(host, worked.mark)
    if not worked.is_last:
        return own
    try:
        return own + of_run(read_status(worked.given.output, worked.given.frozen, now()))
    except PdfbatchError:
        return own


def _leave(tree: Path, message: bytes) -> None:
    """Writes the message; a user that may not is no reason to fail the job."""
    path = tree / "output/message"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(message)
    except OSError as error:
        say(f"cannot write {path}, so the job has no exit message: {error.strerror}")

"""Runs one slice on this computer, with live progress. `local-run` and `retry-failures --local` share it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import typer

from pdfbatch import config, views
from pdfbatch.cli.command import COMMAND, with_command
from pdfbatch.cli.console import finish, local_now, now, say, stderr, this_command, write_out
from pdfbatch.cli.delivering import WantedSinks, deliver_left, deliveries, sinks_here
from pdfbatch.cli.delivering import finish as finish_events
from pdfbatch.cli.lines import show_lines
from pdfbatch.cli.options import Print
from pdfbatch.errors import ExitCode, NotFound, UsageError
from pdfbatch.records import DoneMark, Outcome, ReadOptions, RunKeys, figures_prefix, output_key

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pdfbatch.documents.sandbox.passwords import Passwords
    from pdfbatch.engines import Engine
    from pdfbatch.runs.begin import Begun
    from pdfbatch.runs.progress import RunStatus
    from pdfbatch.store import Store

S3_HEARTBEAT_SECONDS = 15.0
LOCAL_HEARTBEAT_SECONDS = 2.0


def select_engine(engine: str, model: str, default_model: str, options: ReadOptions) -> Engine:
    """Returns the engine that was named, that of a command, or the default for this computer."""
    from pdfbatch.engines import engine_for, engine_named, has_gpu

    engine = with_command(engine, options)
    reads = engine_for(engine, model, has_gpu())
    if engine and reads != engine:
        say(f"no GPU here: --engine {engine} uses only the CPU; add --model M to run the model without a GPU, slowly")
    return engine_named(reads, model, default_model, options, config.endpoint_key(os.environ))


def run_slice(
    begun: Begun,
    worker_id: int,
    source: Store,
    output: Store,
    processes: int | None,
    how: Print,
    passwords: Passwords,
    sinks: WantedSinks,
    max_cost: float | None = None,
) -> NoReturn:
    """Converts one slice with live progress, shows the result, and exits with its code. `sinks` get its events, like
    those that the run was started with."""
    from pdfbatch.runs.ledger import load_failures
    from pdfbatch.runs.progress import nothing_left, read_status

    frozen = begun.manifest
    if begun.how == "nothing":
        nothing = nothing_left(frozen.input, frozen.output, frozen.skipped, now())
        if frozen.skipped:
            say("to convert a document again, even with other options, delete its Markdown first")
        deliver_left(output, sinks)
        finish(_nothing(nothing, begun, how))
    if begun.how == "finished":
        say(_finished(worker_id, begun.idle))
        found = read_status(output, frozen, now())
        finish(views.as_json(found) if how == "json" else views.status_screen(found, local_now()))
    if begun.how == "resumed":
        say(f"Resuming run {frozen.run}")
    mark = _worked(begun, worker_id, source, output, processes, passwords, sinks, max_cost)
    code = exit_code(mark)
    found = read_status(output, frozen, now())
    if how == "json":
        finish(views.as_json(found), code)
    if how == "jsonl":
        show_lines(output, found.run)
        raise typer.Exit(code)
    failures = load_failures(output, RunKeys(found.run), worker_id)
    if begun.how == "resumed" and code in (ExitCode.DONE, ExitCode.SOME_DOCUMENTS_FAILED):
        say("PDFs added since this run started are not in it; run the same command again to convert them")
    finish(views.closing(found, failures, _next_step(begun, output, failures, code)), code)


def _finished(worker_id: int, idle: Sequence[int]) -> str:
    """Says that a slice is done, and which others a person must start."""
    done = f"slice {worker_id} of this run is done"
    if not idle:
        return f"{done}; other slices are still running"
    are_not = "is not done and not" if len(idle) == 1 else "are not done and not"
    return (
        f"{done}; {views.plural(len(idle), 'slice')} {are_not} running: "
        f"run the same command with --worker-id {views.some([str(number) for number in idle])}"
    )


def _nothing(found: RunStatus, begun: Begun, how: Print) -> str | RenderableType:
    """Returns what is printed where nothing is left to do; nothing for JSON lines."""
    output = begun.manifest.output
    if how == "screen":
        return views.closing(found, [], views.failures_command(output) if begun.hopeless else _verify(output))
    return views.as_json(found) if how == "json" else ""


def write_slice(
    begun: Begun,
    source: Store,
    output: Store,
    processes: int | None,
    passwords: Passwords,
    max_cost: float | None = None,
) -> NoReturn:
    """Converts one document and writes its Markdown to stdout; everything else goes to stderr."""
    from pdfbatch.runs.ledger import load_failures

    documents = begun.documents
    if len(documents) != 1:
        raise UsageError(
            f"OUTPUT - takes one document, and there are {len(documents):,}.",
            "Use a folder as OUTPUT, or name one document.",
        )
    mark = _worked(begun, 0, source, output, processes, passwords, sinks_here(), max_cost)
    key = documents[0].key
    for failure in load_failures(output, RunKeys(begun.manifest.run), 0):
        say(views.failure_line(failure))
    with suppress(NotFound):
        write_out(output.get(output_key(key)))
    if figures := sum(1 for _ in output.list(figures_prefix(key))):
        say(f"{views.plural(figures, 'figure')} linked but not saved: use a folder as OUTPUT to save them")
    raise typer.Exit(exit_code(mark))


def _worked(
    begun: Begun,
    worker_id: int,
    source: Store,
    output: Store,
    processes: int | None,
    passwords: Passwords,
    sinks: WantedSinks,
    max_cost: float | None,
) -> DoneMark:
    from pdfbatch.engines import engine_named
    from pdfbatch.processors.registry import ready
    from pdfbatch.worker.loop import SliceRun
    from pdfbatch.worker.slice_config import SliceConfig
    from pdfbatch.worker.stop import Stop, on_signals

    frozen, stop = begun.manifest, Stop()
    processors = ready(frozen.options.also)
    children = processes or (1 if frozen.engine == COMMAND else config.default_processes())
    key = config.endpoint_key(os.environ)
    engine, beats = engine_named(frozen.engine, frozen.model, "", frozen.options, key), heartbeat_seconds(output)
    documents = begun.documents
    job = SliceConfig(
        frozen,
        documents,
        worker_id,
        source,
        output,
        engine,
        children,
        beats,
        now,
        passwords=passwords,
        max_cost=max_cost,
        processors=processors,
    )
    run = SliceRun(job, stop)
    if frozen.options.endpoint and "endpoint" in (frozen.engine, frozen.options.fallback):
        say(f"page images are sent to {frozen.options.endpoint.url}")

    if frozen.options.triage:
        say(f"which pages the model reads is decided by {frozen.options.triage.name}")

    def end_at_once() -> None:
        try:
            run.kill_children()
        finally:
            if stderr.is_terminal:
                stderr.show_cursor(True)
                stderr.file.write("\n")  # below the live lines: the console itself would print above them
                stderr.file.flush()

    with deliveries(frozen, output.url, worker_id, sinks) as sending:
        with on_signals(stop, end_at_once), views.Progress(run.heartbeat, stderr, local_now):
            mark = run.run()
        if not run.store_hangs:
            finish_events(sending, mark.why, output.url)
    if run.store_hangs:
        say("The store does not answer: what was not saved is read again by the next run of the same command.")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if run.checkpoints and (outdated := sorted(run.checkpoints.outdated)):
        say(f"read again from page 1, because their checkpoints are from an earlier version: {views.some(outdated)}")
    if mark.detail:
        say(mark.detail)
    return mark


def check_cap(max_cost: float | None, engine: str, options: ReadOptions) -> None:
    """Checks that a cap on this computer can be reached.

    Raises:
        UsageError: nothing is counted against it.
    """
    is_used = "endpoint" in (engine, options.fallback)
    if max_cost is not None and is_used and options.endpoint is not None and options.endpoint.price is None:
        raise UsageError(
            "--max-cost counts the endpoint's answers, and their price is not known.",
            "Add --endpoint-price IN,OUT in dollars per million tokens, as in 0.25,2",
        )


def heartbeat_seconds(output: Store) -> float:
    return S3_HEARTBEAT_SECONDS if output.url.startswith("s3://") else LOCAL_HEARTBEAT_SECONDS


def exit_code(mark: DoneMark) -> ExitCode:
    if mark.why == "failing":
        return ExitCode.FAILED
    if mark.why != "done":
        return ExitCode.INTERRUPTED
    return ExitCode.SOME_DOCUMENTS_FAILED if mark.counts.failed or mark.counts.partial else ExitCode.DONE


def _next_step(begun: Begun, output: Store, failures: Sequence[Outcome], code: ExitCode) -> str:
    """Returns the most likely next command."""
    if code is ExitCode.INTERRUPTED:
        return f"{this_command()}   # resumes; finished pages are kept"
    if code is ExitCode.FAILED:
        return f"{this_command()}   # resumes, once the cause is fixed"
    from pdfbatch.store import LocalStore

    if any(failure.reason is not None and failure.reason.retryable for failure in failures):
        return f"pdfbatch retry-failures {shlex.quote(begun.manifest.output)} --local"
    if failures:
        return views.failures_command(begun.manifest.output)
    made = next((output_key(each.key) for each in begun.documents), None)
    if made is None or not isinstance(output, LocalStore):
        return _verify(begun.manifest.output)
    return f"less {shlex.quote(begun.manifest.output + made)}"


def _verify(output: str) -> str:
    return f"pdfbatch verify {shlex.quote(output)}"

"""The commands, thin: parse, build one value, call one function, show. And the one place where errors become text.

Results go to stdout, everything else to stderr. Heavy modules are imported inside the commands that need them, so
that `pdfbatch status` starts fast.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console, RenderableType
from typer._click.exceptions import (  # Typer has no public name for the root of its usage errors
    ClickException,
    NoArgsIsHelpError,
)

import pdfbatch
from pdfbatch import config, views
from pdfbatch.errors import ExitCode, PdfbatchError, UsageError
from pdfbatch.records import Manifest, Outcome, ReadOptions, Reason, RunKeys

if TYPE_CHECKING:
    from pdfbatch.engines import Engine
    from pdfbatch.runs.begin import Begun
    from pdfbatch.runs.progress import RunStatus
    from pdfbatch.store import Store
    from pdfbatch.worker.loop import Job

app = typer.Typer(
    name="pdfbatch",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Thousands of PDFs in, clean Markdown out; nothing lost, nothing done twice.",
)

S3_HEARTBEAT_SECONDS = 15.0
LOCAL_HEARTBEAT_SECONDS = 2.0

Input = Annotated[str, typer.Argument(metavar="INPUT", help="Folder or s3://bucket/prefix/ with the PDFs.")]
Output = Annotated[str, typer.Argument(metavar="OUTPUT", help="Folder or s3://bucket/prefix/ for the Markdown.")]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="cpu|dolphin|auto|null",
        help="What reads the pages. dolphin: the model, best on a GPU. auto: the model where there is no healthy text "
        "layer. null: a dry run.",
        show_default="dolphin with a GPU and torch, else cpu",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        help="Dolphin 1.0 or 1.5: Hub id (with @revision), folder or s3:// folder.",
        show_default="PDFBATCH_MODEL, else ByteDance/Dolphin-1.5",
    ),
]
Dpi = Annotated[int, typer.Option(min=50, max=600, help="Resolution at which the model reads a page's elements.")]
AsPublished = Annotated[
    bool, typer.Option("--as-published", help="Give the model its pictures as its authors' programs do.")
]
PipeTables = Annotated[
    bool, typer.Option("--pipe-tables", help="The model's tables as pipe tables where no cell spans, else HTML.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
Processes = Annotated[int | None, typer.Option(min=1, help="Child processes that read.", show_default="one per core")]
KeepHeaders = Annotated[bool, typer.Option("--keep-headers", help="Keep page headers, footers and page numbers.")]
PageSeconds = Annotated[float, typer.Option(min=1, help="A page that takes longer is given up.")]
MaxRetries = Annotated[int, typer.Option(min=0, help="Times a page is tried again when its reader died or ran late.")]


@app.command("local-run")
def local_run(
    source: Input,
    output: Output,
    engine: EngineName = "",
    total_workers: Annotated[int, typer.Option(help="Slices that share the work.")] = 1,
    worker_id: Annotated[int, typer.Option(help="The slice to do here, from 0.")] = 0,
    processes: Processes = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Convert at most this many documents.")] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Convert again what changed since.")] = False,
    model: Model = "",
    dpi: Dpi = 200,
    as_published: AsPublished = False,
    pipe_tables: PipeTables = False,
    keep_headers: KeepHeaders = False,
    page_seconds: PageSeconds = 120.0,
    max_retries: MaxRetries = 2,
    json: Json = False,
) -> None:
    """Convert every PDF under INPUT on this machine. Run it again to go on where it stopped."""
    from pdfbatch.runs.begin import Request, begin, check_places
    from pdfbatch.runs.partition import Slice
    from pdfbatch.store import open_store

    part = Slice.checked(worker_id, total_workers)
    options = _read_options(keep_headers, page_seconds, max_retries, dpi, as_published, pipe_tables)
    reads = _engine(engine, model)
    places = open_store(source), open_store(output)
    check_places(*places)
    begun = begin(
        *places, Request(part, reads.name, options, changed, limit, model=reads.model, pin=reads.pinned_model), _now
    )
    _run_slice(begun, worker_id, *places, processes, json)


@app.command("retry-failures")
def retry_failures(
    output: Output,
    reason: Annotated[
        list[Reason] | None, typer.Option(metavar="REASON", help="Only failures for this reason; repeatable.")
    ] = None,
    engine: EngineName = "",
    local: Annotated[bool, typer.Option("--local", help="Retry on this machine.")] = False,
    processes: Processes = None,
    model: Model = "",
    dpi: Dpi = 200,
    as_published: AsPublished = False,
    pipe_tables: PipeTables = False,
    keep_headers: KeepHeaders = False,
    page_seconds: PageSeconds = 120.0,
    max_retries: MaxRetries = 2,
    json: Json = False,
) -> None:
    """Try again what failed, as a new run; the history stays."""
    from pdfbatch.runs import manifest
    from pdfbatch.runs.begin import Request, begin_retry, check_places
    from pdfbatch.runs.partition import Slice
    from pdfbatch.runs.verify import no_run
    from pdfbatch.store import open_store

    if not local:
        raise UsageError("This version retries on your own machine only.", "Add --local.")
    reads = _engine(engine, model)
    store = open_store(output)
    store.check_readable()
    latest = manifest.current(store)
    if latest is None:
        raise no_run(store)
    source = open_store(manifest.load(store, latest).input)
    check_places(source, store)
    options = _read_options(keep_headers, page_seconds, max_retries, dpi, as_published, pipe_tables)
    wanted = Request(Slice(0, 1), reads.name, options, model=reads.model, pin=reads.pinned_model)
    begun = begin_retry(source, store, wanted, reason or [], _now)
    if begun.how == "nothing":
        _say("nothing to retry: no document failed" + (" for this reason" if reason else ""))
    _run_slice(begun, 0, source, store, processes, json)


@app.command()
def status(
    output: Output,
    run: Annotated[str | None, typer.Option(help="The run to show.", show_default="the latest")] = None,
    json: Json = False,
) -> None:
    """Show how far a run is, from any terminal that can read OUTPUT."""
    from pdfbatch.runs import manifest, progress
    from pdfbatch.runs.verify import no_run
    from pdfbatch.store import open_store

    store = open_store(output)
    store.check_readable()
    wanted = run or manifest.current(store)
    if wanted is None:
        raise no_run(store)
    found = progress.read_status(store, manifest.load(store, wanted), _now())
    _print(views.as_json(found) if json else views.status_screen(found))


@app.command()
def verify(output: Output, json: Json = False) -> None:
    """Check that every input has exactly one outcome and every Markdown all its pages."""
    from pdfbatch.runs.verify import verify as judge_output
    from pdfbatch.store import open_store

    store = open_store(output)
    store.check_readable()
    verdict = judge_output(store)
    _print(views.as_json(verdict) if json else views.verdict_screen(verdict))
    raise typer.Exit(ExitCode.DONE if verdict.sound else ExitCode.FAILED)


@app.command(hidden=True)
def worker() -> None:
    """The entry point of the worker image; everything comes from the environment."""
    from pdfbatch.runs import manifest
    from pdfbatch.runs.begin import Begun, Request, ad_hoc, check_places
    from pdfbatch.runs.partition import Slice
    from pdfbatch.store import open_store

    settings = config.worker_settings(os.environ)
    part = Slice.checked(settings.worker, settings.total_workers)
    source, output = open_store(settings.source), open_store(settings.output)
    check_places(source, output)
    if settings.run is not None:
        frozen = manifest.load(output, settings.run)
    else:
        options = ReadOptions(max_retries=settings.max_retries)
        reads = _engine(settings.engine or "", "")
        wanted = Request(part, reads.name, options, model=reads.model, pin=reads.pinned_model)
        frozen = ad_hoc(source, output, wanted, _now)
    _run_slice(Begun(frozen, "new"), part.worker, source, output, None, json=False, deadline=settings.deadline)


def _read_options(
    keep_headers: bool, page_seconds: float, max_retries: int, dpi: int, as_published: bool, pipe_tables: bool
) -> ReadOptions:
    return ReadOptions(
        keep_headers=keep_headers,
        page_seconds=page_seconds,
        max_retries=max_retries,
        dpi=dpi,
        as_published=as_published,
        pipe_tables=pipe_tables,
    )


def _engine(name: str, model: str) -> Engine:
    from pdfbatch.engines import default_engine, engine_named

    return engine_named(name or default_engine(), model, config.default_model(os.environ))


def _run_slice(
    begun: Begun,
    worker_id: int,
    source: Store,
    output: Store,
    processes: int | None,
    json: bool,
    deadline: datetime | None = None,
) -> NoReturn:
    """Works on one slice with live progress, shows how it ended, and exits with the code for that."""
    from pdfbatch.engines import engine_named
    from pdfbatch.runs.ledger import load_failures
    from pdfbatch.worker.loop import Job

    if begun.changed:
        _say(f"changed since converted, left alone (--changed converts them again): {views.some(begun.changed)}")
    if begun.how == "nothing":
        nothing = _status_of_nothing(begun.manifest)
        _finish(views.as_json(nothing) if json else views.closing(nothing, [], []))
    if begun.how == "finished":
        _say(f"slice {worker_id} of this run is done; others are still at work")
        found = _read_status(output, begun.manifest)
        _finish(views.as_json(found) if json else views.status_screen(found))
    if begun.how == "resumed":
        _say(f"taking up run {begun.manifest.run}")
    beats = S3_HEARTBEAT_SECONDS if output.url.startswith("s3://") else LOCAL_HEARTBEAT_SECONDS
    children = processes or config.default_processes()
    job = Job(
        begun.manifest,
        worker_id,
        source,
        output,
        engine_named(begun.manifest.engine, begun.manifest.model),
        children,
        beats,
        _now,
    )
    code = _work(job, deadline)
    found = _read_status(output, begun.manifest)
    if json:
        _finish(views.as_json(found), code)
    failures = load_failures(output, RunKeys(found.run), worker_id)
    _finish(views.closing(found, failures, _next_steps(found, failures, code, begun.how == "resumed")), code)


def _work(job: Job, deadline: datetime | None) -> ExitCode:
    from pdfbatch.worker.loop import SliceRun
    from pdfbatch.worker.stop import Stop, at_deadline, on_signals

    stop = Stop()
    run = SliceRun(job, stop)
    seconds_left = None if deadline is None else (deadline - _now()).total_seconds()
    with on_signals(stop, run.kill_children), at_deadline(stop, seconds_left), views.Progress(run.heartbeat, _stderr):
        mark = run.run()
    if mark.why != "done":
        return ExitCode.INTERRUPTED
    return ExitCode.SOME_DOCUMENTS_FAILED if mark.counts.failed or mark.counts.partial else ExitCode.DONE


def _read_status(output: Store, frozen: Manifest) -> RunStatus:
    from pdfbatch.runs import progress

    return progress.read_status(output, frozen, _now())


def _status_of_nothing(frozen: Manifest) -> RunStatus:
    from pdfbatch.runs import progress

    return progress.summarise(frozen, [], [], _now()).model_copy(update={"state": "done", "workers": []})


def _finish(result: str | RenderableType, code: ExitCode = ExitCode.DONE) -> NoReturn:
    _print(result)
    raise typer.Exit(code)


def _next_steps(found: RunStatus, failures: Sequence[Outcome], code: ExitCode, resumed: bool) -> list[str]:
    if code is ExitCode.INTERRUPTED:
        return ["the same command again takes up the rest; finished pages are kept"]
    steps = [f"pdfbatch verify {found.output}"]
    if any(failure.reason is not None and failure.reason.retryable for failure in failures):
        steps.insert(0, f"pdfbatch retry-failures {found.output} --local")
    if resumed:
        steps.append("the same command again, for PDFs added since this run was frozen")
    return steps


# ── the outside ──────────────────────────────────────────────────────────────────────────────────────────────────

_stdout = Console()
_stderr = Console(stderr=True)


def _now() -> datetime:
    return datetime.now(UTC)


def _print(what: str | RenderableType) -> None:
    """To stdout. Whoever reads it may leave early; the work is done and its exit code stands."""
    with _stdout.capture() as shown:
        _stdout.print(what, markup=False, highlight=False, soft_wrap=isinstance(what, str))
    try:
        print(shown.get(), end="", flush=True)  # noqa: T201  # the one place that does
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        _say(f"the result could not be written to stdout: {error.strerror}")


def _say(text: str) -> None:
    _stderr.print(text, markup=False, highlight=False)


def _version(asked: bool) -> None:
    if asked:
        _print(f"pdfbatch {pdfbatch.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """The console script. With `--json` an error is one JSON document on stdout, else two lines on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows only ASCII is no reason to fail
    try:
        code = app(standalone_mode=False)
    except NoArgsIsHelpError:
        raise SystemExit(ExitCode.USAGE) from None  # the help was printed
    except ClickException as error:
        raise SystemExit(_show(UsageError(error.format_message(), "See `pdfbatch --help`."))) from None
    except PdfbatchError as error:
        raise SystemExit(_show(error)) from None
    except (typer.Abort, KeyboardInterrupt):
        raise SystemExit(ExitCode.INTERRUPTED) from None
    raise SystemExit(code or ExitCode.DONE)


def _show(error: PdfbatchError) -> ExitCode:
    if "--json" in sys.argv:
        _print(views.error_json(error))
    else:
        _stderr.print(views.error_text(error), soft_wrap=True, highlight=False)
    return error.exit_code


if __name__ == "__main__":
    main()

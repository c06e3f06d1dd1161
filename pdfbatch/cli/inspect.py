"""Commands that only read runs: `status`, `verify`, `report`, `runs`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pdfbatch import views
from pdfbatch.cli.console import finish, local_now, now, show, stdout
from pdfbatch.cli.jobs import with_jobs
from pdfbatch.cli.lines import show_lines
from pdfbatch.cli.options import Json, JsonLines, OneRun, Output, how_to_print
from pdfbatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pdfbatch.records import Manifest
    from pdfbatch.store import Store


def status(
    output: Output,
    run: OneRun = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep updating until the run is over.")] = False,
    seconds: Annotated[float, typer.Option("--every", min=1, help="With --watch: seconds between updates.")] = 10.0,
    json: Json = False,
    jsonl: JsonLines = False,
) -> None:
    """Show the progress of the latest run, and the documents of all runs. Works wherever OUTPUT can be read."""
    from pdfbatch.runs import progress, whole

    if watch and (json or jsonl):
        raise UsageError(
            "--watch cannot be combined with --json or --jsonl.", "Call `status --json` repeatedly instead."
        )
    how_to_print(json, jsonl)
    store, frozen = _run_of(output, run)
    if jsonl:
        show_lines(store, run)
        return
    if watch:
        reader = with_jobs(progress.status_reader(store, frozen, now), store, frozen.run)
        views.watch(reader, stdout, seconds, local_now)
        return
    read = progress.read_status if run else whole.read_output_status
    found = with_jobs(lambda: progress.with_pool(store, frozen, read(store, frozen, now())), store, frozen.run)()
    show(views.as_json(found) if json else views.status_screen(found, local_now()))


def verify(output: Output, json: Json = False) -> None:
    """Check that every input has exactly one outcome and every Markdown file has all its pages."""
    from pdfbatch.runs.verify import verify as judge_output
    from pdfbatch.store import open_store

    store = open_store(output)
    store.check_readable()
    verdict = judge_output(store)
    finish(
        views.as_json(verdict) if json else views.verdict_screen(verdict),
        ExitCode.DONE if verdict.sound else ExitCode.FAILED,
    )


def report(
    output: Output,
    run: OneRun = None,
    failures: Annotated[
        bool, typer.Option("--failures", help="List every failed or partial document, with its reason and a fix.")
    ] = False,
    html: Annotated[
        str,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write one run, the latest without --run, as a page that needs no server: plots, and the worst pages.",
            show_default=False,
        ),
    ] = "",
    json: Json = False,
    jsonl: JsonLines = False,
) -> None:
    """Show what was converted and what it cost, over all runs of OUTPUT: each document by its newest outcome."""
    from pdfbatch.runs.ledger import newest
    from pdfbatch.runs.report import report_of
    from pdfbatch.runs.whole import read_whole

    how_to_print(json, jsonl)
    if html and (failures or json or jsonl):
        raise UsageError("--html FILE is a form of its own.", "Leave out --failures, --json and --jsonl.")
    store, frozen = _run_of(output, run)
    if jsonl:
        show_lines(store, run, failed_only=failures)
        return
    if html:
        _write_page(store, frozen, Path(html))
        return
    if failures:
        found = [each for each in newest(store, run).values() if each.outcome != "ok"]
        show(views.failures_json(found) if json else views.failures_screen(found, frozen.output))
        return
    totals = report_of(store, frozen, now()) if run else read_whole(store, frozen, now())
    show(views.as_json(totals) if json else views.report_screen(totals))


def _write_page(store: Store, frozen: Manifest, path: Path) -> None:
    from pdfbatch.web.extra import check_installed

    check_installed("report --html")
    from pdfbatch.web.report import report_html, write_report

    page = report_html(store, frozen, now(), pictures=True)
    try:
        write_report(path, page)
    except OSError as error:
        raise UsageError(
            f"Cannot write {path}: {error.strerror}.", "Choose a file in a folder that is there."
        ) from error
    show(f"{path}  {path.stat().st_size / 1_000_000:,.1f} MB")


def runs(output: Output, json: Json = False) -> None:
    """List all runs of OUTPUT, oldest first."""
    from pdfbatch.runs.past import read_runs
    from pdfbatch.runs.verify import no_run
    from pdfbatch.store import open_store

    store = open_store(output)
    store.check_readable()
    found = read_runs(store, now())
    if not found.runs:
        raise no_run(store)
    show(views.as_json(found) if json else views.runs_screen(found))


def _run_of(output: str, run: str | None) -> tuple[Store, Manifest]:
    from pdfbatch.runs import manifest
    from pdfbatch.runs.verify import no_run
    from pdfbatch.store import open_store

    store = open_store(output)
    store.check_readable()
    wanted = run or manifest.current(store)
    if wanted is None:
        raise no_run(store)
    return store, manifest.load(store, wanted)

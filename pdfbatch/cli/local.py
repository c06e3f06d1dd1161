"""`local-run`: converts one slice, or everything, on this computer."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated

import typer

from pdfbatch.cli import options as o
from pdfbatch.cli.command import chosen_for
from pdfbatch.cli.console import now
from pdfbatch.cli.delivering import checked_sinks
from pdfbatch.cli.inputs import STDOUT, inputs_of, read_passwords, split, temporary_output
from pdfbatch.cli.notes import show_notes
from pdfbatch.cli.options import endpoint as endpoints
from pdfbatch.cli.running import check_cap, run_slice, select_engine, write_slice
from pdfbatch.cli.settings import default_model, default_places
from pdfbatch.errors import UsageError
from pdfbatch.records import ReadOptions


@o.with_read_options
def local_run(
    places: o.Places = None,
    output: o.OutputOption = "",
    include: o.Include = None,
    exclude: o.Exclude = None,
    pages: o.Pages = "",
    password_file: o.PasswordFile = "",
    engine: o.EngineName = "",
    total_workers: Annotated[int, typer.Option(metavar="N", help="Number of workers that share the documents.")] = 1,
    worker_id: Annotated[int, typer.Option(metavar="N", help="Which of these workers this is, counted from 0.")] = 0,
    processes: o.Processes = None,
    limit: o.Limit = None,
    max_cost: endpoints.LocalMaxCost = None,
    changed: o.Changed = False,
    model: o.Model = "",
    events: o.Events = None,
    read: ReadOptions = ReadOptions(),  # noqa: B008  # frozen
    json: o.Json = False,
    jsonl: o.JsonLines = False,
) -> None:
    """Convert PDFs and image files on this computer. Run the same command again to resume.

    With one document, OUTPUT may be -: its Markdown goes to stdout.
    """
    from pdfbatch.documents.sandbox.server import warm_up
    from pdfbatch.processors.registry import ready
    from pdfbatch.runs.begin import Request, begin, check_places
    from pdfbatch.runs.partition import Slice
    from pdfbatch.store import open_store

    given, target = split(*default_places(places, output))
    part = Slice.checked(worker_id, total_workers)
    read = read.model_copy(update={"pages": pages})
    passwords = read_passwords(password_file)
    sinks = checked_sinks(events)
    reads = select_engine(engine, model, default_model(), read)
    warm_up(reads.preload)
    check_cap(max_cost, reads.name, read)
    ready(read.also)
    is_to_stdout = target == STDOUT
    how = o.how_to_print(json, jsonl)
    if is_to_stdout and how != "screen":
        raise UsageError(
            f"Markdown and --{how} cannot both go to stdout.", f"Use a folder as OUTPUT, or leave out --{how}."
        )
    if is_to_stdout and read.also:
        raise UsageError("OUTPUT - keeps no files of --also.", "Use a folder as OUTPUT, or leave out --also.")
    if is_to_stdout and sinks.addresses:
        raise UsageError(
            "OUTPUT - keeps no record to send events from.", "Use a folder as OUTPUT, or leave out --events."
        )
    with temporary_output() if is_to_stdout else nullcontext(open_store(target)) as store:
        source, chosen = inputs_of(given, None if is_to_stdout else store, include, exclude)
        chosen = chosen_for(reads.name, chosen)
        check_places(source, store, chosen)
        addresses = [sink.text for sink in sinks.addresses]
        wanted = Request(part, reads.name, read, changed, limit, reads.model, reads.pinned_model, chosen, addresses)
        begun = begin(source, store, wanted, now)
        show_notes(begun, store)
        if is_to_stdout:
            write_slice(begun, source, store, processes, passwords, max_cost)
        run_slice(begun, worker_id, source, store, processes, how, passwords, sinks, max_cost)

"""`export`: datasets from an output."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from pdfbatch import views
from pdfbatch.cli.console import now, show, stderr
from pdfbatch.cli.inputs import read_passwords
from pdfbatch.cli.options import Json, OneRun, Output, PasswordFile
from pdfbatch.records import MOST_SHARD_MB, Compression, Exportable, ExportFormat, ExportOptions


def export(
    output: Output,
    dest: Annotated[str, typer.Argument(metavar="DEST", help="Folder or s3://bucket/prefix/ for the dataset; empty.")],
    format: Annotated[  # the option's name
        ExportFormat,
        typer.Option(
            "--format",
            help="parquet: a row for each document, with the columns of FinePDFs. dolma: JSON lines with attributes "
            "for pages. docling: DoclingDocument JSON, one a line. chunks: pieces of text for retrieval. pages: a row "
            "for each page with its picture. markdown: the Markdown files.",
        ),
    ] = "parquet",
    run: OneRun = None,
    only: Annotated[
        list[Exportable] | None,
        typer.Option("--only", metavar="OUTCOME", help="Only documents with this outcome, ok or partial; repeatable."),
    ] = None,
    compression: Annotated[
        Compression, typer.Option("--compression", help="Of JSON lines (dolma, docling, chunks).")
    ] = "zstd",
    tokens: Annotated[
        int, typer.Option("--tokens", metavar="N", min=16, help="The most tokens of a chunk (o200k_base).")
    ] = 512,
    dpi: Annotated[
        int, typer.Option("--dpi", metavar="N", min=50, max=600, help="Resolution of pictures of pages.")
    ] = 200,
    front_matter: Annotated[
        bool, typer.Option("--front-matter", help="Begin each Markdown file with YAML: title, source, run, …")
    ] = False,
    sha256: Annotated[
        bool, typer.Option("--sha256", help="Read every input too, for its SHA-256; else that column is empty.")
    ] = False,
    shard_mb: Annotated[
        int, typer.Option("--shard-mb", metavar="N", min=1, max=MOST_SHARD_MB, help="Largest file, in million bytes.")
    ] = 256,
    password_file: PasswordFile = "",
    json: Json = False,
) -> None:
    """Write the documents of OUTPUT as a dataset. Run the same command again to resume, or to add what is new."""
    from pdfbatch.export.export import export as write_export
    from pdfbatch.export.extra import check_installed
    from pdfbatch.export.forms import Places, make_form
    from pdfbatch.runs import manifest
    from pdfbatch.runs.verify import no_run
    from pdfbatch.store import open_store

    options = ExportOptions(
        format=format,
        run=run or "",
        only=sorted(set(only or Exportable)),
        compression=compression,
        tokens=tokens,
        dpi=dpi,
        front_matter=front_matter,
        sha256=sha256,
        shard_mb=shard_mb,
    )
    check_installed(options)
    store, target = open_store(output), open_store(dest)
    store.check_readable()
    if manifest.current(store) is None:
        raise no_run(store)
    if run:
        manifest.load(store, run)
    form = partial(make_form, options, Places(store, target, read_passwords(password_file)))
    with views.exporting(stderr) as tell:
        done = write_export(store, target, options, form, now(), tell)
    show(views.as_json(done.record) if json else views.export_screen(done, target.url))

"""`view`: the run, its documents and pages in a browser on this computer."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from pdfbatch.cli.console import now, say, show
from pdfbatch.cli.options import OneRun, Output


def view(
    output: Output,
    run: OneRun = None,
    port: Annotated[
        int,
        typer.Option(min=0, max=65535, metavar="N", help="Port on 127.0.0.1.", show_default="a free one"),
    ] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    marks: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Where the pages are kept that you mark for another try; `retry-failures --pages FILE` reads it.",
        ),
    ] = "marked-pages.tsv",
) -> None:
    """Show a run, its documents and their pages in a browser, while it runs and afterwards. Ctrl-C ends it.

    Only this computer can open the address, and only with its token.
    """
    from pdfbatch.web.extra import check_installed

    check_installed("view", server=True)
    from pdfbatch.runs import manifest
    from pdfbatch.runs.verify import no_run
    from pdfbatch.store import open_store
    from pdfbatch.web.server import View, serve

    store = open_store(output)
    store.check_readable()
    wanted = run or manifest.current(store)
    if wanted is None:
        raise no_run(store)
    manifest.load(store, wanted)

    def opened(address: str) -> None:
        show(address)
        say("Ctrl-C ends it.")
        if not no_browser:
            webbrowser.open(address)

    serve(View(store, run, port, Path(marks).absolute()), now, opened)

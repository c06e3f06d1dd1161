"""`demo`: makes sample PDFs and converts them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from pdfbatch.cli import local
from pdfbatch.cli.console import say, show, stdout
from pdfbatch.errors import ExitCode, PdfbatchError

SHOWN = "two-column-paper.pdf"
SHOWN_LINES = 12

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder for the samples and their Markdown.")]


def demo(folder: Folder = Path("pdfbatch-demo")) -> None:
    """Create sample PDFs and convert them. Needs no AWS account, no GPU and no download."""
    from pdfbatch.demo.pdfs import USER_PASSWORD

    pdfs, markdown = folder / "pdfs", folder / "markdown"
    broken = _written(pdfs)
    say(f"{len(list(pdfs.iterdir()))} sample PDFs in {pdfs}, of which {broken} fail on purpose")
    say(f"(the password of password-needed.pdf is {USER_PASSWORD})")
    try:
        local.local_run(places=[str(pdfs), str(markdown)], engine="cpu")
    except typer.Exit as ended:
        if ended.exit_code not in (ExitCode.DONE, ExitCode.SOME_DOCUMENTS_FAILED):
            raise
    _show_head(markdown / Path(SHOWN).with_suffix(".md"))
    show(f"All of it: less {shlex.quote(str(markdown))}/*.md\nYour own PDFs: pdfbatch local-run ~/papers ~/papers-md")


def _written(pdfs: Path) -> int:
    """Writes the samples, and returns how many of them must fail."""
    from pdfbatch.demo.pdfs import DEMO, write_demo

    try:
        write_demo(pdfs)
    except OSError as error:
        raise PdfbatchError(
            f"The samples could not be written: {error}.", "Name a folder that you can write to."
        ) from error
    return sum(sample.outcome == "failed" for sample in DEMO)


def _show_head(path: Path) -> None:
    if not path.exists():
        return  # it failed, and the screen above says why
    lines = path.read_text(encoding="utf-8").splitlines()[:SHOWN_LINES]
    while lines and (not lines[-1] or lines[-1].startswith("#")):
        lines.pop()  # a heading whose text is not shown
    show("\n".join([f"{path} begins:", "", *map(_indented, lines), ""]))


def _indented(line: str) -> str:
    """Returns a line of Markdown as shown, cut to the width of the terminal: a paragraph is one line."""
    return f"  {line}"[: stdout.width - 1] + ("…" if len(line) > stdout.width - 2 else "")

"""Which documents are read, and where."""

import re
from typing import Annotated

import typer

from pdfbatch.records import (
    PageSet,
    Reason,
)
from pdfbatch.runs.scores import DOUBTFUL


def _checked_pages(text: str) -> str:
    try:
        return str(PageSet.read(text))
    except ValueError as error:
        raise typer.BadParameter(f"{error} (write 1-3,7 or 5-)") from None


def _checked_pages_or_file(text: str) -> str:
    return text if is_file_of_pages(text) else _checked_pages(text)


def is_file_of_pages(text: str) -> bool:
    """Whether the value of `--pages` names a file: it has more than numbers, commas and hyphens."""
    return re.search(r"[^\d\s,–-]", text) is not None


Places = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT... OUTPUT",
        help="INPUT: folders, s3://bucket/prefix/, PDFs, patterns (`papers/**/*.pdf`, `s3://b/2024/*.pdf`), @FILE with "
        "one path per line, or - to read such a list from stdin. A folder stands for its PDFs; image files (PNG, JPEG, "
        "TIFF) are read only if named or matched by a pattern or --include. OUTPUT: folder or s3://bucket/prefix/ for "
        "the Markdown.",
    ),
]


OutputOption = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="OUTPUT",
        help="Where the Markdown goes. With this option every argument is an INPUT.",
        show_default=False,
    ),
]


Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="PATTERN",
        help="Read only matching files, images too: `*.png`, `2024/**`; repeatable. A pattern with a / is matched "
        "against the path below INPUT, any other against the file name.",
    ),
]


Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="PATTERN", help="Leave out matching files: `drafts/`, `*-old.pdf`; repeatable."),
]


Pages = Annotated[
    str,
    typer.Option(
        "--pages",
        metavar="1-3,7",
        callback=_checked_pages,
        help="Read only these pages of each document; 5- means page 5 and all after it.",
        show_default="all",
    ),
]


RetryPages = Annotated[
    str,
    typer.Option(
        "--pages",
        metavar="1-3,7|FILE",
        callback=_checked_pages_or_file,
        help="Read only these pages of each document. Or a FILE with lines of key, tab and pages, as `view` writes it: "
        "read these documents again, whole, whatever their outcome was.",
        show_default="as in the previous run",
    ),
]


PasswordFile = Annotated[
    str,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="Passwords for encrypted PDFs, one per line, tried in turn. Never written to disk.",
        show_default=False,
    ),
]


PasswordSecret = Annotated[
    str,
    typer.Option(
        "--password-secret",
        metavar="ARN",
        help="Secrets Manager secret or SSM parameter with passwords for encrypted PDFs, one per line. Only the "
        "instances read it, with their role.",
        show_default=False,
    ),
]


Output = Annotated[str, typer.Argument(metavar="OUTPUT", help="Folder or s3://bucket/prefix/ for the Markdown.")]


Limit = Annotated[int | None, typer.Option(min=1, help="Convert at most this many documents.", metavar="N")]


Changed = Annotated[
    bool,
    typer.Option(
        "--changed", help="Also convert documents again that have changed, or that were read with other --pages."
    ),
]


Below = Annotated[
    float,
    typer.Option(
        "--below",
        min=0,
        max=DOUBTFUL,  # scores above it are only counted, in tenths
        help="Also retry documents with a page that scored lower than this.",
        metavar="SCORE",
    ),
]


AllFailures = Annotated[
    bool,
    typer.Option("--all-failures", help="Also try documents that would fail again, such as empty or encrypted files."),
]


Run = Annotated[str | None, typer.Option(help="Run ID.", show_default="the latest", metavar="ID")]


OneRun = Annotated[str | None, typer.Option("--run", help="Only this run.", show_default="all runs", metavar="ID")]


Reasons = Annotated[
    list[Reason] | None,
    typer.Option("--reason", metavar="REASON", help="Retry only failures with this reason; repeatable."),
]


OptionalOutput = Annotated[
    str, typer.Argument(metavar="OUTPUT", help="Folder or s3://bucket/prefix/ with the Markdown.")
]

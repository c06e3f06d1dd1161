"""INPUT, OUTPUT and passwords as people type them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pdfbatch.cli.console import say
from pdfbatch.errors import UsageError

if TYPE_CHECKING:
    from pdfbatch.documents.sandbox.passwords import Passwords
    from pdfbatch.runs.named import Inputs
    from pdfbatch.store import Store

STDOUT = "-"
MOST_BYTES = 2**20
"""Largest file of passwords; a larger file is not one."""
_LISTS = (".txt", ".lst", ".list", ".csv")
"""How the names of lists end, and no document's."""
_ENDINGS = (".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff")


def split(places: Sequence[str], output: str) -> tuple[list[str], str]:
    """Splits the arguments into inputs and output: without -o the last argument is OUTPUT, as in `cp`.

    Raises:
        UsageError: OUTPUT is missing, or given twice.
    """
    if output:
        if _is_output(places[-1], output):
            raise UsageError(
                f"OUTPUT is given twice: -o {output} and {places[-1]}.",
                "Leave out one of them. With -o every other argument is an INPUT.",
            )
        return list(places), output
    last = places[-1]
    if len(places) == 1:
        raise UsageError(
            f"OUTPUT is missing: only {last} was given.",
            "Add a folder or s3://bucket/prefix/ for the Markdown; for local-run also - for stdout.",
        )
    if last.startswith("@") or last.lower().endswith(_ENDINGS) or _is_file(last):
        raise UsageError(
            f"The last argument must be OUTPUT, but {last} is an input.",
            "Add a folder for the Markdown, or name it with -o.",
        )
    return list(places[:-1]), last


def _is_output(last: str, output: str) -> bool:
    """Returns whether an argument beside -o looks like an OUTPUT."""
    if last.startswith(("@", "s3://")) or last == "-" or any(sign in last for sign in "*?["):
        return last == output
    path = Path(last).expanduser()
    return last == output or (path / ".pdfbatch").is_dir() or not (_exists(path) or last.lower().endswith(_ENDINGS))


def _is_file(place: str) -> bool:
    try:
        return Path(place).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):  # reported where the path is opened
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def inputs_of(
    given: Sequence[str], output: Store | None, include: Sequence[str] | None, exclude: Sequence[str] | None
) -> Inputs:
    """Resolves the inputs; `output` is None where it is new, as for stdout."""
    from pdfbatch.runs import manifest
    from pdfbatch.runs.named import named

    for name in given:
        if name.lower().endswith(_LISTS):
            say(f"{name} is taken for a document; if it is a list of paths, write @{name}")
    run = manifest.current(output) if output else None
    known = manifest.load(output, run).input if output and run else ""
    return named(given, output, include=include or (), exclude=exclude or (), known=known, read_list=read_list)


def read_list(name: str) -> str:
    """Reads a list of paths; "-" is stdin. Keeps bytes that are not UTF-8 as they are in file names."""
    if name == "-":
        if sys.stdin.isatty():
            raise UsageError("- reads a list of paths from stdin, but stdin is a terminal.", "Pipe a list into it.")
        return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    return _text(name, "list of paths", sys.maxsize)


def read_passwords(name: str) -> Passwords:
    """Reads the passwords in a file, one per line; none for ""."""
    from pdfbatch.documents.sandbox.passwords import Passwords

    if not name:
        return Passwords()
    found = Passwords.read(_text(name, "password file", MOST_BYTES))
    if not found:
        raise UsageError(f"The password file {name} is empty.", "Write one password per line.")
    return found


def _text(name: str, what: str, most: int) -> str:
    try:
        with Path(name).expanduser().open("rb") as file:
            data = file.read(most + 1 if most < sys.maxsize else -1)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"The {what} {name} cannot be read: {reason}.", "Check its path and its permissions."
        ) from None
    if len(data) > most:
        raise UsageError(f"{name} is too large for a {what}.", "Write a text file with one entry per line.")
    return data.decode("utf-8", "surrogateescape")


@contextmanager
def temporary_output() -> Iterator[Store]:
    """Makes a temporary folder for an output that goes to stdout in the end."""
    import tempfile

    from pdfbatch.store import LocalStore

    with tempfile.TemporaryDirectory(prefix="pdfbatch-stdout-") as folder:
        yield LocalStore(Path(folder))

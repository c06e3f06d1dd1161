"""INPUT, OUTPUT and passwords as people type them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pdfbatch.errors import UsageError

if TYPE_CHECKING:
    from pdfbatch.documents.sandbox.passwords import Passwords
    from pdfbatch.runs.named import Inputs
    from pdfbatch.store import Store

STDOUT = "-"
MOST_BYTES = 2**20
"""Of a file of passwords: a larger one is something else."""
_ENDINGS = (".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff")


def split(places: Sequence[str], output: str) -> tuple[list[str], str]:
    """Inputs and output, from the arguments and from what -o names: without it the last argument is OUTPUT, as in `cp`.

    Raises:
        UsageError: there is no OUTPUT, or there are two.
    """
    if output:
        if _is_output(places[-1], output):
            raise UsageError(
                f"OUTPUT is named twice: -o {output} and {places[-1]}.",
                "Leave out one of the two. With -o every other argument is an INPUT.",
            )
        return list(places), output
    last = places[-1]
    if len(places) == 1:
        raise UsageError(
            f"OUTPUT is missing: only {last} is named.",
            "Add a folder or s3://bucket/prefix/ for the Markdown; local-run takes - for stdout too.",
        )
    if last.startswith("@") or last.lower().endswith(_ENDINGS) or _is_file(last):
        raise UsageError(
            f"The last argument is OUTPUT, and {last} is an input.",
            "Add a folder for the Markdown, or name it with -o.",
        )
    return list(places[:-1]), last


def _is_output(last: str, output: str) -> bool:
    """Whether an argument beside -o looks as if it were meant for OUTPUT."""
    if last.startswith(("@", "s3://")) or last == "-" or any(sign in last for sign in "*?["):
        return last == output
    path = Path(last).expanduser()
    return last == output or (path / ".pdfbatch").is_dir() or not (_exists(path) or last.lower().endswith(_ENDINGS))


def _is_file(place: str) -> bool:
    try:
        return Path(place).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):  # what cannot be a path is told by whoever opens it
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def inputs_of(
    given: Sequence[str], output: Store | None, include: Sequence[str] | None, exclude: Sequence[str] | None
) -> Inputs:
    """`output`: None where it is new, as for stdout."""
    from pdfbatch.runs import manifest
    from pdfbatch.runs.named import named

    run = manifest.current(output) if output else None
    known = manifest.load(output, run).input if output and run else ""
    return named(given, output, include=include or (), exclude=exclude or (), known=known, read_list=read_list)


def read_list(name: str) -> str:
    """A list of paths; "-" is stdin. Bytes that are no UTF-8 stay what they are in file names."""
    if name == "-":
        if sys.stdin.isatty():
            raise UsageError("- reads a list of paths from stdin, and stdin is a terminal.", "Pipe a list into it.")
        return sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    return _text(name, "list of paths", sys.maxsize)


def read_passwords(name: str) -> Passwords:
    """Those in a file, one a line; none for ""."""
    from pdfbatch.documents.sandbox.passwords import Passwords

    if not name:
        return Passwords()
    found = Passwords.read(_text(name, "file of passwords", MOST_BYTES))
    if not found:
        raise UsageError(f"The file of passwords {name} is empty.", "Write one password a line.")
    return found


def _text(name: str, what: str, most: int) -> str:
    try:
        with Path(name).expanduser().open("rb") as file:
            data = file.read(most + 1 if most < sys.maxsize else -1)
    except (OSError, RuntimeError) as error:
        said = getattr(error, "strerror", None) or error
        raise UsageError(f"The {what} {name} cannot be read: {said}.", "Check its path and its permissions.") from None
    if len(data) > most:
        raise UsageError(f"{name} is too large for a {what}.", "Write one a line, in a file of text.")
    return data.decode("utf-8", "surrogateescape")


@contextmanager
def temporary_output() -> Iterator[Store]:
    """A folder for what goes to stdout in the end."""
    import tempfile

    from pdfbatch.store import LocalStore

    with tempfile.TemporaryDirectory(prefix="pdfbatch-stdout-") as folder:
        yield LocalStore(Path(folder))

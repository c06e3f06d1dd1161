"""What the commands touch of the world: the clock, stdout for results, stderr for everything else, questions."""

from __future__ import annotations

import os
import re
import shlex
import sys
from datetime import UTC, datetime
from typing import NoReturn

import typer
from rich.console import Console, RenderableType

from pdfbatch.errors import ExitCode, UsageError

PIPE_WIDTH = 200
"""Columns of what is not a terminal: lines for other programs are not folded."""


def _console(is_terminal: bool, *, to_stderr: bool = False) -> Console:
    width = None if is_terminal or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(stderr=to_stderr, width=width)


stdout = _console(sys.stdout.isatty())
stderr = _console(sys.stderr.isatty(), to_stderr=True)


class _Verbosity:
    """Set once a command, by `-v`."""

    details = False


def set_verbosity(*, quiet: bool, verbose: bool) -> None:
    """`quiet`: nothing but results and errors."""
    stderr.quiet = quiet
    _Verbosity.details = verbose


def details() -> bool:
    """Whether `-v` was given."""
    return _Verbosity.details


def now() -> datetime:
    return datetime.now(UTC)


def local_now() -> datetime:
    """The time as the clock on this machine's wall shows it."""
    return now().astimezone()


def this_command() -> str:
    """What was typed, so that it can be pasted again."""
    return shlex.join(["pdfbatch", *sys.argv[1:]])


def show(what: str | RenderableType) -> None:
    """To stdout. Whoever reads it may leave early; the work is done and its exit code stands."""
    with stdout.capture() as shown:
        stdout.print(what, markup=False, highlight=False, soft_wrap=isinstance(what, str), crop=False)
    try:
        print(_trimmed(shown.get()), end="", flush=True)  # noqa: T201  # the one place that does
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        say(f"the result could not be written to stdout: {error.strerror}")


def write_out(data: bytes) -> None:
    """Bytes to stdout as they are; as for `show`, whoever reads them may leave early."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        say(f"the result could not be written to stdout: {error.strerror}")


def _trimmed(shown: str) -> str:
    """Tables are padded to their width; a log or a pipe needs none of that."""
    return shown if stdout.is_terminal else re.sub(r" +$", "", shown, flags=re.MULTILINE)


def say(text: str | RenderableType) -> None:
    stderr.print(text, markup=False, highlight=False, soft_wrap=isinstance(text, str))


def finish(result: str | RenderableType, code: ExitCode = ExitCode.DONE) -> NoReturn:
    show(result)
    raise typer.Exit(code)


def agreed(question: str, yes: bool) -> bool:
    """Asks on the terminal; `yes` is the answer given beforehand.

    Raises:
        UsageError: there is nobody to ask.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Not a terminal; pass --yes.", "Add --yes to go on without the question.")
    if typer.confirm(question, default=False, err=True):
        return True
    say("Cancelled; nothing changed.")
    return False

"""The clock, stdout for results, stderr for everything else, and questions."""

from __future__ import annotations

import logging
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NoReturn

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from pdfbatch.errors import ExitCode, UsageError
from pdfbatch.visible import visible

PIPE_WIDTH = 1_000_000
"""Columns where the output is not a terminal: no line for another program or a log is wrapped or cut."""
_LAYOUT = "\n\t"


class _Console(Console):
    """Shows text as it is, without markup or emoji codes, and nothing that could steer a terminal."""

    def __init__(self, *, stderr: bool, width: int | None) -> None:
        super().__init__(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Renders with unseen characters escaped. Views do that where lines are laid out; here nothing is missed."""
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else visible(segment.text, _LAYOUT)
            yield segment if text is segment.text else segment._replace(text=text)


def _console(is_terminal: bool, *, to_stderr: bool = False) -> Console:
    width = None if is_terminal or "COLUMNS" in os.environ else PIPE_WIDTH
    return _Console(stderr=to_stderr, width=width)


stdout = _console(sys.stdout.isatty())
stderr = _console(sys.stderr.isatty(), to_stderr=True)


class _Verbosity:
    """Set once per command, by `-v`."""

    details = False


def set_verbosity(*, quiet: bool, verbose: bool) -> None:
    """Sets what is shown; with `quiet` only results and errors."""
    stderr.quiet = quiet
    _Verbosity.details = verbose
    show_log(logging.INFO if verbose else logging.WARNING)


class _Log(logging.Handler):
    """Shows what the package logs."""

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


def show_log(level: int) -> None:
    """Shows the package's log on stderr, from this level on."""
    log = logging.getLogger("pdfbatch")
    log.setLevel(level)
    if not any(isinstance(handler, _Log) for handler in log.handlers):
        log.addHandler(_Log())


def details() -> bool:
    """Returns whether `-v` was given."""
    return _Verbosity.details


def now() -> datetime:
    return datetime.now(UTC)


def local_now() -> datetime:
    """Returns the time in the local time zone."""
    return now().astimezone()


def this_command() -> str:
    """Returns the command as it was typed, ready to paste."""
    return shlex.join(["pdfbatch", *sys.argv[1:]])


def show(what: str | RenderableType) -> None:
    """Prints a result to stdout. A reader that leaves early does not change the exit code."""
    try:
        print(_rendered(stdout, what), end="", flush=True)  # noqa: T201  # the one place that does
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        say(f"could not write the result to stdout: {error.strerror}")


def write_out(data: bytes) -> None:
    """Writes bytes to stdout as they are; as for `show`, the reader may leave early."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        say(f"could not write the result to stdout: {error.strerror}")


def _rendered(console: Console, what: str | RenderableType) -> str:
    """Returns the text to print, without the padding of tables where the output is a log or a pipe."""
    with console.capture() as shown:
        console.print(what, soft_wrap=isinstance(what, str), crop=False)
    return shown.get() if console.is_terminal else re.sub(r" +$", "", shown.get(), flags=re.MULTILINE)


def say(text: str | RenderableType) -> None:
    if stderr.is_terminal:
        stderr.print(text, soft_wrap=isinstance(text, str), crop=False)
    else:
        stderr.file.write(_rendered(stderr, text))
        stderr.file.flush()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows on a terminal what takes some seconds, while it does."""
    if not stderr.is_terminal:
        yield
    elif stderr.is_dumb_terminal:
        say(f"{what} …")
        yield
    else:
        with stderr.status(f"{what} …", spinner="line"):
            yield


def finish(result: str | RenderableType, code: ExitCode = ExitCode.DONE) -> NoReturn:
    show(result)
    raise typer.Exit(code)


def agreed(question: str, yes: bool) -> bool:
    """Asks on the terminal; with `yes` it does not ask.

    Raises:
        UsageError: stdin is not a terminal.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"stdin is not a terminal, so nobody can answer: {question}", "Add --yes to agree.")
    if typer.confirm(question, default=False, err=True):
        return True
    say("Cancelled; nothing changed.")
    return False

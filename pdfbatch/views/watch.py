"""Shows a run repeatedly until it is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from pdfbatch.errors import StoreError
from pdfbatch.runs.progress import OVER, RunStatus
from pdfbatch.views.status import status_screen

_OTHER_LINES = 14
"""Lines of the screen besides the rows of its workers."""


def watch(
    read: Callable[[], RunStatus],
    console: Console,
    seconds: float,
    now: Callable[[], datetime],
    sleep: Callable[[float], None] = time.sleep,
) -> RunStatus | None:
    """Shows a run every few seconds until it is over or Ctrl-C; returns what was shown last, None if nothing was.

    Redraws in place on a terminal, prints again elsewhere. A store that cannot be reached is tried again.

    Raises:
        StoreError: the first read failed, which points to a mistake rather than an outage.
    """
    redraws = console.is_terminal and not console.is_dumb_terminal
    live = Live(console=console, auto_refresh=False) if redraws else None
    screen: AbstractContextManager[object] = live or nullcontext()
    last: RunStatus | None = None
    with screen:
        try:
            while True:
                trouble = None
                try:
                    last = read()
                except StoreError as error:
                    if last is None:
                        raise
                    trouble = error
                _show(_frame(last, trouble, console, now()), console, live)
                if trouble is None and is_over(last):
                    return last
                sleep(seconds)
        except KeyboardInterrupt:
            return last


def is_over(status: RunStatus) -> bool:
    """Returns whether nothing more will happen: AWS replaces instances, but nothing restarts a local run."""
    return status.state in OVER or (status.launched is None and status.state == "interrupted")


def _frame(status: RunStatus, trouble: StoreError | None, console: Console, now: datetime) -> RenderableType:
    rows = max(3, console.height - _OTHER_LINES) if console.is_terminal else None
    shown = status_screen(status, now, rows)
    if trouble is None:
        return shown
    message = trouble.message.rstrip(".")
    return Group(shown, Text(f"cannot reach the store: {message}, trying again", style="bold red"))


def _show(what: RenderableType, console: Console, live: Live | None) -> None:
    if live is not None:
        live.update(what, refresh=True)
    else:
        console.print(what)
        console.print()

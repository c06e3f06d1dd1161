"""Stop is one event: Ctrl-C, SIGTERM, a deadline, a failing worker, spent money.

The first asks for a drain, a second ends at once.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Literal

from pdfbatch.errors import ExitCode

Why = Literal["interrupted", "deadline", "failing", "over_budget"]


ECHO_SECONDS = 0.3


class Stop:
    """Set once, with the first cause; everybody else only looks."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.why: Why | None = None
        self.detail = ""
        """One sentence for a person, where the cause needs one."""

    def ask(self, why: Why, detail: str = "") -> None:
        if not self._event.is_set():
            self.why, self.detail = why, detail
            self._event.set()

    @property
    def asked(self) -> bool:
        return self._event.is_set()


@contextmanager
def on_signals(stop: Stop, end_at_once: Callable[[], None]) -> Iterator[None]:
    """SIGINT and SIGTERM ask for a stop; a second one calls `end_at_once` and ends the process with 130, unless it is
    the first one's echo: GNU timeout, for one, signals the process and then its group.

    Children die with the process (children.py), and what was published or checkpointed is whole.
    """

    first = -ECHO_SECONDS

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal first
        now = time.monotonic()
        if not stop.asked:
            first = now
            stop.ask("interrupted")
            return
        if now - first < ECHO_SECONDS:
            return
        with suppress(Exception):  # the pool may be ending already; children die with this process in any case
            end_at_once()
        os._exit(ExitCode.INTERRUPTED)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def at_deadline(stop: Stop, seconds: float | None) -> Iterator[None]:
    """Asks for a stop in so many seconds (None: never), unless the work ends before."""
    timer = threading.Timer(max(0.0, seconds or 0.0), stop.ask, ["deadline"])
    timer.daemon = True
    if seconds is not None:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()

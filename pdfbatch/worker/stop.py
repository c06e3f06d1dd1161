"""The stop event: set by Ctrl-C, SIGTERM, a deadline, a failing worker, or the cost cap.

A first signal drains, a second one ends at once.
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

Why = Literal["interrupted", "deadline", "failing", "over_budget", "retired"]


ECHO_SECONDS = 0.3
DRAIN_SECONDS = 90.0
"""How long pages that are being read may continue after a stop; a Spot interruption notice leaves 120 s in total."""


class Stop:
    """An event that is set once, with its first cause. `seconds`: how long pages that are being read are waited for."""

    def __init__(self, seconds: float = DRAIN_SECONDS) -> None:
        self.seconds = seconds
        self._event = threading.Event()
        self.why: Why | None = None
        self.detail = ""
        """One sentence for a person, if the cause needs one."""

    def ask(self, why: Why, detail: str = "") -> None:
        if not self._event.is_set():
            self.why, self.detail = why, detail
            self._event.set()

    @property
    def asked(self) -> bool:
        return self._event.is_set()


@contextmanager
def on_signals(stop: Stop, end_at_once: Callable[[], None]) -> Iterator[None]:
    """Makes SIGINT and SIGTERM ask for a stop. A second signal calls `end_at_once` and exits with 130, unless it comes
    within `ECHO_SECONDS` of the first: GNU timeout, for example, signals the process and then its group. SIGTERM after
    a stop of another cause is a first one: AWS sends it to a worker that drains after a Spot notice.

    Children die with the process (children.py), and published and checkpointed files are always complete.
    """

    first: float | None = None

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        now = time.monotonic()
        if not stop.asked or (first is None and number == signal.SIGTERM):
            first = now
            stop.ask("interrupted")
            return
        if first is not None and now - first < ECHO_SECONDS:
            return
        with suppress(Exception):  # the pool may already be closed; children die with this process anyway
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
    """Asks for a stop after `seconds` (None: never), unless the work ends before."""
    timer = threading.Timer(max(0.0, seconds or 0.0), stop.ask, ["deadline"])
    timer.daemon = True
    if seconds is not None:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()

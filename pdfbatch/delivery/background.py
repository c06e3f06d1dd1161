"""Delivers a slice's events while it is converted: a thread for each sink, which the work neither waits for nor hears
of."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pdfbatch.delivery.courier import Courier, Route, deliver_end
from pdfbatch.delivery.sink import NotDelivered
from pdfbatch.errors import PdfbatchError

LOOK_SECONDS = 5.0
"""As often as the worker writes its ledger."""
LONGEST_PAUSE = 60.0
"""Between two tries at a sink that is down."""
END_SECONDS = 20.0
"""How long the end of a slice waits for its last events."""
NOTICE_SECONDS = 5.0
"""As `END_SECONDS`, when the slice was stopped: a Spot instance has two minutes for everything."""

_LAST_TRIES = 4
"""How often a sink that is down is tried at the end of a slice; with their pauses about 6 s."""

_log = logging.getLogger(__name__)


def pause(failures: int, error: PdfbatchError, chance: Callable[[], float] = random.random) -> float:
    """Returns the seconds to wait after some failures in a row: doubled each time, with jitter, and at least what the
    sink asked for."""
    if isinstance(error, NotDelivered) and error.is_refusal:
        return LONGEST_PAUSE
    asked = error.retry_after if isinstance(error, NotDelivered) else 0.0
    return max(asked, min(LONGEST_PAUSE, 2.0**failures) * (0.5 + chance() / 2))


class Left(NamedTuple):
    """What a sink has not got at the end of a slice."""

    address: str
    events: int
    trouble: str


class Deliveries:
    """The threads of a slice; use as a context manager around its work, and call `finish` after it."""

    def __init__(self, routes: Sequence[Route], worker: int, seconds: float = LOOK_SECONDS) -> None:
        """`seconds`: how often the ledger is looked at."""
        self._threads = [_Delivery(route, worker, seconds) for route in routes]

    def __bool__(self) -> bool:
        """Whether there is a sink."""
        return bool(self._threads)

    def __enter__(self) -> Deliveries:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the threads without waiting for a request in progress."""
        for thread in self._threads:
            thread.stop()

    def finish(self, seconds: float) -> list[Left]:
        """Delivers what is left within `seconds`, then the end of the run if this was its last slice. Returns the sinks
        that did not get everything."""
        for thread in self._threads:
            thread.finish()
        for thread in self._threads:
            seconds -= thread.ended_within(max(0.0, seconds))
        return [left for thread in self._threads if (left := thread.left())]


class _Delivery:
    def __init__(self, route: Route, worker: int, seconds: float) -> None:
        self._route = route
        self._seconds = seconds
        self._courier = Courier(route, worker, counts_first=True)
        self._wake = threading.Event()
        self._is_last = self._is_stopped = self._has_finished = False
        self._thread = threading.Thread(target=self._run, name=f"events-{route.address.kind}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._is_stopped = True
        self._wake.set()

    def finish(self) -> None:
        self._is_last = True
        self._wake.set()

    def ended_within(self, seconds: float) -> float:
        """Waits for the last try; returns the seconds that it took."""
        began = time.monotonic()
        self._thread.join(seconds)
        self.stop()
        return time.monotonic() - began

    def left(self) -> Left | None:
        if self._has_finished:
            return None
        return Left(self._route.address.text, self._courier.waiting, self._courier.trouble or "the time was up")

    def _run(self) -> None:
        failures = last_tries = 0
        while not self._is_stopped and last_tries < _LAST_TRIES:
            is_last, wait = self._is_last, self._seconds
            last_tries += is_last
            try:
                self._courier.deliver(until=lambda: self._is_stopped)
                if is_last and not self._is_stopped:
                    deliver_end(self._route)
                    self._has_finished = True
                    return
                failures = 0
            except Exception as error:
                self._tell(error, failures)
                if is_last and isinstance(error, NotDelivered) and error.is_refusal:
                    return
                failures = 1 if last_tries == 1 else failures + 1  # the last tries begin with short pauses again
                wait = pause(failures, error) if isinstance(error, PdfbatchError) else LONGEST_PAUSE
            if is_last or not self._is_last:  # else the end came meanwhile
                self._wake.wait(wait)
                self._wake.clear()

    def _tell(self, error: Exception, failures: int) -> None:
        """Logs the first failure of a row."""
        if failures:
            return
        why = error.message if isinstance(error, PdfbatchError) else repr(error)
        _log.warning("events to %s wait: %s", self._route.address.text, why)

"""Counts the cost of a slice's instances at their current price."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from pdfbatch.records import Heartbeat, Machine
from pdfbatch.runs.machines import BOOT_SECONDS, FAILURE_SECONDS, NOTICE_SECONDS


class Meter:
    """Counts dollars from the instance's boot; thread-safe.

    `price` is in dollars per hour, all included. `inherit` adds the slice's earlier instances.
    """

    def __init__(self, machine: Machine, price: float, clock: Callable[[], datetime]) -> None:
        self._lock = threading.Lock()
        self._machine = machine
        self._clock = clock
        self._price = price
        self._dollars = 0.0
        self._counted = self._known = machine.booted - timedelta(seconds=BOOT_SECONDS)

    @property
    def price(self) -> float:
        return self._price

    def dollars(self) -> float:
        with self._lock:
            self._count(self._clock())
            return self._dollars

    def set_price(self, price: float) -> None:
        """Sets the current price. A higher price counts from the last update, because the time of the change is
        unknown."""
        with self._lock:
            now = self._clock()
            self._count(now)
            self._dollars += max(0.0, price - self._price) * _hours(now - self._known)
            self._price, self._known = price, max(now, self._known)

    def inherit(self, last: Heartbeat) -> None:
        """Continues from the cost in the slice's last heartbeat; call it before this worker's first one."""
        with self._lock:
            self._dollars = last.dollars
            if last.machine is not None and last.machine.instance == self._machine.instance:
                self._counted = self._known = last.at
                return
            booted = self._machine.booted - timedelta(seconds=BOOT_SECONDS)
            self._dollars += self._price * _hours(_end_of(last, booted) - last.at)
            self._counted = self._known = booted

    def _count(self, now: datetime) -> None:
        self._dollars += self._price * _hours(now - self._counted)
        self._counted = max(now, self._counted)


def _end_of(last: Heartbeat, limit: datetime) -> datetime:
    """Returns when the previous instance ended. One that just went silent may have been billed until `limit`."""
    if last.state == "failed":
        return min(limit, last.at + timedelta(seconds=FAILURE_SECONDS))
    if last.notice or last.state in ("interrupted", "done"):
        return min(limit, last.at + timedelta(seconds=NOTICE_SECONDS))
    return limit


def _hours(span: timedelta) -> float:
    return max(0.0, span.total_seconds() / 3600)

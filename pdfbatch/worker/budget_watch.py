"""A thread that stops the worker when the money of the whole run is spent."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import Boot, FleetRecord, Heartbeat, RunKeys
from pdfbatch.runs.progress import boots, heartbeats
from pdfbatch.store import Store
from pdfbatch.worker.budget import LOOK_SECONDS, Use, over_budget, use_of
from pdfbatch.worker.meter import Meter
from pdfbatch.worker.stop import Stop

PRICE_SECONDS = 600.0
"""How often EC2 is asked for the price; Spot prices move within hours."""

_log = logging.getLogger(__name__)


class Peers(NamedTuple):
    """What a store tells of the run's workers."""

    beats: Sequence[Heartbeat] = ()
    boots: Sequence[Boot] = ()


def read_peers(output: Store, run: str) -> Peers:
    """One read for each worker, and two listings."""
    keys = RunKeys(run)
    return Peers(heartbeats(output, keys), boots(output, keys))


class BudgetSources(NamedTuple):
    """What the watch asks of the world; each may fail, and then the last answer holds."""

    peers: Callable[[], Peers]
    price: Callable[[], float | None]
    """Dollars an hour, all in, of this instance now; None: not known."""
    clock: Callable[[], datetime]
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait


class BudgetWatch:
    """Looks at once and then every `LOOK_SECONDS`; use as a context manager. Never ends the worker but by `stop`."""

    def __init__(
        self, fleet: FleetRecord, worker: int, workers: int, meter: Meter, stop: Stop, outside: BudgetSources
    ) -> None:
        self._fleet = fleet
        self._worker = worker
        self._workers = workers
        self._meter = meter
        self._stop = stop
        self._outside = outside
        self._peers = Peers()
        self._ask_at: datetime | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="budget", daemon=True)

    def __enter__(self) -> BudgetWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Does not wait for an answer that is under way."""
        self._ended.set()

    def look(self) -> None:
        """One look: the price if it is time, the others' heartbeats, the decision."""
        self._ask_price()
        try:
            self._peers = self._outside.peers()
        except PdfbatchError as error:
            _log.warning("the other workers' heartbeats cannot be read: %s", error.message)
        max_cost = self._fleet.max_cost
        if max_cost is not None and (detail := over_budget(self._uses(), max_cost)):
            self._stop.ask("over_budget", detail)

    def _run(self) -> None:
        while not self._stop.asked:
            try:
                self.look()
            except Exception:
                _log.exception("what the run has cost cannot be told")
            if self._outside.wait(self._ended, LOOK_SECONDS):
                return

    def _ask_price(self) -> None:
        now = self._outside.clock()
        if self._fleet.market == "on-demand" or (self._ask_at is not None and now < self._ask_at):
            return
        self._ask_at = now + timedelta(seconds=PRICE_SECONDS)
        try:
            price = self._outside.price()
        except PdfbatchError as error:
            _log.warning("the Spot price is not known: %s", error.message)
            return
        if price is not None:
            self._meter.set_price(price)

    def _uses(self) -> list[Use]:
        beat_of = {beat.worker: beat for beat in self._peers.beats}
        now = self._outside.clock()
        others = [
            use_of(beat_of.get(worker), self._peers.boots, self._fleet, now)
            for worker in range(self._workers)
            if worker != self._worker
        ]
        return [self._own(beat_of.get(self._worker)), *others]

    def _own(self, last: Heartbeat | None) -> Use:
        """Until the meter has inherited the count of the instance before, that one's heartbeat knows more."""
        return Use(max(self._meter.dollars(), last.dollars if last else 0.0), self._meter.price)

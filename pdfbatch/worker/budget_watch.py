"""A thread that stops the worker when the cost cap of the whole run is reached."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import Boot, FleetRecord, Heartbeat, RunKeys
from pdfbatch.runs.record_reader import boots, heartbeats
from pdfbatch.store import Store
from pdfbatch.worker.budget import LOOK_SECONDS, Use, answers_an_hour, over_budget, use_of
from pdfbatch.worker.meter import Meter
from pdfbatch.worker.stop import Stop

PRICE_SECONDS = 600.0
"""How often EC2 is asked for the price; Spot prices change within hours."""

_log = logging.getLogger(__name__)


class Peers(NamedTuple):
    """The records of all workers of the run."""

    beats: Sequence[Heartbeat] = ()
    boots: Sequence[Boot] = ()


def read_peers(output: Store, run: str) -> Peers:
    """Reads the records of all workers: one read for each, and two listings."""
    keys = RunKeys(run)
    return Peers(heartbeats(output, keys), boots(output, keys))


class BudgetSources(NamedTuple):
    """The watch's sources. Each may fail; then its last answer is used."""

    peers: Callable[[], Peers]
    price: Callable[[], float | None]
    """This instance's current price in dollars per hour, all included; None if unknown."""
    clock: Callable[[], datetime]
    wait: Callable[[threading.Event, float], bool] = threading.Event.wait


class BudgetWatch:
    """Checks at once and then every `LOOK_SECONDS`; use as a context manager. Ends the worker only through `stop`."""

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
        """Ends the thread without waiting for a request in progress."""
        self._ended.set()

    def look(self) -> None:
        """Checks once: updates the price if it is due, reads the other heartbeats, and decides."""
        self._ask_price()
        try:
            self._peers = self._outside.peers()
        except PdfbatchError as error:
            _log.warning("cannot read the other workers' heartbeats: %s", error.message)
        max_cost = self._fleet.max_cost
        if max_cost is not None and (detail := over_budget(self._uses(), max_cost)):
            self._stop.ask("over_budget", detail)

    def _run(self) -> None:
        while not self._stop.asked:
            try:
                self.look()
            except Exception:
                _log.exception("cannot compute the cost of the run")
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
            _log.warning("cannot get the Spot price: %s", error.message)
            return
        if price is not None:
            self._meter.set_price(price)

    def _uses(self) -> list[Use]:
        beat_of = {beat.worker: beat for beat in self._peers.beats}
        now = self._outside.clock()
        added = {*beat_of, *(boot.worker for boot in self._peers.boots)}  # to a pool, while it runs
        others = [
            use_of(beat_of.get(worker), self._peers.boots, self._fleet, now)
            for worker in sorted({*range(self._workers), *added} - {self._worker})
        ]
        return [self._own(beat_of.get(self._worker)), *others]

    def _own(self, last: Heartbeat | None) -> Use:
        """Returns this worker's use. Until the meter has inherited the cost of earlier instances, the slice's last
        heartbeat may be higher."""
        if last is None:
            return Use(self._meter.dollars(), self._meter.price)
        spent = max(self._meter.dollars(), last.dollars) + last.counts.model_use.endpoint.dollars
        return Use(spent, self._meter.price + answers_an_hour(last))

"""Delivers the events of a whole run from outside: of all its workers, once or until it has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from pydantic import BaseModel, ConfigDict

from pdfbatch.delivery.background import LOOK_SECONDS, pause
from pdfbatch.delivery.courier import Courier, Route, deliver_end
from pdfbatch.delivery.sink import NotDelivered
from pdfbatch.errors import PdfbatchError
from pdfbatch.records import Manifest, RunKeys, SinkAddress
from pdfbatch.runs import manifest
from pdfbatch.runs.ledger import Segment, segments
from pdfbatch.runs.past import run_ids
from pdfbatch.runs.record_reader import RecordReader
from pdfbatch.store import Store

TRIES = 4
"""How often a sink that is down is tried without `follow`; with their pauses about 10 s."""


class Delivered(BaseModel):
    """The document that `events --json` prints; its field names are stable."""

    model_config = ConfigDict(frozen=True)
    run: str
    output: str
    sink: str
    delivered: int = 0
    """Events that this command delivered."""
    before: int = 0
    """Events that the sink had before."""
    waiting: int = 0
    """Events in the ledger that the sink did not take."""
    ended: bool = False
    """Whether the run has ended, and its last event was delivered."""


def owed_runs(store: Store, address: SinkAddress, latest: str) -> list[Manifest]:
    """Returns the runs before `latest` that are the sink's too, oldest first: they were started with it, or it has got
    events of them. Runs whose manifest is damaged are left out."""
    found = []
    for run in run_ids(store):
        with suppress(PdfbatchError):
            frozen = manifest.load(store, run)
            is_known = address.text in frozen.events or any(store.list(RunKeys(run).positions_of(address.name)))
            if run < latest and is_known:
                found.append(frozen)
    return found


def total(deliveries: Sequence[RunDelivery]) -> Delivered:
    """Returns how far the deliveries of several runs are; everything but the counts is of the last one."""
    each = [delivery.found() for delivery in deliveries]
    counts = ("delivered", "before", "waiting")
    return each[-1].model_copy(update={name: sum(getattr(found, name) for found in each) for name in counts})


Tell = Callable[[Delivered, PdfbatchError | None], None]
"""Hears of every look at the ledger, and why the sink did not take everything."""


class RunDelivery:
    """Delivers a run to one sink."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._reader = RecordReader(route.store, route.keys)
        self._couriers: dict[int, Courier] = {}
        self._before: dict[int, int] = {}
        self._ends = 0
        self._has_ended = False

    def deliver(self, tell: Tell, wait: Callable[[float], None], *, follow: bool) -> Delivered:
        """Delivers what is in the ledger; with `follow` until the run has ended and everything is delivered.

        Raises:
            NotDelivered: without `follow`, the sink does not take everything after some tries; or it refuses.
            PdfbatchError: the store cannot be read.
        """
        failures = 0
        while True:
            try:
                self._look()
            except NotDelivered as error:
                failures += 1
                if error.is_refusal or (failures == TRIES and not follow):
                    raise
                tell(self.found(), error)
                wait(pause(failures, error))
                continue
            failures = 0
            found = self.found()
            tell(found, None)
            if self._has_ended or not follow:
                return found
            wait(LOOK_SECONDS)

    def found(self) -> Delivered:
        """Returns how far it is."""
        couriers = self._couriers
        return Delivered(
            run=self._route.manifest.run,
            output=self._route.manifest.output,
            sink=self._route.address.text,
            delivered=self._ends + sum(couriers[worker].delivered - self._before[worker] for worker in couriers),
            before=sum(self._before.values()),
            waiting=sum(courier.waiting for courier in couriers.values()),
            ended=self._has_ended,
        )

    def _look(self) -> None:
        parts: dict[int, list[Segment]] = {}
        for part in segments(self._route.store, self._route.keys.ledger):
            parts.setdefault(part.worker, []).append(part)
        for worker, listed in sorted(parts.items()):
            self._courier(worker).deliver(listed)
        sent = deliver_end(self._route, self._reader)
        self._ends += bool(sent)
        self._has_ended = sent is not None

    def _courier(self, worker: int) -> Courier:
        if worker not in self._couriers:
            self._couriers[worker] = Courier(self._route, worker)
            self._before[worker] = self._couriers[worker].resume()
        return self._couriers[worker]

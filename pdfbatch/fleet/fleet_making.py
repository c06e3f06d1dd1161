"""Creates the launch template and the EC2 Fleet of each worker of a plan, and the queues of a pool."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet import ec2, queues
from pdfbatch.fleet.aws_errors import action_for, explained
from pdfbatch.fleet.effects import Effects, check_not_ended
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.plan import Decided, user_data
from pdfbatch.fleet.values import Plan, Zone
from pdfbatch.records import DoneMark, RunKeys
from pdfbatch.runs.pool import save_pool

T = TypeVar("T")

PAUSES = (2.0, 5.0, 12.0, 30.0)
"""Seconds between retries of a throttled call, each with up to 50 % of random jitter."""


def add_workers(decided: Decided, outside: Effects, numbers: Iterable[int]) -> tuple[dict[int, str], dict[int, str]]:
    """Launches more workers of a run that is running. Returns the ids of their fleets, and why others could not be
    launched; those are marked as ended."""
    making = FleetMaking(decided, outside)
    for number in numbers:
        try:
            making.workers([number], keep_partial=False)
        except PdfbatchError as error:
            making.go_without(number, explained(error, decided.plan).message)
    return making.fleets, making.missing


class FleetMaking:
    """A launch in progress: the fleets that it has created so far."""

    def __init__(self, decided: Decided, outside: Effects) -> None:
        self._decided = decided
        self._plan: Plan = decided.plan
        self._outside = outside
        self.fleets: dict[int, str] = {}
        self.missing: dict[int, str] = {}

    def make(self, keep_partial: bool) -> None:
        self._queues()
        self.workers(range(self._plan.workers), keep_partial)

    def workers(self, numbers: Iterable[int], keep_partial: bool) -> None:
        for worker in numbers:
            check_not_ended(self._outside.output, self._plan.run)
            try:
                self._worker(worker)
            except PdfbatchError as error:
                if not (keep_partial and self.fleets):
                    raise
                self.go_without(worker, explained(error, self._plan).message)
        check_not_ended(self._outside.output, self._plan.run)

    def _queues(self) -> None:
        """Makes and fills the queues of a pool, before any worker could ask them; keeps the plan for `scale`."""
        frozen, outside = self._decided.frozen.manifest, self._outside
        if frozen.is_pool:
            pool = self._patiently(lambda: queues.make(outside.clients, self._plan, frozen))
            save_pool(outside.output, pool)
            outside.output.put(RunKeys(pool.run).plan, self._plan.model_dump_json().encode())
            self._patiently(lambda: queues.fill(outside.clients, pool, frozen))
            queues.watch(outside.clients, pool, frozen, outside.sleep)

    def go_without(self, worker: int, why: str) -> None:
        """Marks the slice of a worker that could not be launched as ended; else the run would wait for it for ever."""
        self.missing[worker] = why
        self._outside.tell(f"worker {worker}: {why}")
        mark = DoneMark(worker=worker, why="gave_up", at=self._outside.clock(), detail=f"Not launched: {why}")
        self._outside.output.put(RunKeys(self._plan.run).done_mark(worker), mark.model_dump_json().encode())

    def _worker(self, worker: int) -> None:
        plan, clients = self._plan, self._outside.clients
        name = Names(plan.stack).template(plan.run, worker)
        frozen, record = self._decided.frozen.manifest, self._decided.record
        text = user_data(frozen, record, worker, plan.account, self._outside.environment)
        self._patiently(lambda: ec2.create_template(clients, plan, worker, name, text))
        if worker == 0:
            self._patiently(lambda: ec2.try_template(clients, name, plan.account.zones[0], plan.market))
        made = self._fleet(worker, name, ec2.rotated(plan.account.zones, worker))
        self.fleets[worker] = made.fleet
        for trouble in made.troubles:
            self._outside.tell(f"worker {worker}: {trouble}; AWS keeps trying")

    def _fleet(self, worker: int, template: str, zones: list[Zone]) -> ec2.Made:
        """Creates the fleet over all zones; leaves out a zone that AWS refuses."""
        while True:
            try:
                return self._patiently(
                    partial(ec2.create_fleet, self._outside.clients, self._plan, worker, template, zones)
                )
            except PdfbatchError as error:
                if action_for(error) != "elsewhere" or len(zones) == 1:
                    raise
                refused = next(
                    (zone for zone in zones if zone.subnet in error.message or zone.name in error.message), zones[0]
                )
                zones.remove(refused)
                self._outside.tell(f"worker {worker}: {refused.name} left out ({error.message})")

    def _patiently(self, call: Callable[[], T]) -> T:
        for pause in PAUSES:
            try:
                return call()
            except PdfbatchError as error:
                if action_for(error) != "later":
                    raise
                self._outside.sleep(pause * random.uniform(1.0, 1.5))
        return call()

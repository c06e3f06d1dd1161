"""Carries out a plan: claims the run, then creates a launch template and a fleet for each worker. All or nothing.

Everything created carries tags, so nothing depends on this process surviving: `pdfbatch down` removes what a killed
launch leaves behind, and AWS deletes every fleet at its expiry.
"""

from __future__ import annotations

import random
import shlex
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet import ec2, queues
from pdfbatch.fleet.aws_errors import action_for, explained
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.down import end
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.plan import Decided, user_data
from pdfbatch.fleet.values import Launched, Plan, Zone
from pdfbatch.records import DoneMark, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.lease import is_anyone_alive
from pdfbatch.runs.pool import save_pool
from pdfbatch.store import Store

T = TypeVar("T")

PLAN_LASTS = timedelta(minutes=30)
SETTLE_SECONDS = 15.0
"""EC2's lists lag behind: a fleet whose creation was interrupted may appear only now."""
PAUSES = (2.0, 5.0, 12.0, 30.0)
"""Seconds between retries of a throttled call, each with up to 50 % of random jitter."""


class Effects(NamedTuple):
    """The outside world that a launch touches."""

    clients: Clients
    output: Store
    environment: Mapping[str, str]
    tell: Callable[[str], None]
    """Shows one line for each event or problem."""
    sleep: Callable[[float], None]
    clock: Callable[[], datetime]


def launch(decided: Decided, outside: Effects, keep_partial: bool = False) -> Launched:
    """Launches every worker of the plan. `keep_partial`: keep those that launched if others fail.

    Raises:
        PdfbatchError: a worker could not be launched. Everything was removed again, or the message names what remains.
    """
    plan, output = decided.plan, outside.output
    _check_still_right(decided, outside)
    output.check_writable()
    winner = manifest.claim(output, decided.frozen, decided.latest)
    if winner != plan.run:
        raise PdfbatchError(
            f"Run {winner} was started on {plan.output} at the same time.",
            f"See it with `pdfbatch status {shlex.quote(plan.output)}`.",
        )
    making = _Making(decided, outside)
    try:
        manifest.save_fleet(output, decided.record)
        making.queues()
        making.workers(range(plan.workers), keep_partial)
    except BaseException as error:  # Ctrl-C too: nothing may keep running
        making.undo(error)
        if not isinstance(error, PdfbatchError):
            raise
        raise explained(error, plan, ec2.decoded(outside.clients, error)) from error
    return Launched(
        run=plan.run,
        output=plan.output,
        fleets=making.fleets,
        missing=making.missing,
        worst_cost=plan.worst_cost * len(making.fleets) / plan.workers,
        expiry=plan.expiry,
    )


def add_workers(decided: Decided, outside: Effects, numbers: Iterable[int]) -> tuple[dict[int, str], dict[int, str]]:
    """Launches more workers of a run that is running. Returns the ids of their fleets, and why others could not be
    launched; those are marked as ended."""
    making = _Making(decided, outside)
    for number in numbers:
        try:
            making.workers([number], keep_partial=False)
        except PdfbatchError as error:
            making.go_without(number, explained(error, decided.plan).message)
    return making.fleets, making.missing


def _check_still_right(decided: Decided, outside: Effects) -> None:
    """Checks that the plan is not outdated and that no other run has started: the confirmation may have taken long."""
    again = "Run the same command again for a new plan."
    now, output = outside.clock(), outside.output
    if now - decided.record.launched > PLAN_LASTS:
        raise PdfbatchError("The plan is out of date: its prices and deadline no longer apply.", again)
    if decided.latest and is_anyone_alive(output, manifest.load(output, decided.latest), now):
        raise PdfbatchError(f"Run {decided.latest} became active while this one was planned.", again)


class _Making:
    """A launch in progress: what it has created so far."""

    def __init__(self, decided: Decided, outside: Effects) -> None:
        self._decided = decided
        self._plan: Plan = decided.plan
        self._outside = outside
        self.fleets: dict[int, str] = {}
        self.missing: dict[int, str] = {}

    def workers(self, numbers: Iterable[int], keep_partial: bool) -> None:
        for worker in numbers:
            self._check_not_ended()
            try:
                self._worker(worker)
            except PdfbatchError as error:
                if not (keep_partial and self.fleets):
                    raise
                self.go_without(worker, explained(error, self._plan).message)
        self._check_not_ended()

    def queues(self) -> None:
        """Makes and fills the queues of a pool, before any worker could ask them; keeps the plan for `scale`."""
        frozen, outside = self._decided.frozen.manifest, self._outside
        if frozen.is_pool:
            pool = self._patiently(lambda: queues.make(outside.clients, self._plan, frozen))
            save_pool(outside.output, pool)
            outside.output.put(RunKeys(pool.run).plan, self._plan.model_dump_json().encode())
            self._patiently(lambda: queues.fill(outside.clients, pool, frozen))
            queues.watch(outside.clients, pool, frozen, outside.sleep)

    def _check_not_ended(self) -> None:
        """Checks that no `down` ran meanwhile. It marks the run first, then deletes what EC2 lists, so anything created
        after the mark would survive it."""
        record = manifest.load_fleet(self._outside.output, self._plan.run)
        if record is None or record.ended is not None:
            raise PdfbatchError("`pdfbatch down` ended the run while it was being launched.", "Launch it again.")

    def go_without(self, worker: int, why: str) -> None:
        """Marks the slice of a worker that could not be launched as ended; else the run would wait for it for ever."""
        self.missing[worker] = why
        self._outside.tell(f"worker {worker}: {why}")
        mark = DoneMark(worker=worker, why="gave_up", at=self._outside.clock(), detail=f"Not launched: {why}")
        self._outside.output.put(RunKeys(self._plan.run).done_mark(worker), mark.model_dump_json().encode())

    def undo(self, error: BaseException) -> None:
        """Removes what was created. If that fails too, says what to run; the caller still raises `error`."""
        outside, run = self._outside, self._plan.run
        outside.tell("the launch failed; removing what was created")
        try:
            end(outside.clients, lambda found: found.run == run, outside.sleep, self.fleets.values(), SETTLE_SECONDS)
            manifest.disclaim(outside.output, self._decided.frozen.manifest, self._decided.latest)
        except BaseException as trouble:
            down = f"pdfbatch down {shlex.quote(self._plan.output)}"
            outside.tell(f"NOT everything was removed: run `{down}` until nothing remains")
            if not isinstance(trouble, PdfbatchError):
                raise
            outside.tell(trouble.message)
            error.add_note(trouble.message)

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

"""Carries out a plan: claim the run, make a template and a fleet for each worker; all of it, or nothing stays.

What is made is found again by its tags, so nothing depends on this process living to its end: `pdfbatch down` takes
away what a killed launch leaves, and AWS ends every fleet at its expiry.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet import ec2
from pdfbatch.fleet.aws_errors import action_for, explained
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.down import end
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.plan import Decided, user_data
from pdfbatch.fleet.values import Launched, Plan, Zone
from pdfbatch.records import DoneMark, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.lease import is_anyone_alive
from pdfbatch.runs.progress import timestamp
from pdfbatch.store import Store

T = TypeVar("T")

PLAN_LASTS = timedelta(minutes=30)
SETTLE_SECONDS = 15.0
"""EC2's lists lag behind: a fleet whose making was broken off may show only now."""
PAUSES = (2.0, 5.0, 12.0, 30.0)
"""Seconds to wait before a call is tried again that AWS was too busy for, each up to half as long again by chance."""


class Effects(NamedTuple):
    """What carrying out touches of the world."""

    clients: Clients
    output: Store
    environment: Mapping[str, str]
    tell: Callable[[str], None]
    """Told one line for each thing that is made or is not as it should be."""
    sleep: Callable[[float], None]
    clock: Callable[[], datetime]


def launch(decided: Decided, outside: Effects, keep_partial: bool = False) -> Launched:
    """
    Raises:
        PdfbatchError: not every worker could be launched, and nothing of it is left; or something is, and it is named.
    """
    plan, output = decided.plan, outside.output
    _check_still_right(decided, outside)
    output.check_writable()
    winner = manifest.claim(output, decided.manifest, decided.latest)
    if winner != plan.run:
        raise PdfbatchError(
            f"Somebody else began the run {winner} on {plan.output} at the same moment.",
            f"See it with `pdfbatch status {plan.output}`.",
        )
    making = _Making(decided, outside)
    try:
        manifest.save_fleet(output, decided.record)
        making.all_workers(keep_partial)
    except BaseException as error:  # Ctrl-C too: what was begun must not live on
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


def _check_still_right(decided: Decided, outside: Effects) -> None:
    """A person may have thought it over for long: whether a run has come to life meanwhile, or the plan has aged."""
    again = "Run the same command again for a new plan."
    now, output = outside.clock(), outside.output
    if now - datetime.fromisoformat(decided.record.launched) > PLAN_LASTS:
        raise PdfbatchError("The plan is too old: its prices and its end are of another hour.", again)
    if decided.latest and is_anyone_alive(output, manifest.load(output, decided.latest), now):
        raise PdfbatchError(f"Run {decided.latest} has come to life while this one was planned.", again)


class _Making:
    """A launch under way: what it has made so far."""

    def __init__(self, decided: Decided, outside: Effects) -> None:
        self._decided = decided
        self._plan: Plan = decided.plan
        self._outside = outside
        self.fleets: dict[int, str] = {}
        self.missing: dict[int, str] = {}

    def all_workers(self, keep_partial: bool) -> None:
        for worker in range(self._plan.workers):
            self._check_not_ended()
            try:
                self._worker(worker)
            except PdfbatchError as error:
                if not (keep_partial and self.fleets):
                    raise
                self._go_without(worker, explained(error, self._plan).message)
        self._check_not_ended()

    def _check_not_ended(self) -> None:
        """`down` writes first, then ends what it sees: what it cannot see yet must not be made, or be taken away."""
        record = manifest.load_fleet(self._outside.output, self._plan.run)
        if record is None or record.ended is not None:
            raise PdfbatchError("The run was ended by `pdfbatch down` while it was being launched.", "Launch it again.")

    def _go_without(self, worker: int, why: str) -> None:
        """Its slice has come to an end before it began: else the run would wait for it for ever."""
        self.missing[worker] = why
        self._outside.tell(f"worker {worker}: {why}")
        mark = DoneMark(
            worker=worker, why="gave_up", at=timestamp(self._outside.clock()), detail=f"Not launched: {why}"
        )
        self._outside.output.put(RunKeys(self._plan.run).done_mark(worker), mark.model_dump_json().encode())

    def undo(self, error: BaseException) -> None:
        """Takes away what was made; if that fails too, says what to type, and `error` goes on its way."""
        outside, run = self._outside, self._plan.run
        outside.tell("the launch failed; taking away what was made")
        try:
            end(outside.clients, lambda found: found.run == run, outside.sleep, self.fleets.values(), SETTLE_SECONDS)
            manifest.disclaim(outside.output, self._decided.manifest, self._decided.latest)
        except BaseException as trouble:
            outside.tell(
                f"NOT all is taken away: run `pdfbatch down {self._plan.output}` until it says that nothing is left"
            )
            if not isinstance(trouble, PdfbatchError):
                raise
            outside.tell(trouble.message)
            error.add_note(trouble.message)

    def _worker(self, worker: int) -> None:
        plan, clients = self._plan, self._outside.clients
        name = Names(plan.stack).template(plan.run, worker)
        text = user_data(self._decided.manifest, self._decided.record, worker, plan.account, self._outside.environment)
        self._patiently(lambda: ec2.create_template(clients, plan, worker, name, text))
        if worker == 0:
            self._patiently(lambda: ec2.try_template(clients, name, plan.account.zones[0], plan.market))
        made = self._fleet(worker, name, ec2.rotated(plan.account.zones, worker))
        self.fleets[worker] = made.fleet
        for trouble in made.troubles:
            self._outside.tell(f"worker {worker}: {trouble}; AWS goes on trying")

    def _fleet(self, worker: int, template: str, zones: list[Zone]) -> ec2.Made:
        """In all zones at once; where AWS says that one of them cannot, without that one."""
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

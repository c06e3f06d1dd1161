"""Carries out a plan: claims the run, then creates what runs its workers. All or nothing.

Everything created carries tags, so nothing depends on this process surviving: `pdfbatch down` removes what a killed
launch leaves behind, and AWS deletes every fleet at its expiry.
"""

from __future__ import annotations

import shlex
from datetime import timedelta

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet.down import end
from pdfbatch.fleet.effects import Effects, Making
from pdfbatch.fleet.plan import Decided
from pdfbatch.fleet.values import Launched
from pdfbatch.fleet.ways import way_named
from pdfbatch.runs import manifest
from pdfbatch.runs.lease import is_anyone_alive

__all__ = ["Effects", "launch"]

PLAN_LASTS = timedelta(minutes=30)
SETTLE_SECONDS = 15.0
"""AWS's lists lag behind: a fleet whose creation was interrupted may appear only now."""


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
    way = way_named(plan.way)
    making = way.making(decided, outside)
    try:
        manifest.save_fleet(output, decided.record)
        making.make(keep_partial)
    except BaseException as error:  # Ctrl-C too: nothing may keep running
        _undo(decided, outside, making, error)
        if not isinstance(error, PdfbatchError):
            raise
        raise way.explained(outside.clients, error, plan) from error
    return Launched(
        run=plan.run,
        output=plan.output,
        way=plan.way,
        fleets=making.fleets,
        missing=making.missing,
        worst_cost=plan.worst_cost * len(making.fleets) / plan.workers,
        expiry=plan.expiry,
    )


def _check_still_right(decided: Decided, outside: Effects) -> None:
    """Checks that the plan is not outdated and that no other run has started: the confirmation may have taken long."""
    again = "Run the same command again for a new plan."
    now, output = outside.clock(), outside.output
    if now - decided.record.launched > PLAN_LASTS:
        raise PdfbatchError("The plan is out of date: its prices and deadline no longer apply.", again)
    if decided.latest and is_anyone_alive(output, manifest.load(output, decided.latest), now):
        raise PdfbatchError(f"Run {decided.latest} became active while this one was planned.", again)


def _undo(decided: Decided, outside: Effects, making: Making, error: BaseException) -> None:
    """Removes what was created. If that fails too, says what to run; the caller still raises `error`."""
    plan = decided.plan
    outside.tell("the launch failed; removing what was created")
    try:
        known = list(making.fleets.values())
        ways = [way_named(plan.way)]
        end(outside.clients, lambda found: found.run == plan.run, outside.sleep, known, SETTLE_SECONDS, ways)
        manifest.disclaim(outside.output, decided.frozen.manifest, decided.latest)
    except BaseException as trouble:
        down = f"pdfbatch down {shlex.quote(plan.output)}"
        outside.tell(f"NOT everything was removed: run `{down}` until nothing remains")
        if not isinstance(trouble, PdfbatchError):
            raise
        outside.tell(trouble.message)
        error.add_note(trouble.message)

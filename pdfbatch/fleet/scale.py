"""Adds workers to a running pool, and takes some away: `scale`.

A worker that is added gets an id that was never used, and boots like those of the launch: from its own launch template
and fleet, made from the plan that the launch has kept. One that is taken away finds out within a minute, drains, gives
back its blocks and deletes its own fleet; one that has not started yet is deleted here.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from pdfbatch.errors import NotFound, PdfbatchError
from pdfbatch.fleet.down import end
from pdfbatch.fleet.effects import Effects
from pdfbatch.fleet.fleet_making import add_workers
from pdfbatch.fleet.names import TAG_WORKER
from pdfbatch.fleet.plan import Decided
from pdfbatch.fleet.values import Plan
from pdfbatch.records import DoneMark, FleetRecord, Manifest, Pool, RunKeys
from pdfbatch.runs.manifest import load_fleet
from pdfbatch.runs.pool import all_blocks, change_pool, finished_blocks, pool_of
from pdfbatch.runs.record_reader import heartbeats
from pdfbatch.runs.slices import Frozen
from pdfbatch.store import Store


class RunningPool(NamedTuple):
    """A pool that can be scaled."""

    manifest: Manifest
    record: FleetRecord
    pool: Pool
    plan: Plan

    def dollars_of(self, workers: int, now: datetime) -> float:
        """Returns the most that this many workers can cost until the fleet expires."""
        hours = max(0.0, (self.record.expiry - now).total_seconds() / 3600)
        return workers * (self.record.price_ceiling or self.record.worst_price) * hours


class Scaled(BaseModel):
    """What `scale` has changed."""

    model_config = ConfigDict(frozen=True)
    run: str
    output: str
    workers: list[int]
    """The ids of the workers that the pool is to have now."""
    added: list[int]
    removed: list[int]
    """They drain, give back their blocks and end; those that had not started are deleted."""
    missing: dict[int, str] = {}
    """Workers that could not be launched, and why."""


def running_pool(output: Store, manifest: Manifest, now: datetime) -> RunningPool:
    """Reads what `scale` needs.

    Raises:
        PdfbatchError: the run is not a pool, or is over.
    """
    record, pool = load_fleet(output, manifest.run), pool_of(output, manifest)
    if record is None or pool is None:
        raise PdfbatchError(
            f"Run {manifest.run} is not a pool: its workers have slices of their own.",
            "Start one with `pdfbatch launch --pool`; a run with slices continues with another number of workers if "
            "you run `down` and `launch --workers N`.",
        )
    keys = RunKeys(manifest.run)
    is_read = not manifest.watches_input and set(all_blocks(manifest)) == finished_blocks(output, keys)
    if record.ended is not None or now >= record.deadline or is_read:
        raise PdfbatchError(f"Run {manifest.run} is over.", "Launch again for what is left.")
    try:
        plan = Plan.model_validate_json(output.get(keys.plan))
    except (NotFound, ValidationError) as error:
        raise PdfbatchError(
            f"The plan of run {manifest.run} is missing or of another version ({output.url}{keys.plan}).",
            "Use the version of pdfbatch that launched it.",
        ) from error
    return RunningPool(manifest, record, pool, plan)


def scaled(pool: Pool, count: int, started: Set[int]) -> Pool:
    """Returns the pool with this many workers. Those that have not `started` go first, then the newest. Pure."""
    by_worth = sorted(pool.workers, key=lambda worker: (worker not in started, worker))
    kept = sorted(by_worth[:count])
    added = list(range(pool.used, pool.used + count - len(kept)))
    return pool.model_copy(update={"workers": [*kept, *added], "used": pool.used + len(added)})


def scale(there: RunningPool, count: int, outside: Effects) -> Scaled:
    """Makes the pool have `count` workers."""
    output, run = outside.output, there.manifest.run
    started = {beat.worker for beat in heartbeats(output, RunKeys(run))}
    before = pool_of(output, there.manifest) or there.pool
    after = change_pool(output, run, lambda pool: scaled(pool, count, started))
    added = [worker for worker in after.workers if worker not in before.workers]
    removed = [worker for worker in before.workers if worker not in after.workers]
    _delete_unstarted(there, [worker for worker in removed if worker not in started], outside)
    decided = Decided(there.plan, Frozen(there.manifest, ()), there.record, None)
    _, missing = add_workers(decided, outside, added)
    if missing:
        after = change_pool(output, run, lambda pool: _without(pool, missing.keys()))
    return Scaled(
        run=run,
        output=there.manifest.output,
        workers=after.workers,
        added=[worker for worker in added if worker not in missing],
        removed=removed,
        missing=missing,
    )


def _without(pool: Pool, missing: Set[int]) -> Pool:
    return pool.model_copy(update={"workers": [worker for worker in pool.workers if worker not in missing]})


def _delete_unstarted(there: RunningPool, workers: list[int], outside: Effects) -> None:
    """Deletes the fleets of workers that no instance has started, so that none boots only to end."""
    run, numbers = there.manifest.run, {str(worker) for worker in workers}
    for worker in workers:
        mark = DoneMark(worker=worker, why="retired", at=outside.clock())
        outside.output.put(RunKeys(run).done_mark(worker), mark.model_dump_json().encode())
    if workers:
        end(outside.clients, lambda found: found.run == run and found.tags.get(TAG_WORKER) in numbers, outside.sleep)

"""Lists what pdfbatch has in a region, run by run: `ls`."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet import ec2
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.down import list_resources
from pdfbatch.fleet.resources import Resource, Resources

TROUBLE_AGE = timedelta(hours=1)
"""A fleet's older errors say little about why it waits now."""


class RunThere(BaseModel):
    """What one run has in AWS."""

    model_config = ConfigDict(frozen=True)
    run: str
    output: str
    """From its tag."""
    launched: datetime | None
    fleets: int
    """Those that may still launch."""
    instances: int
    """Without those that are shutting down."""
    templates: int
    queues: int = 0
    """Of a pool: its queue and its dead-letter queue. Idle ones cost nothing."""
    jobs: int = 0
    """Those that have not ended."""
    definitions: int = 0
    """Definitions of jobs; they cost nothing."""
    expired_fleets: int = 0
    """Expired fleets without an instance. AWS lists them until they are deleted; they cost nothing."""
    trouble: str = ""
    """Why a fleet or job has no instance now, as AWS reports it."""

    @property
    def is_orphan(self) -> bool:
        """Whether there are instances without a fleet."""
        return self.fleets == 0 and self.instances > 0

    @property
    def is_finished(self) -> bool:
        """Whether nothing billable is left."""
        return self.fleets == 0 and self.instances == 0 and self.jobs == 0


class Inventory(BaseModel):
    model_config = ConfigDict(frozen=True)
    region: str
    runs: list[RunThere]


def take(clients: Clients, now: datetime) -> Inventory:
    """Lists every run that has anything in AWS."""
    found = list_resources(clients)
    runs = []
    for run in found.runs():
        own = found.only(lambda each, run=run: each.run == run)  # type: ignore[misc]  # mypy and defaults of lambdas
        runs.append(_of_run(clients, run, own, now))
    return Inventory(region=clients.region, runs=runs)


def _of_run(clients: Clients, run: str, own: Resources, now: datetime) -> RunThere:
    every: list[Resource] = [each for group in own for each in group]
    started = [each.created for each in every if each.created is not None]
    alive = [each for each in own.fleets if not ec2.is_over(each, own.instances, now)]
    served = {each.worker for each in own.instances}
    waiting = {each.worker: each.id for each in alive if each.worker not in served}
    return RunThere(
        run=run,
        output=next((each.place for each in every if each.place), ""),
        launched=min(started, default=None),
        fleets=len(alive),
        instances=len(own.billed()),
        templates=len(own.templates),
        queues=len(own.queues),
        jobs=len(own.jobs),
        definitions=len(own.definitions),
        expired_fleets=len(own.fleets) - len(alive),
        trouble=next((each.trouble for each in own.jobs if each.trouble), "")
        or _trouble(clients, list(waiting.values()), now - TROUBLE_AGE),
    )


def _trouble(clients: Clients, fleets: list[str], since: datetime) -> str:
    for fleet in fleets[:3]:
        try:
            if trouble := ec2.trouble_of(clients, fleet, since):
                return trouble
        except PdfbatchError:
            continue  # not permitted to ask
    return ""

"""What pdfbatch has in a region, run by run: `ls`."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet import ec2
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.down import look


class RunThere(BaseModel):
    """What EC2 has of one run."""

    model_config = ConfigDict(frozen=True)
    run: str
    output: str
    """As its tag tells it."""
    launched: datetime | None
    fleets: int
    instances: int
    templates: int
    trouble: str = ""
    """Why a fleet has no machine just now, as AWS tells it."""

    @property
    def is_orphan(self) -> bool:
        """Machines that no fleet looks after, or templates of fleets that are gone."""
        return self.fleets == 0


class Inventory(BaseModel):
    model_config = ConfigDict(frozen=True)
    region: str
    runs: list[RunThere]


def take(clients: Clients, since: datetime) -> Inventory:
    """Every run with anything in EC2; troubles since then."""
    found = look(clients)
    runs = []
    for run in found.runs():
        own = found.only(lambda each, run=run: each.run == run)  # type: ignore[misc]  # mypy and defaults of lambdas
        every = [each for group in own for each in group]
        started = [each.created for each in every if each.created is not None]
        waiting = {each.worker: each.id for each in own.fleets if each.worker not in {i.worker for i in own.instances}}
        runs.append(
            RunThere(
                run=run,
                output=next((each.place for each in every if each.place), ""),
                launched=min(started, default=None),
                fleets=len(own.fleets),
                instances=len(own.instances),
                templates=len(own.templates),
                trouble=_trouble(clients, list(waiting.values()), since),
            )
        )
    return Inventory(region=clients.region, runs=runs)


def _trouble(clients: Clients, fleets: list[str], since: datetime) -> str:
    for fleet in fleets[:3]:
        try:
            if told := ec2.trouble_of(clients, fleet, since):
                return told
        except PdfbatchError:
            continue  # it may not be asked
    return ""

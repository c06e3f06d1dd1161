"""The end of a fleet: found by its tags, ended with its machines, verified, and nothing of it left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet import ec2
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.ec2 import Found
from pdfbatch.runs.manifest import load_fleet, save_fleet
from pdfbatch.runs.progress import timestamp
from pdfbatch.store import Store

POLL_SECONDS = 5.0
VERIFY_SECONDS = 300.0
"""An instance takes a minute or two from the order to its end."""


class Remains(NamedTuple):
    """What there is of some runs in EC2."""

    fleets: list[Found]
    instances: list[Found]
    templates: list[Found]

    @property
    def is_nothing(self) -> bool:
        return not (self.fleets or self.instances or self.templates)

    def only(self, wanted: Callable[[Found], bool]) -> Remains:
        return Remains(*([each for each in group if wanted(each)] for group in self))

    def runs(self) -> list[str]:
        return sorted({each.run for group in self for each in group})


class Ended(BaseModel):
    """What `down` took away."""

    model_config = ConfigDict(frozen=True)
    runs: list[str]
    fleets: int
    instances: int
    templates: int


def look(clients: Clients) -> Remains:
    """Everything of pdfbatch's in the region."""
    return Remains(ec2.fleets(clients), ec2.instances(clients), ec2.templates(clients))


def end(
    clients: Clients,
    wanted: Callable[[Found], bool],
    sleep: Callable[[float], None],
    known_fleets: Iterable[str] = (),
) -> Ended:
    """Ends everything that is wanted and waits until it is gone; to call it again does no harm.

    `known_fleets` are ended even if EC2's lists do not show them yet.

    Raises:
        PdfbatchError: something is left; the message names it.
    """
    found = look(clients).only(wanted)
    refused = ec2.delete_fleets(clients, sorted({each.id for each in found.fleets} | set(known_fleets)))
    ec2.terminate(clients, [each.id for each in found.instances if each.state != "shutting-down"])
    left = _wait(clients, wanted, sleep)
    ec2.delete_templates(clients, (each.id for each in left.templates))
    if left.fleets or left.instances:
        raise _left(left, refused)
    return Ended(
        runs=found.runs(),
        fleets=len(found.fleets),
        instances=len(found.instances),
        templates=len(left.templates),
    )


def _wait(clients: Clients, wanted: Callable[[Found], bool], sleep: Callable[[float], None]) -> Remains:
    waited = 0.0
    while True:
        left = look(clients).only(wanted)
        if not (left.fleets or left.instances) or waited >= VERIFY_SECONDS:
            return left
        sleep(POLL_SECONDS)
        waited += POLL_SECONDS


def _left(left: Remains, refused: list[str]) -> PdfbatchError:
    names = ", ".join(each.id for each in [*left.fleets, *left.instances])
    why = f" ({'; '.join(refused)})" if refused else ""
    return PdfbatchError(
        f"Not all could be ended{why}: {names} still there.",
        "Run the same command again; if it stays, end them in the EC2 console. At its expiry AWS ends a fleet anyway.",
    )


def tell_store(output: Store, runs: Iterable[str], now: datetime) -> None:
    """Writes into the runs' own records that they were ended, so that `status` and the next launch know."""
    for run in runs:
        record = load_fleet(output, run)
        if record is not None and record.ended is None:
            save_fleet(output, record.model_copy(update={"ended": timestamp(now)}))

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
from pdfbatch.fleet.names import output_digest
from pdfbatch.records import FleetRecord
from pdfbatch.runs import manifest
from pdfbatch.runs.progress import timestamp
from pdfbatch.store import Store, open_store

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
    settle_seconds: float = 0.0,
) -> Ended:
    """Ends everything that is wanted and waits until it is gone; to call it again does no harm.

    `known_fleets` are ended even if EC2's lists do not show them yet; for `settle_seconds` nothing more may show.

    Raises:
        PdfbatchError: something is left; the message names it.
    """
    known, seen = set(known_fleets), Remains([], [], [])
    refused: list[str] = []
    waited = quiet = 0.0
    while True:
        found = look(clients).only(wanted)
        seen = Remains(*(_together(before, now) for before, now in zip(seen, found, strict=True)))
        ids = known | {each.id for each in found.fleets}
        refused = ec2.delete_fleets(clients, sorted(ids))
        known = {fleet for fleet in ids if any(fleet in line for line in refused)}
        ec2.terminate(clients, [each.id for each in found.instances if each.state != "shutting-down"])
        is_quiet = not (found.fleets or found.instances or known)
        if (is_quiet and quiet >= settle_seconds) or waited >= VERIFY_SECONDS:
            break
        quiet = quiet + POLL_SECONDS if is_quiet else 0.0
        sleep(POLL_SECONDS)
        waited += POLL_SECONDS
    if found.fleets or found.instances or known:
        raise _left(found, refused)
    ec2.delete_templates(clients, (each.id for each in seen.templates))
    return Ended(
        runs=seen.runs(),
        fleets=len(seen.fleets),
        instances=len(seen.instances),
        templates=len(seen.templates),
    )


def _together(before: list[Found], now: list[Found]) -> list[Found]:
    return list({each.id: each for each in [*before, *now]}.values())


def _left(left: Remains, refused: list[str]) -> PdfbatchError:
    names = ", ".join(each.id for each in [*left.fleets, *left.instances])
    why = f" ({'; '.join(refused)})" if refused else ""
    return PdfbatchError(
        f"Not all could be ended{why}: {names} still there.",
        "Run the same command again; if it stays, end them in the EC2 console. At its expiry AWS ends a fleet anyway.",
    )


def record_of(output: Store, run: str, say: Callable[[str], None]) -> FleetRecord | None:
    """What the store tells of the fleet of a run ("": the current one); None if it was none or the store is gone."""
    try:
        output.check_readable()
        wanted = run or manifest.current(output)
        return manifest.load_fleet(output, wanted) if wanted else None
    except PdfbatchError as error:
        say(f"looking for tags alone: {error.message}")
        return None


def note_ended(
    found: Remains, output: Store | None, record: FleetRecord | None, now: datetime, say: Callable[[str], None]
) -> None:
    """Writes into the runs' own records that they are ended, before they are: a launch that is still under way reads
    it, and `status` and the next launch will. Without a store at hand it is looked for by the tags."""
    if output is not None and record is not None:
        _note(output, record.run, now, say)
    for run in found.runs():
        if record is None or run != record.run:
            place = next((each.place for group in found for each in group if each.run == run), "")
            digest = next((each.output for group in found for each in group if each.run == run), "")
            if place and output_digest(place) == digest:
                _note(open_store(place), run, now, say)


def _note(output: Store, run: str, now: datetime, say: Callable[[str], None]) -> None:
    try:
        record = manifest.load_fleet(output, run)
        if record is not None and record.ended is None:
            manifest.save_fleet(output, record.model_copy(update={"ended": timestamp(now)}))
    except PdfbatchError as error:
        say(f"not noted in {output.url}: {error.message}")

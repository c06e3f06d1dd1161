"""Terminates fleets: finds them by their tags, deletes them with their instances and templates, checks the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain, repeat
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from pdfbatch.errors import NotFound, PdfbatchError
from pdfbatch.fleet import ec2, queues
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.ec2 import Resource
from pdfbatch.fleet.names import output_digest
from pdfbatch.records import FleetRecord, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.store import Store, open_store

POLL_SECONDS = (0.5, 1.0, 2.0, 5.0)
"""Between looks, the last again and again: most instances are ending at the second or third."""
VERIFY_SECONDS = 300.0
"""How long to wait for fleets and instances to go: EC2's lists lag behind its commands."""
TEMPLATE_SECONDS = 60.0
"""The same for launch templates, which are deleted at once but may stay in a list for a while."""


class Resources(NamedTuple):
    """The EC2 resources and queues of some runs."""

    fleets: list[Resource]
    instances: list[Resource]
    templates: list[Resource]
    queues: list[Resource]

    @property
    def is_nothing(self) -> bool:
        return not any(self)

    def only(self, wanted: Callable[[Resource], bool]) -> Resources:
        return Resources(*([each for each in group if wanted(each)] for group in self))

    def runs(self) -> list[str]:
        return sorted({each.run for group in self for each in group})

    def billed(self) -> list[Resource]:
        return [each for each in self.instances if not each.is_ending]


class Known(NamedTuple):
    """What the store says about the run to terminate."""

    run: str
    """"": no such run."""
    record: FleetRecord | None
    """None: no such run, or it has no fleet."""


class Ended(BaseModel):
    """What `down` deleted."""

    model_config = ConfigDict(frozen=True)
    runs: list[str]
    fleets: int
    instances: int
    templates: int
    queues: int = 0


def list_resources(clients: Clients) -> Resources:
    """Lists everything in the region that carries pdfbatch's tags."""
    return Resources(ec2.fleets(clients), ec2.instances(clients), ec2.templates(clients), queues.queues(clients))


def end(
    clients: Clients,
    wanted: Callable[[Resource], bool],
    sleep: Callable[[float], None],
    known_fleets: Iterable[str] = (),
    settle_seconds: float = 0.0,
) -> Ended:
    """Deletes every wanted resource and waits until it is gone. Idempotent.

    `known_fleets` are deleted even if EC2 does not list them yet. Done when nothing new shows for `settle_seconds`.

    Raises:
        PdfbatchError: something remains; the message names it.
    """
    known, seen = set(known_fleets), Resources([], [], [], [])
    refused: list[str] = []
    waited = quiet = 0.0
    for pause in _pauses():
        found = list_resources(clients).only(wanted)
        seen = Resources(*(_together(before, now) for before, now in zip(seen, found, strict=True)))
        ids = known | {each.id for each in found.fleets}
        refused = ec2.delete_fleets(clients, sorted(ids))
        known = {fleet for fleet in ids if any(fleet in line for line in refused)}
        billed = found.billed()
        ec2.terminate(clients, [each.id for each in billed])
        is_quiet = not (found.fleets or billed or known)
        if (is_quiet and quiet >= settle_seconds) or waited >= VERIFY_SECONDS:
            break
        quiet = quiet + pause if is_quiet else 0.0
        sleep(pause)
        waited += pause
    if not is_quiet:
        raise _left([*found.fleets, *billed], refused)
    gone = _delete_templates(clients, wanted, seen.templates, sleep)
    queues.delete(clients, seen.queues)
    return Ended(
        runs=seen._replace(templates=gone).runs(),
        fleets=len(seen.fleets),
        instances=len(seen.instances),
        templates=len(gone),
        queues=len(seen.queues),
    )


def _delete_templates(
    clients: Clients, wanted: Callable[[Resource], bool], seen: list[Resource], sleep: Callable[[float], None]
) -> list[Resource]:
    """Deletes launch templates until EC2 lists none; returns every one that was seen."""
    gone, left, waited, pauses = seen, seen, 0.0, _pauses()
    while left:
        ec2.delete_templates(clients, [each.id for each in left])
        left = [each for each in ec2.templates(clients) if wanted(each)]
        gone = _together(gone, left)
        if left and waited >= TEMPLATE_SECONDS:
            raise _left(left, [])
        if left:
            sleep(pause := next(pauses))
            waited += pause
    return gone


def _pauses() -> Iterator[float]:
    return chain(POLL_SECONDS, repeat(POLL_SECONDS[-1]))


def _together(before: list[Resource], now: list[Resource]) -> list[Resource]:
    return list({each.id: each for each in [*before, *now]}.values())


def _left(left: list[Resource], refused: list[str]) -> PdfbatchError:
    names = ", ".join(each.id for each in left)
    why = f" ({'; '.join(refused)})" if refused else ""
    return PdfbatchError(
        f"Some resources remain{why}: {names}.",
        "Run the same command again. If they remain, delete them in the EC2 console. AWS deletes every fleet at its "
        "expiry.",
    )


def known_of(output: Store, run: str, say: Callable[[str], None]) -> Known:
    """Looks a run ("": the current one) up in the store; an unreadable store counts as one without the run."""
    try:
        output.check_readable()
        wanted = run or manifest.current(output) or ""
        record = manifest.load_fleet(output, wanted) if wanted else None
        exists = record is not None or (wanted != "" and output.head(RunKeys(wanted).manifest) is not None)
        return Known(wanted if exists else "", record)
    except PdfbatchError as error:
        say(f"OUTPUT cannot be read, so only AWS is searched for instances: {error.message}")
        return Known("", None)


def no_such_run(clients: Clients, where: str, there: Resources, now: datetime) -> NotFound:
    """Makes the error for a run that does not exist, "at OUTPUT" or by ID; it names what still runs in the region."""
    running = still_running(there, now)
    if not running:
        return NotFound(
            f"No run {where}. pdfbatch runs nothing in {clients.region}.",
            "Check the spelling, AWS_PROFILE and AWS_DEFAULT_REGION; `pdfbatch ls` lists a region's runs.",
        )
    listed = ", ".join(f"{place} ({count:,} instance{'' if count == 1 else 's'})" for place, count in running.items())
    return NotFound(f"No run {where}. STILL RUNNING: {listed}.", f"pdfbatch down {next(iter(running))}")


def still_running(there: Resources, now: datetime) -> dict[str, int]:
    """Counts billed instances by OUTPUT, most first; 0 where a fleet still waits for its instance."""
    alive = [each for each in there.fleets if not ec2.is_over(each, there.instances, now)]
    found = {each.place or f"--run {each.run}": 0 for each in [*alive, *there.billed()]}
    for each in there.billed():
        found[each.place or f"--run {each.run}"] += 1
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def note_ended(
    found: Resources, output: Store | None, record: FleetRecord | None, now: datetime, say: Callable[[str], None]
) -> None:
    """Marks the runs as ended in their records, before anything is terminated: a launch in progress checks the mark,
    and so do `status` and the next launch. Without `output`, the store is found by the tags."""
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
            manifest.save_fleet(output, record.model_copy(update={"ended": now}))
    except PdfbatchError as error:
        say(f"could not note in {output.url} that the run has ended: {error.message}")

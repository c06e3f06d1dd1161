"""Ends runs: finds by their tags what they have in AWS, stops and deletes it, and checks the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import starmap
from typing import NamedTuple

from pdfbatch.errors import NotFound, PdfbatchError
from pdfbatch.fleet import ec2
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import output_digest
from pdfbatch.fleet.resources import Ended, Resource, Resources, pauses, remaining_error
from pdfbatch.fleet.ways import Way, all_ways
from pdfbatch.records import FleetRecord, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.store import Store, open_store

VERIFY_SECONDS = 300.0
"""How long to wait for fleets, instances and jobs to go: AWS's lists lag behind its commands."""


class Known(NamedTuple):
    """What the store says about the run to terminate."""

    run: str
    """"": no such run."""
    record: FleetRecord | None
    """None: no such run, or it has no fleet."""


def list_resources(clients: Clients) -> Resources:
    """Lists everything in the region that carries pdfbatch's tags."""
    return _listed(clients, all_ways())


def _listed(clients: Clients, ways: Sequence[Way]) -> Resources:
    found = Resources()
    for way in ways:
        found = found.joined(way.found(clients))
    return found


def end(
    clients: Clients,
    wanted: Callable[[Resource], bool],
    sleep: Callable[[float], None],
    known: Iterable[str] = (),
    settle_seconds: float = 0.0,
    ways: Sequence[Way] = (),
) -> Ended:
    """Deletes every wanted resource and waits until it is gone. Idempotent.

    `ways`: look only for what these have made; empty: all. `known` ids of fleets or jobs are deleted even if AWS does
    not list them yet. Done when nothing new shows for `settle_seconds`.

    Raises:
        PdfbatchError: something remains; the message names it.
    """
    ways = ways or all_ways()
    left, seen, refused = set(known), Resources(), list[str]()
    waited = quiet = 0.0
    for pause in pauses():
        found = _listed(clients, ways).only(wanted)
        seen = seen.joined(found)
        stopped = [way.stop(clients, found, left) for way in ways]
        refused = [line for each in stopped for line in each.refused]
        left = {one for each in stopped for one in each.left}
        is_quiet = not (found.at_work() or left)
        if (is_quiet and quiet >= settle_seconds) or waited >= VERIFY_SECONDS:
            break
        quiet = quiet + pause if is_quiet else 0.0
        sleep(pause)
        waited += pause
    if not is_quiet:
        raise remaining_error(found.at_work(), refused)
    for way in ways:
        seen = way.clean(clients, wanted, seen, sleep)
    return Ended(runs=seen.runs(), **{kind: len(group) for kind, group in seen._asdict().items()})


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
    listed = ", ".join(f"{place} ({what})" for place, what in running.items())
    return NotFound(f"No run {where}. STILL RUNNING: {listed}.", f"pdfbatch down {next(iter(running))}")


def still_running(there: Resources, now: datetime) -> dict[str, str]:
    """Counts billed instances and jobs by OUTPUT, most first; 0 instances where a fleet still waits for one."""
    alive = [each for each in there.fleets if not ec2.is_over(each, there.instances, now)]
    counts: dict[str, Counter[str]] = {}
    for kind, group in (("instance", [*alive, *there.billed()]), ("job", there.jobs)):
        for each in group:
            of_place = counts.setdefault(each.place or f"--run {each.run}", Counter({kind: 0}))
            of_place[kind] += 0 if each in alive else 1
    most_first = sorted(counts.items(), key=lambda item: -item[1].total())
    return {place: ", ".join(starmap(_counted, of_place.items())) for place, of_place in most_first}


def _counted(kind: str, count: int) -> str:
    return f"{count:,} {kind}{'' if count == 1 else 's'}"


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

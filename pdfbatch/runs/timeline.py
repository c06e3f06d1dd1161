"""A run over time: what each worker's instances did when, and the dollars that they had cost by then. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from pdfbatch.records import FleetRecord, Manifest
from pdfbatch.runs import machines
from pdfbatch.runs.machines import History, MachineInterval
from pdfbatch.runs.progress import Records, histories

SpanKind = Literal["boot", "work", "drain", "idle"]
_DOLLAR_POINTS = 60
_SHORTEST = timedelta(seconds=1)


class Span(NamedTuple):
    """What an instance did for some time: it booted, worked, drained after an interruption notice, or was idle until
    its end. On your own machine there is only work."""

    kind: SpanKind
    begin: datetime
    end: datetime
    where: str


class Lane(NamedTuple):
    """One worker: its spans in order, and the times of its Spot interruption notices."""

    worker: int
    spans: Sequence[Span]
    notices: Sequence[datetime]


class Timeline(NamedTuple):
    """`until`: the end of the run, or now. `dollars`: the cost by then, at even distances; empty on your own machine.
    `cap`: the run's maximum cost, if it has one."""

    began: datetime
    until: datetime
    lanes: Sequence[Lane]
    dollars: Sequence[float]
    cap: float | None


def timeline(frozen: Manifest, records: Records, now: datetime) -> Timeline:
    """Returns a run's course so far."""
    fleet, past = records.fleet, histories(frozen, records)
    stays = [machines.intervals(history, fleet, now) if fleet else [] for history in past]
    lanes = [
        _fleet_lane(worker, stays[worker]) if fleet else _local_lane(worker, history, now)
        for worker, history in enumerate(past)
    ]
    began = min([fleet.launched if fleet else frozen.created, *(lane.spans[0].begin for lane in lanes if lane.spans)])
    ends = [lane.spans[-1].end for lane in lanes if lane.spans]
    until = max([began + _SHORTEST, *ends]) if ends else max(now, began + _SHORTEST)
    costs = list(_dollars([stay for had in stays for stay in had], fleet, began, until)) if fleet else []
    return Timeline(began, until, lanes, costs, fleet.max_cost if fleet else None)


def _local_lane(worker: int, history: History, now: datetime) -> Lane:
    beat = history.beat
    if beat is None:
        return Lane(worker, (), ())
    end = history.mark.at if history.mark is not None and history.ended else min(beat.at, now)
    return Lane(worker, [Span("work", beat.started, max(end, beat.started), beat.host)], ())


def _fleet_lane(worker: int, stays: Sequence[MachineInterval]) -> Lane:
    spans = [span for stay in stays for span in _spans(stay) if span.end > span.begin]
    return Lane(worker, spans, [stay.life.notice for stay in stays if stay.life and stay.life.notice])


def _spans(stay: MachineInterval) -> Iterator[Span]:
    life = stay.life
    where = f"{stay.machine.instance} {stay.machine.type} {stay.machine.zone}".strip()
    if life is None:
        yield Span("boot", stay.billed, stay.until, where)
        return
    worked = min(life.notice or life.until, stay.until)
    yield Span("boot", stay.billed, min(life.started, stay.until), where)
    yield Span("work", life.started, worked, where)
    if life.notice:
        yield Span("drain", worked, stay.until, where)
    else:
        yield Span("idle", worked, stay.until, where)


def _dollars(stays: Sequence[MachineInterval], fleet: FleetRecord, began: datetime, until: datetime) -> Iterator[float]:
    for number in range(_DOLLAR_POINTS + 1):
        at = began + (until - began) * number / _DOLLAR_POINTS
        yield sum(
            fleet.price(stay.machine) * max(0.0, (min(stay.until, at) - stay.billed).total_seconds()) / 3600
            for stay in stays
        )

"""A run's progress from its manifest, heartbeats, done marks and, on a fleet, boots. The arithmetic is pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from pdfbatch.records import (
    Boot,
    Counts,
    DoneMark,
    DoubtfulPage,
    FleetRecord,
    Heartbeat,
    Machine,
    Manifest,
    ModelUse,
    Pool,
    Position,
    RunKeys,
    Stamp,
)
from pdfbatch.runs import machines
from pdfbatch.runs.arrivals import arrived_count
from pdfbatch.runs.liveness import age_seconds, has_ended, is_alive
from pdfbatch.runs.machines import History
from pdfbatch.runs.manifest import load_fleet
from pdfbatch.runs.pool import pool_of, workers_of
from pdfbatch.runs.pool_status import PoolStatus, read_pool_status
from pdfbatch.runs.record_reader import RecordReader
from pdfbatch.runs.savings import total
from pdfbatch.runs.scores import added, worst
from pdfbatch.runs.sinks import SinkStatus, sink_statuses
from pdfbatch.store import Store

_LIVING = frozenset({"booting", "starting", "running", "draining"})

RunState = Literal["waiting", "running", "interrupted", "stale", "failed", "expired", "over_budget", "ended", "done"]
OVER = frozenset[RunState]({"done", "failed", "expired", "over_budget", "ended"})
"""On a fleet, the states of a run that has ended."""


class DocumentCounts(BaseModel):
    model_config = ConfigDict(frozen=True)
    total: int = 0
    done: int = 0
    ok: int = 0
    partial: int = 0
    failed: int = 0
    skipped: int = 0


class PageCounts(BaseModel):
    model_config = ConfigDict(frozen=True)
    read: int = 0
    failed: int = 0
    resumed: int = 0
    here: int | None = None
    """Pages that the last process of each slice tried, in the run's `seconds`; `read` counts those of all processes."""
    read_by: dict[str, int] = {}
    model_use: ModelUse = ModelUse()
    scores: dict[str, int] = {}
    """Number of pages of finished documents by score, rounded down to a tenth."""
    doubtful: list[DoubtfulPage] = []
    """The worst of them."""
    asked: str = ""
    shorter: int = 0
    """Documents that lack some of the pages in `asked`."""


class WorkerStatus(BaseModel):
    """One worker according to its records; `stale`: it should be running but its heartbeat is overdue.

    On a fleet, `state` is as in `machines.standing`, and `final` means that no instance will resume the slice.
    """

    model_config = ConfigDict(frozen=True)
    id: int
    state: str
    done: int
    total: int
    failed: int = 0
    partial: int = 0
    pages: int = 0
    pages_per_second: float = 0.0
    """Over the last minute; for a worker that has ended, over the run time of its last process."""
    eta_seconds: float | None = None
    heartbeat_age_seconds: float | None = None
    stale: bool = False
    host: str = ""
    reading: list[str] = []
    final: bool = False
    instance: str = ""
    """The newest instance of its slice, like `type` and `zone`; all "" on your own machine."""
    type: str = ""
    zone: str = ""
    respawns: int = 0
    """Number of instances after the first one."""
    notice: Stamp | None = None
    """When AWS sent a Spot interruption notice for the newest instance."""
    dollars: float | None = None
    """The cost of its instances so far; see `machines.dollars`."""
    detail: str = ""
    """Why it gave up or stopped early, in one sentence."""
    holding: int = 0
    """As in `Heartbeat`, like `waited_seconds`; of a pool's worker."""
    waited_seconds: float | None = None


class RunStatus(BaseModel):
    """The document that `status --json` and `local-run --json` print; its field names are stable."""

    model_config = ConfigDict(frozen=True)
    run: str
    input: str
    output: str
    engine: str = ""
    model: str = ""
    state: RunState
    documents: DocumentCounts
    pages: PageCounts
    reasons: dict[str, int]
    workers: list[WorkerStatus]
    seconds: float
    """Wall time. On a fleet: from its launch to now, or to the last heartbeat if the run has ended; else that of the
    longest process."""
    dollars: float | None = None
    """The cost of the fleet so far; None, like the next four, for a run on your own machine."""
    worst_dollars: float | None = None
    """The cost of all instances at the highest price from launch to expiry."""
    launched: Stamp | None = None
    expires: Stamp | None = None
    """When AWS terminates the fleet at the latest."""
    events: list[SinkStatus] = []
    """The sinks of the run's events."""
    region: str | None = None
    """The fleet's region, whatever region is configured here."""
    pool: PoolStatus | None = None
    """Filled in by `status`, for a pool."""


S = TypeVar("S", bound=RunStatus)


class Records(NamedTuple):
    """A run's records other than its manifest, from O(workers) reads."""

    beats: Sequence[Heartbeat]
    marks: Sequence[DoneMark]
    fleet: FleetRecord | None = None
    boots: Sequence[Boot] = ()
    positions: Sequence[Position] = ()
    pool: Pool | None = None
    arrived: int = 0
    """Documents, and new versions of some, that have extended the manifest."""


def nothing_left(source: str, output: str, skipped: int, now: datetime) -> RunStatus:
    """Returns the status for a run that was not started because everything is done."""
    nothing = Manifest(
        run="",
        created=now,
        input=source,
        output=output,
        total_workers=1,
        engine="null",
        skipped=skipped,
        slices=[0],
    )
    return summarise(nothing, Records((), ()), now).model_copy(update={"state": "done", "workers": []})


def summarise(manifest: Manifest, records: Records, now: datetime) -> RunStatus:
    """Returns the status of a run. Workers without a heartbeat are `waiting`, or `done` if their slice is empty."""
    fleet = records.fleet
    past = histories(manifest, records)
    shares = [None] * len(past) if manifest.is_pool else manifest.slices
    workers = [
        _worker_status(share, worker, history, now)
        if fleet is None
        else _fleet_worker_status(share, worker, history, fleet, now)
        for worker, (share, history) in enumerate(zip(shares, past, strict=True))
    ]
    counts = [_counts(history) for history in past]
    reasons = added(count.reasons for count in counts)
    read_by = added(count.read_by for count in counts)
    scores = added(count.scores for count in counts)
    documents = manifest.documents + records.arrived
    is_complete = manifest.is_pool and sum(count.done for count in counts) >= documents
    state = _run_state(workers) if fleet is None else fleet_state(workers, is_complete)
    return RunStatus(
        run=manifest.run,
        input=manifest.input,
        output=manifest.output,
        engine=manifest.engine,
        model=manifest.model,
        state=state,
        documents=DocumentCounts(
            total=manifest.skipped + documents,
            done=manifest.skipped + min(documents, sum(count.done for count in counts)),
            ok=sum(count.ok for count in counts),
            partial=sum(count.partial for count in counts),
            failed=sum(count.failed for count in counts),
            skipped=manifest.skipped + sum(count.skipped for count in counts),
        ),
        pages=PageCounts(
            read=sum(count.pages_read for count in counts),
            failed=sum(count.pages_failed for count in counts),
            resumed=sum(count.pages_resumed for count in counts),
            here=sum(count.pages_here for count in counts),
            read_by=dict(read_by.most_common()),
            model_use=total(count.model_use for count in counts),
            scores=dict(sorted(scores.items())),
            doubtful=worst(page for count in counts for page in count.doubtful),
            asked=manifest.options.pages,
            shorter=sum(count.shorter for count in counts),
        ),
        reasons=dict(reasons.most_common()),
        workers=workers,
        seconds=round(_wall_seconds(past, fleet, state, now), 3),
        dollars=None if fleet is None else round(sum(worker.dollars or 0.0 for worker in workers), 4),
        worst_dollars=None if fleet is None else round(_worst_dollars(len(past), fleet), 4),
        launched=fleet.launched if fleet else None,
        expires=fleet.expiry if fleet else None,
        events=sink_statuses(manifest, records.positions, counts),
        region=fleet.region if fleet else None,
    )


def histories(manifest: Manifest, records: Records) -> list[History]:
    """Groups the records by worker, in the order of their ids."""
    workers = workers_of(manifest, records.pool)
    beat_of = {beat.worker: beat for beat in records.beats}
    mark_of = {mark.worker: mark for mark in records.marks}
    booted: dict[int, list[Machine]] = {}
    for boot in records.boots:
        booted.setdefault(boot.worker, []).append(boot.machine)
    return [History(booted.get(worker, ()), beat_of.get(worker), mark_of.get(worker)) for worker in range(workers)]


def last_sign(past: Iterable[History]) -> datetime | None:
    """Returns the time of the last heartbeat or done mark of any worker; None if there is none."""
    times = [record.at for history in past for record in (history.beat, history.mark) if record is not None]
    return max(times, default=None)


def end_of(past: Iterable[History], fleet: FleetRecord, now: datetime) -> datetime:
    """Returns when a fleet ended: at its last heartbeat or done mark, or without any, at `down` or its expiry."""
    return last_sign(past) or min(now, machines.over(fleet))


def _counts(history: History) -> Counts:
    """Returns a slice's counts. A starting replacement counts from 0 until it has read what is done: until then the
    counts of the worker before are used."""
    beat, mark = history.beat, history.mark
    if beat is None:
        return mark.counts if mark is not None else Counts()
    is_behind = mark is not None and beat.state == "starting" and mark.counts.done > beat.counts.done
    return mark.counts if mark is not None and is_behind else beat.counts


def _worker_status(share: int | None, worker: int, history: History, now: datetime) -> WorkerStatus:
    beat, mark = history.beat, history.mark
    if beat is None:
        return WorkerStatus(id=worker, state="done" if share == 0 else "waiting", done=0, total=share or 0)
    ended = has_ended(beat, mark)
    alive = is_alive(beat, mark, now)
    counts = _counts(history)
    return WorkerStatus(
        id=worker,
        state=("failed" if mark.why == "failing" else mark.why) if mark and ended else beat.state,
        done=counts.done,
        total=beat.counts.total,
        failed=counts.failed,
        partial=counts.partial,
        pages=counts.pages_read,
        pages_per_second=round(_pace(beat) if ended else beat.pages_per_second, 3),
        eta_seconds=beat.eta_seconds if alive and beat.state != "starting" else None,
        heartbeat_age_seconds=round(age_seconds(beat.at, now), 1),
        stale=not ended and not alive,
        host=beat.host,
        reading=beat.reading if alive else [],
        holding=beat.holding if alive else 0,
        waited_seconds=beat.waited_seconds,
        detail=mark.detail if mark and ended else "",
    )


def _fleet_worker_status(
    share: int | None, worker: int, history: History, fleet: FleetRecord, now: datetime
) -> WorkerStatus:
    """Returns a worker's status from its own records, completed with the state of its instances."""
    seen = _worker_status(share, worker, history, now)
    standing = machines.standing(history, fleet, now)
    had = machines.machines(history)
    newest = had[-1] if had else Machine(instance="", booted=fleet.launched)
    beat, mark = history.beat, history.mark
    is_at_work = standing.state in _LIVING and standing.state != "booting" and not standing.stale
    return seen.model_copy(
        update={
            "state": standing.state,
            "stale": standing.stale,
            "final": standing.final,
            "pages_per_second": seen.pages_per_second if is_at_work or standing.final else 0.0,
            "eta_seconds": seen.eta_seconds if is_at_work else None,
            "reading": seen.reading if is_at_work else [],
            "instance": newest.instance,
            "type": newest.type,
            "zone": newest.zone,
            "respawns": max(0, len(had) - 1),
            "notice": beat.notice if beat and beat.machine and beat.machine.instance == newest.instance else None,
            "dollars": round(machines.dollars(history, fleet, now), 4),
            "detail": mark.detail if mark and history.is_final else "",
        }
    )


def _pace(beat: Heartbeat) -> float:
    return beat.counts.pages_here / beat.seconds if beat.seconds > 0 else 0.0


def _run_state(workers: Iterable[WorkerStatus]) -> RunState:
    states = {("stale" if worker.stale else worker.state) for worker in workers}
    if states <= {"done", "retired"}:
        return "done"
    if states & {"starting", "running", "draining"}:
        return "running"
    for state in ("failed", "stale", "interrupted"):
        if state in states:
            return state
    return "waiting"


def fleet_state(workers: Iterable[WorkerStatus], is_complete: bool) -> RunState:
    """Returns a fleet's state. It replaces lost instances until every worker has ended; then the worst end counts, but
    not in a pool that is complete: others have done that worker's work."""
    left = [worker for worker in workers if not worker.final]
    ends: list[RunState] = [] if is_complete else ["failed", "over_budget", "expired", "ended"]
    if not left:
        return next((end for end in ends if any(worker.state == end for worker in workers)), "done")
    if any(worker.state in _LIVING and not worker.stale for worker in left):
        return "running"
    if any(worker.stale for worker in left):
        return "stale"
    return "interrupted" if any(worker.state == "interrupted" for worker in left) else "waiting"


def _wall_seconds(past: Sequence[History], fleet: FleetRecord | None, state: RunState, now: datetime) -> float:
    if fleet is None:
        return max((history.beat.seconds for history in past if history.beat), default=0.0)
    end = end_of(past, fleet, now) if state in OVER else now
    return max(0.0, (end - fleet.launched).total_seconds())


def _worst_dollars(workers: int, fleet: FleetRecord) -> float:
    return (fleet.at_once or workers) * (fleet.price_ceiling or fleet.worst_price) * fleet.most_hours


def eta_seconds(left: float, done: float, seconds: float) -> float | None:
    """Returns the seconds until `left` units of work (see `partition.work_of`) are done, at a pace of `done` units in
    `seconds`; None if there is no pace yet."""
    if left <= 0:
        return 0.0
    return left * seconds / done if done > 0 else None


def read_status(store: Store, manifest: Manifest, now: datetime) -> RunStatus:
    """Reads the status of a run, in O(workers) reads however many documents there are."""
    return summarise(manifest, read_records(store, manifest), now)


def status_reader(store: Store, manifest: Manifest, clock: Callable[[], datetime]) -> Callable[[], RunStatus]:
    """Returns a function that reads the status each time it is called, and then only the records that have changed."""
    reader = RecordReader(store, RunKeys(manifest.run))

    def read() -> RunStatus:
        return with_pool(store, manifest, summarise(manifest, read_records(store, manifest, reader), clock()))

    return read


def with_pool(store: Store, manifest: Manifest, status: S) -> S:
    """Adds how a pool stands, for which its queue is asked."""
    if not manifest.is_pool:
        return status
    return status.model_copy(update={"pool": read_pool_status(store, manifest, status.workers)})


def read_records(store: Store, manifest: Manifest, reader: RecordReader | None = None) -> Records:
    reader = reader or RecordReader(store, RunKeys(manifest.run))
    fleet = load_fleet(store, manifest.run)
    boots = reader.boots() if fleet else ()
    pool, arrived = pool_of(store, manifest), arrived_count(store, manifest)
    return Records(*reader.beats_and_marks(), fleet, boots, reader.positions(), pool, arrived)

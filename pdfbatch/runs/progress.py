"""How far a run is, told from its manifest, heartbeats and done marks. The arithmetic is pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pdfbatch.errors import NotFound
from pdfbatch.records import DoneMark, Heartbeat, Manifest, Record, RunKeys
from pdfbatch.runs.partition import Slice, slice_of
from pdfbatch.store import Store

STALE_SECONDS = 60.0
"""A heartbeat comes every 15 s; four missed ones mean that nobody is there."""

RunState = Literal["waiting", "running", "interrupted", "stale", "failed", "done"]


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
    read_by: dict[str, int] = {}


class WorkerStatus(BaseModel):
    """One worker as its last heartbeat and done mark tell it; `stale`: it should be alive and is silent."""

    model_config = ConfigDict(frozen=True)
    id: int
    state: str
    done: int
    total: int
    failed: int = 0
    partial: int = 0
    pages: int = 0
    pages_per_second: float = 0.0
    """Over the last minute; of a worker that ended, over the life of its last process."""
    eta_seconds: float | None = None
    heartbeat_age_seconds: float | None = None
    stale: bool = False
    host: str = ""
    reading: list[str] = []


class RunStatus(BaseModel):
    """The document that `status --json` and `local-run --json` print; its names are stable."""

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
    dollars: float | None = None
    """What the fleet cost; None for a run on machines of one's own."""


def timestamp(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age_seconds(stamp: str, now: datetime) -> float:
    """Seconds since a record's time; never negative, clocks differ."""
    return max(0.0, (now - datetime.fromisoformat(stamp)).total_seconds())


def is_alive(beat: Heartbeat, mark: DoneMark | None, now: datetime) -> bool:
    """Whether a worker seems to be at work: fresh heartbeat, and no done mark since it started."""
    return not has_ended(beat, mark) and age_seconds(beat.at, now) < STALE_SECONDS


def has_ended(beat: Heartbeat, mark: DoneMark | None) -> bool:
    """Whether the done mark is of this life of the worker, not of an earlier one."""
    return mark is not None and mark.at >= beat.started


def summarise(manifest: Manifest, beats: Sequence[Heartbeat], marks: Sequence[DoneMark], now: datetime) -> RunStatus:
    """The run as one value. Workers that never gave a sign are `waiting`."""
    beat_of = {beat.worker: beat for beat in beats}
    mark_of = {mark.worker: mark for mark in marks}
    workers = [
        _worker_status(manifest, worker, beat_of.get(worker), mark_of.get(worker), now)
        for worker in range(manifest.total_workers)
    ]
    counts = [beat.counts for beat in beats]
    reasons: Counter[str] = Counter()
    read_by: Counter[str] = Counter()
    for count in counts:
        reasons.update(count.reasons)
        read_by.update(count.read_by)
    skipped = manifest.skipped + sum(count.skipped for count in counts)
    return RunStatus(
        run=manifest.run,
        input=manifest.input,
        output=manifest.output,
        engine=manifest.engine,
        model=manifest.model,
        state=_run_state(workers),
        documents=DocumentCounts(
            total=manifest.skipped + len(manifest.documents),
            done=manifest.skipped + sum(count.done for count in counts),
            ok=sum(count.ok for count in counts),
            partial=sum(count.partial for count in counts),
            failed=sum(count.failed for count in counts),
            skipped=skipped,
        ),
        pages=PageCounts(
            read=sum(count.pages_read for count in counts),
            failed=sum(count.pages_failed for count in counts),
            resumed=sum(count.pages_resumed for count in counts),
            read_by=dict(read_by.most_common()),
        ),
        reasons=dict(reasons.most_common()),
        workers=workers,
        seconds=round(max((beat.seconds for beat in beats), default=0.0), 3),
    )


def _worker_status(
    manifest: Manifest, worker: int, beat: Heartbeat | None, mark: DoneMark | None, now: datetime
) -> WorkerStatus:
    if beat is None:
        total = len(slice_of(manifest.documents, Slice(worker, manifest.total_workers)))
        return WorkerStatus(id=worker, state="waiting", done=0, total=total)
    ended = has_ended(beat, mark)
    alive = is_alive(beat, mark, now)
    return WorkerStatus(
        id=worker,
        state=mark.why if mark and ended else beat.state,
        done=beat.counts.done,
        total=beat.counts.total,
        failed=beat.counts.failed,
        partial=beat.counts.partial,
        pages=beat.counts.pages_read,
        pages_per_second=round(_pace(beat) if ended else beat.pages_per_second, 3),
        eta_seconds=beat.eta_seconds if alive else None,
        heartbeat_age_seconds=round(age_seconds(beat.at, now), 1),
        stale=not ended and not alive,
        host=beat.host,
        reading=beat.reading if alive else [],
    )


def _pace(beat: Heartbeat) -> float:
    return beat.counts.pages_here / beat.seconds if beat.seconds > 0 else 0.0


def _run_state(workers: Iterable[WorkerStatus]) -> RunState:
    states = {("stale" if worker.stale else worker.state) for worker in workers}
    if states == {"done"}:
        return "done"
    if states & {"starting", "running", "draining"}:
        return "running"
    for state in ("failed", "stale", "interrupted"):
        if state in states:
            return state
    return "waiting"


def weight(size: int) -> float:
    """What a document of so many bytes counts for in an ETA: long ones take longer, and none takes no time."""
    return size + 65536.0


def eta_seconds(left: float, done: float, seconds: float) -> float | None:
    """Seconds until `left` units of work (see `weight`) are done, at `done` units in `seconds`; None: no pace yet."""
    if left <= 0:
        return 0.0
    return left * seconds / done if done > 0 else None


def read_status(store: Store, manifest: Manifest, now: datetime) -> RunStatus:
    keys = RunKeys(manifest.run)
    return summarise(manifest, heartbeats(store, keys), done_marks(store, keys), now)


def heartbeats(store: Store, keys: RunKeys) -> list[Heartbeat]:
    return _read_all(store, keys.workers, Heartbeat)


def done_marks(store: Store, keys: RunKeys) -> list[DoneMark]:
    return _read_all(store, keys.done, DoneMark)


R = TypeVar("R", bound=Record)


def _read_all(store: Store, prefix: str, shape: type[R]) -> list[R]:
    records = []
    for entry in list(store.list(prefix)):
        try:
            records.append(shape.model_validate_json(store.get(entry.key)))
        except (NotFound, ValidationError):
            continue  # removed or replaced by a newer version's shape between LIST and GET: the next poll sees it
    return records

"""The screen of `status`: progress, a line per worker, totals."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from pdfbatch.records import Reason
from pdfbatch.runs.progress import OVER, RunStatus, WorkerStatus
from pdfbatch.views.bar import ProgressLine, as_ascii, bar
from pdfbatch.views.events import events_command
from pdfbatch.views.failures import failures_command
from pdfbatch.views.words import (
    SHOWN_KEYS,
    STATE_STYLE,
    clock,
    done_at,
    dotted,
    duration,
    endpoint_use,
    money,
    outcomes,
    plural,
    reasons,
    sink,
    skipped,
    state_text,
    to_copy,
)
from pdfbatch.visible import visible

if TYPE_CHECKING:
    from pdfbatch.runs.pool_status import PoolStatus

_SHOWN_NOTES = 3
"""Most notes about single workers, where rows are limited."""
_URGENCY = (
    "failed",
    "over_budget",
    "expired",
    "ended",
    "interrupted",
    "waiting",
    "booting",
    "draining",
    "starting",
    "running",
)


def status_screen(status: RunStatus, now: datetime, rows: int | None = None) -> RenderableType:
    """Shows a run. On a fleet at most `rows` workers, the most urgent ones; None: all."""
    if status.launched is None:
        return _local_screen(status, now)
    if _is_booting(status):
        return _booting_screen(status, now)
    shown = _most_urgent(status.workers, rows)
    lines: list[RenderableType] = [*_head(status, now), FleetTable(shown)]
    if hidden := len(status.workers) - len(shown):
        lines.append(Text(f"… {plural(hidden, 'more worker')}", style="dim"))
    totals = (_states(status.workers), _instances(status.workers), *(_pool(status.pool) if status.pool else ()))
    lines += [Text(line) for line in totals if line]
    lines += _notes(status.workers)[: SHOWN_KEYS if rows is None else _SHOWN_NOTES]
    return Group(*lines, _next(status))


def _head(status: RunStatus, now: datetime) -> list[RenderableType]:
    """Shows the run's progress, time, money and outcomes."""
    from pdfbatch.runs.whole import OutputStatus

    documents = status.documents
    left = [worker for worker in status.workers if not worker.final]
    pace = sum(worker.pages_per_second for worker in left)
    figures = f"{pace:.1f} pages/s" if left and status.state not in OVER else ""
    lines: list[RenderableType] = [
        ProgressLine(state_text(status.state), documents.done, documents.total, "document", figures),
        Text(dotted(f"{duration(status.seconds)} elapsed", _eta(status, left, now), _dollars(status))),
        Text(
            f"{documents.ok:,} ok, {documents.partial:,} partial, {documents.failed:,} failed, "
            f"{skipped(documents.skipped)} · {plural(status.pages.read, 'page')}"
        ),
    ]
    if status.pages.model_use.endpoint.answers:
        lines.append(Text(f"endpoint: {endpoint_use(status.pages.model_use.endpoint)}"))
    if status.reasons:
        lines.append(Text("failed: " + reasons(status.reasons), style="yellow"))
    for each in status.events:
        lines.append(Text("events: ").append_text(sink(each)))
        if each.waiting and status.state != "running":
            lines.append(to_copy("deliver:", events_command(status.output, each.sink)))
    if isinstance(status, OutputStatus) and status.runs > 1:
        all_runs = outcomes(status.all_documents) if status.all_documents else "see `pdfbatch report`"
        lines.append(Text(f"in all {status.runs:,} runs: {all_runs}"))
    return lines


def _eta(status: RunStatus, left: Sequence[WorkerStatus], now: datetime) -> str:
    """Estimates the end of the slowest worker; one without a pace yet may be slower still."""
    known = [worker.eta_seconds for worker in left if worker.eta_seconds is not None]
    if status.state in OVER or not known:
        return ""
    return done_at(max(known), now) + ("" if len(known) == len(left) else " or later")


def _next(status: RunStatus) -> Text:
    """Returns the most likely next command."""
    output = shlex.quote(status.output)
    if status.state not in OVER:
        is_fleet = status.launched is not None
        return to_copy("stop:", f"pdfbatch down {output}", "bold") if is_fleet else Text()
    if any(Reason(reason).retryable for reason in status.reasons if reason in set(Reason)):
        here = " --local" if status.launched is None else ""
        return to_copy("next:", f"pdfbatch retry-failures {output}{here}", "bold")
    if status.reasons:
        return to_copy("next:", failures_command(status.output), "bold")
    return to_copy("next:", f"pdfbatch report {output}", "bold")


# ── a run on your own computer ───────────────────────────────────────────────────────────────────────────────────


def _local_screen(status: RunStatus, now: datetime) -> RenderableType:
    table = Table(show_edge=False, pad_edge=False, box=None, padding=(0, 2, 0, 0))
    for name in ("worker", "state", "progress"):
        table.add_column(name, no_wrap=True)
    for name in ("failed", "pages", "pages/s", "ETA", "last report"):
        table.add_column(name, justify="right", no_wrap=True)
    for worker in status.workers:
        table.add_row(*_local_row(worker))
    lines: list[RenderableType] = [*_head(status, now), table]
    for worker in status.workers:
        lines += [
            Text(f"worker {worker.id} reads {visible(what)}", style="dim", no_wrap=True, overflow="ellipsis")
            for what in worker.reading
        ]
    return Group(*lines, *([_next(status)] if status.state in OVER else []))


def _local_row(worker: WorkerStatus) -> list[RenderableType]:
    state = "stale" if worker.stale else worker.state
    return [
        str(worker.id),
        Text(state, style=STATE_STYLE.get(state, "")),
        Text(f"{worker.done:,}/{worker.total:,}"),
        f"{worker.failed + worker.partial:,}",
        f"{worker.pages:,}",
        f"{worker.pages_per_second:.1f}",
        duration(worker.eta_seconds),
        Text(_ago(worker), style="red" if worker.stale else ""),
    ]


def _ago(worker: WorkerStatus) -> str:
    age = worker.heartbeat_age_seconds
    return "–" if age is None else f"{duration(age)} ago"


# ── a fleet: as much of each worker as the width allows ───────────────────────────────────────────────────────────


class _Column(NamedTuple):
    header: str
    cell: Callable[[WorkerStatus], str]
    right: bool = False


def _progress(bar: int) -> _Column:
    return _Column("progress", lambda worker: _bar(worker, bar) + f"{worker.done:,}/{worker.total:,}")


def _bar(worker: WorkerStatus, width: int) -> str:
    return bar(worker.done, worker.total, width) + " " if width else ""


_WIDEST = {
    "id": _Column("worker", lambda worker: str(worker.id)),
    "state": _Column("state", lambda worker: _state(worker)),
    "progress": _progress(12),
    "failed": _Column("failed", lambda worker: f"{worker.failed + worker.partial:,}", right=True),
    "pace": _Column("pages/s", lambda worker: f"{worker.pages_per_second:.1f}", right=True),
    "eta": _Column("ETA", lambda worker: duration(worker.eta_seconds), right=True),
    "respawns": _Column("restarts", lambda worker: f"{worker.respawns}", right=True),
    "instance": _Column("instance", lambda worker: worker.instance or "–"),
    "zone": _Column("zone", lambda worker: worker.zone or "–"),
    "type": _Column("type", lambda worker: worker.type or "–"),
    "dollars": _Column("dollars", lambda worker: f"${worker.dollars or 0.0:,.2f}", right=True),
    "seen": _Column("last report", lambda worker: _seen(worker), right=True),
}
_NARROWER: list[tuple[str, _Column | None]] = [
    ("progress", _progress(8)),
    ("id", _Column("#", _WIDEST["id"].cell)),
    ("seen", _Column("seen", lambda worker: _seen(worker).removesuffix(" ago"), right=True)),
    ("respawns", _Column("rest.", _WIDEST["respawns"].cell, right=True)),
    ("dollars", _Column("cost", _WIDEST["dollars"].cell, right=True)),
    ("gap", None),
    ("type", None),
    ("zone", _Column("zone", lambda worker: worker.zone.rpartition("-")[2] or "–")),
    ("instance", _Column("inst.", lambda worker: f"…{worker.instance[-5:]}" if worker.instance else "–")),
    ("progress", _progress(5)),
    ("zone", None),
    ("instance", None),
    ("progress", _progress(0)),
    ("respawns", None),
    ("failed", None),
]
"""What is narrowed to fit the width, in this order; None drops the column, or one blank between columns."""


class FleetTable:
    """Draws the columns that the console has room for, in the widest form that fits; a row is one line."""

    def __init__(self, workers: Sequence[WorkerStatus]) -> None:
        self._workers = workers

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns, gap = self._fitting(options.max_width)
        widths = self._widths(columns)
        yield _line(columns, widths, gap, {name: (column.header, "bold") for name, column in columns.items()})
        for worker in self._workers:
            cells = {name: column.cell(worker) for name, column in columns.items()}
            if options.ascii_only:
                cells["progress"] = as_ascii(cells["progress"])
            yield _line(columns, widths, gap, {name: (cell, _style(name, worker)) for name, cell in cells.items()})

    def _fitting(self, width: int) -> tuple[dict[str, _Column], int]:
        columns, gap = dict(_WIDEST), 2
        for name, narrower in _NARROWER:
            if sum(self._widths(columns)) + gap * (len(columns) - 1) <= width:
                break
            if name == "gap":
                gap = 1
            elif narrower is None:
                columns.pop(name, None)
            else:
                columns[name] = narrower
        return columns, gap

    def _widths(self, columns: dict[str, _Column]) -> list[int]:
        return [
            max(len(column.header), *(len(column.cell(worker)) for worker in self._workers))
            if self._workers
            else len(column.header)
            for column in columns.values()
        ]


def _line(columns: dict[str, _Column], widths: Sequence[int], gap: int, cells: dict[str, tuple[str, str]]) -> Text:
    """Draws one row by hand: Rich's table takes seconds for a thousand workers."""
    line = Text(no_wrap=True, overflow="ellipsis")
    for (name, column), width in zip(columns.items(), widths, strict=True):
        cell, style = cells[name]
        line.append(" " * gap if line else "")
        blank = " " * (width - len(cell))
        line.append(blank if column.right else "").append(cell, style).append("" if column.right else blank)
    return line


def _state(worker: WorkerStatus) -> str:
    """Returns the state shown: a worker without an instance is waiting; one that should report is stale."""
    return "stale" if worker.stale and worker.state != "waiting" else worker.state


def _seen(worker: WorkerStatus) -> str:
    """Returns the age of the last report; none while booting, because that report is its predecessor's."""
    return "–" if worker.state == "booting" else _ago(worker)


def _style(column: str, worker: WorkerStatus) -> str:
    if column == "state":
        return STATE_STYLE["stale"] if worker.stale else STATE_STYLE.get(worker.state, "")
    if column == "seen":
        return "red" if worker.stale else ""
    if column in ("instance", "zone", "type"):
        return "dim" if worker.final or worker.state == "waiting" else ""
    return ""


def _most_urgent(workers: Sequence[WorkerStatus], rows: int | None) -> Sequence[WorkerStatus]:
    """Returns the most urgent workers, in the order of their numbers."""
    if rows is None or len(workers) <= rows:
        return workers

    def rank(worker: WorkerStatus) -> tuple[bool, int]:
        return not worker.stale, _URGENCY.index(worker.state) if worker.state in _URGENCY else len(_URGENCY)

    return sorted(sorted(workers, key=rank)[:rows], key=lambda worker: worker.id)


# ── totals and notes ──────────────────────────────────────────────────────────────────────────────────────────


def _is_booting(status: RunStatus) -> bool:
    """Returns whether no worker has reported yet."""
    return status.state not in OVER and all(worker.heartbeat_age_seconds is None for worker in status.workers)


def _booting_screen(status: RunStatus, now: datetime) -> RenderableType:
    """Shows that silence is normal at first, and how to list the instances or stop them."""
    from pdfbatch.fleet.pricing import BOOT_HOURS

    region = f"AWS_DEFAULT_REGION={status.region} " if status.region else ""
    first = f"first report normally {60 * BOOT_HOURS:.0f} minutes after launch"
    return Group(
        Text.assemble(("BOOTING", "cyan"), f"  launched {duration(status.seconds)} ago · {first}"),
        Text(dotted(f"0 of {plural(len(status.workers), 'worker')} reported", _dollars(status), _end(status, now))),
        Text("You can close this terminal; the run goes on in AWS."),
        *_notes(status.workers)[:_SHOWN_NOTES],
        to_copy("check:", f"{region}pdfbatch ls", "bold"),
        to_copy("stop:", f"pdfbatch down {shlex.quote(status.output)}", "bold"),
    )


def _end(status: RunStatus, now: datetime) -> str:
    return f"AWS ends it at {clock(status.expires, now)}" if status.expires else ""


def _states(workers: Sequence[WorkerStatus]) -> str:
    states = Counter(map(_state, workers))
    counts = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
    return f"{plural(len(workers), 'worker')}: {counts}"


def _instances(workers: Sequence[WorkerStatus]) -> str:
    """Returns which instances run in which zones."""
    there = [worker for worker in workers if worker.instance and not worker.final and worker.state != "waiting"]
    if not there:
        return ""
    types = ", ".join(f"{count} × {kind}" for kind, count in Counter(one.type or "?" for one in there).most_common())
    zones = ", ".join(f"{count} in {zone}" for zone, count in sorted(Counter(one.zone or "?" for one in there).items()))
    return f"{types}: {zones}"


def _pool(pool: PoolStatus) -> Iterator[str]:
    """Yields the queue's figures, and the workers as the pool's registry has them."""
    waiting = "" if pool.waiting is None else f"{pool.waiting:,} waiting"
    received = "" if pool.received is None else f"{pool.received:,} received"
    waited = "" if pool.waited_seconds is None else f"the last had waited {duration(pool.waited_seconds)}"
    dead = f"{plural(pool.dead, 'dead letter')}" if pool.dead else ""
    yield dotted(
        f"queue: {pool.finished:,} of {plural(pool.blocks, 'block')} finished", waiting, received, waited, dead
    )
    if pool.watches_input:
        yield f"watching the input: {plural(pool.arrived, 'document')} arrived · {pool.arrived_finished:,} finished"
    yield "pool: " + ", ".join(f"{count:,} {place}" for place, count in pool.registry.items())


def _dollars(status: RunStatus) -> str:
    if status.launched is None:
        return ""
    if status.state in OVER:
        return f"{money(status.dollars)} total"
    cap = f"at most {money(status.worst_dollars)}"
    if not any(worker.instance for worker in status.workers):
        return f"cost not yet known, {cap}"
    return f"{money(status.dollars)} of {cap}"


_WHAT_HAPPENED = {
    "over_budget": "stopped: the run reached its cost cap.",
    "waiting": "waits for an instance:",
}


def _notes(workers: Sequence[WorkerStatus]) -> list[Text]:
    """Returns notes about single workers, one sentence each."""
    notes = []
    for worker in workers:
        if worker.detail:
            what = _WHAT_HAPPENED.get(worker.state, "gave up:")
            notes.append(Text(f"worker {worker.id} {what} {visible(worker.detail)}", style="red"))
        elif worker.notice and not worker.final and worker.state != "waiting":
            notes.append(Text(f"worker {worker.id}: Spot interruption; a replacement will resume", style="yellow"))
        elif worker.stale and worker.state == "booting":
            notes.append(Text(f"worker {worker.id} is taking long to boot: see `pdfbatch logs`", style="red"))
        elif worker.stale:
            silence = duration(worker.heartbeat_age_seconds)
            notes.append(
                Text(
                    f"worker {worker.id} has not reported for {silence}, and no interruption was announced", style="red"
                )
            )
    return notes

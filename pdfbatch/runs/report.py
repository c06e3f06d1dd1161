"""A run's result and cost: counts from the workers' last records, hours and dollars from their instances.

The waste is known only in part. Pages lost with an instance that was terminated without notice are read again: this is
in the hours, but not shown separately. Nor is the time in which a worker waits for its model, or for pages to read.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, computed_field

from pdfbatch.records import FleetRecord, Manifest, RunKeys, Stamp
from pdfbatch.runs import ledger, machines, manifest, slices
from pdfbatch.runs.ledger import Final
from pdfbatch.runs.liveness import STALE_SECONDS
from pdfbatch.runs.machines import History, MachineInterval
from pdfbatch.runs.progress import (
    OVER,
    DocumentCounts,
    PageCounts,
    Records,
    RunState,
    RunStatus,
    end_of,
    histories,
    last_sign,
    read_records,
    summarise,
)
from pdfbatch.runs.savings import Savings, savings
from pdfbatch.runs.sinks import SinkStatus
from pdfbatch.store import Store

SHOWN_KEYS = 20


class Spent(BaseModel):
    """Instance hours and their cost; `dollars` is None on your own machine."""

    model_config = ConfigDict(frozen=True)
    hours: float = 0.0
    dollars: float | None = None


class Waste(BaseModel):
    """Paid time in which no page was read."""

    model_config = ConfigDict(frozen=True)
    boot: Spent
    """From the start of an instance to its worker's first heartbeat; all of an instance without any heartbeat."""
    interruptions: Spent
    """From the Spot interruption notice, or the last heartbeat of a lost or failed instance, to the instance's end."""
    idle: Spent
    """From the end of the slice to the end of the instance."""

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def dollars(self) -> float:
        """The sum of all three."""
        return round(sum(each.dollars or 0.0 for each in (self.boot, self.interruptions, self.idle)), 4)


class Retried(BaseModel):
    """The results of retried documents."""

    model_config = ConfigDict(frozen=True)
    of: str
    """The run before this one."""
    fixed: int
    broken: int
    not_yet: int
    reasons: dict[str, int] = {}
    """Number of documents by reason, of those still broken."""
    fixed_keys: list[str] = []
    """The first few, like `broken_keys`."""
    broken_keys: list[str] = []


class Report(BaseModel):
    """The document that `report --json` prints; its field names are stable. Dollars are None without a fleet."""

    model_config = ConfigDict(frozen=True)
    run: str
    """The run; of several, the last one."""
    runs: int = 1
    """The number of runs that it covers: `documents`, `pages` and `reasons` are those of the newest outcome of each
    document over all of them, hours and dollars are sums."""
    input: str
    output: str
    engine: str
    model: str
    state: RunState
    documents: DocumentCounts
    pages: PageCounts
    reasons: dict[str, int]
    """Number of failed and partial documents by reason."""
    began: Stamp | None
    """When it was launched, or its manifest was frozen."""
    ended: Stamp | None
    """The last heartbeat or done mark of any worker, or without any, `down` or the expiry; None if it is running."""
    seconds: float
    """From `began` to `ended`, or to now."""
    workers: int
    machines: int
    """Number of instances, replacements included; 0 on your own machine."""
    interrupted: int
    """Number of instances that were interrupted, or failed, before their slice was done."""
    events: list[SinkStatus] = []
    """The sinks of the run's events; of several runs, of the last one."""
    machine_hours: float
    """On your own machine: the hours of the last process of each slice; earlier ones left no record."""
    pages_per_machine_hour: float | None
    dollars: float | None = None
    dollars_per_1000_pages: float | None = None
    """Per 1,000 pages read. Pages taken from an earlier run's checkpoints count, although that run paid for them."""
    worst_dollars: float | None = None
    saved_dollars: float | None = None
    """What the same hours would have cost more on demand; None if an on-demand price is unknown."""
    spared: Savings | None = None
    """The estimated savings from not reading everything with the model; None if no page was read whole."""
    waste: Waste | None = None
    """None on your own machine."""
    stopped: list[str] = []
    """Why workers stopped before their slices were done, one sentence each."""
    retried: Retried | None = None
    """None unless the run retries failures."""


def read_report(store: Store, run: str, now: datetime) -> Report:
    """Reads the report of a run, in O(workers) reads; for a run that retries failures, its ledger too.

    Raises:
        NotFound: there is no such run.
        PdfbatchError: its manifest or ledger is damaged.
    """
    return report_of(store, manifest.load(store, run), now)


def report_of(store: Store, frozen: Manifest, now: datetime) -> Report:
    """Reads the report of a run whose manifest is known."""
    retried = None
    if frozen.retry_of is not None:
        finals = ledger.finals(store, ledger.segments(store, RunKeys(frozen.run).ledger))
        retried = retried_of(frozen.retry_of, slices.keys_of(store, frozen), finals)
    return make_report(frozen, read_records(store, frozen), retried, now)


def make_report(frozen: Manifest, records: Records, retried: Retried | None, now: datetime) -> Report:
    """Computes the report. `retried`: the results of retried documents, None if the run retries none. Pure."""
    fleet = records.fleet
    status = summarise(frozen, records, now)
    past = histories(frozen, records)
    had = [_Slice(history, machines.intervals(history, fleet, now)) for history in past] if fleet else []
    hours = sum(stay.hours for one in had for stay in one.stays) if fleet else _process_hours(past)
    is_over = status.state in OVER or (fleet is None and status.state != "running")
    end = _end(past, fleet, now) if is_over else now
    began = _began(frozen, fleet)
    return Report(
        run=frozen.run,
        input=frozen.input,
        output=frozen.output,
        engine=frozen.engine,
        model=frozen.model,
        state=status.state,
        documents=status.documents,
        pages=status.pages,
        reasons=status.reasons,
        began=began,
        ended=end if is_over and end else None,
        seconds=round(max(0.0, (end - began).total_seconds()), 3) if began and end else 0.0,
        workers=len(past),
        machines=sum(len(one.stays) for one in had),
        interrupted=sum(one.is_cut(stay, now) for one in had for stay in one.stays),
        machine_hours=round(hours, 4),
        pages_per_machine_hour=_pace(status, hours),
        dollars=status.dollars,
        dollars_per_1000_pages=_per_1000_pages(status),
        worst_dollars=status.worst_dollars,
        saved_dollars=_saved([stay for one in had for stay in one.stays], fleet) if fleet else None,
        spared=_spared(status, hours),
        waste=_waste(had, fleet, now) if fleet else None,
        events=status.events,
        stopped=[f"worker {worker.id}: {worker.detail}" for worker in status.workers if worker.detail],
        retried=retried,
    )


class _Slice(NamedTuple):
    history: History
    stays: Sequence[MachineInterval]

    def is_last(self, stay: MachineInterval) -> bool:
        """Whether a worker finished the slice on this instance."""
        mark = self.history.mark
        if stay.life is None or mark is None or not self.history.is_final or mark.why == "gave_up":
            return False
        return stay.machine.instance == [one.machine.instance for one in self.stays if one.life is not None][-1]

    def is_cut(self, stay: MachineInterval, now: datetime) -> bool:
        """Whether the instance was cut off before its slice was done: it was replaced, or has no fresh heartbeat."""
        if self.is_last(stay) or stay.life is None:
            return False
        has_successor = stay is not self.stays[-1]
        return has_successor or bool(stay.life.notice) or (now - stay.life.until).total_seconds() > STALE_SECONDS


def _waste(had: Iterable[_Slice], fleet: FleetRecord, now: datetime) -> Waste:
    boot, cut, idle = _Sum(fleet), _Sum(fleet), _Sum(fleet)
    for one in had:
        for stay in one.stays:
            life = stay.life
            boot.add(stay, stay.billed, life.started if life else stay.until)
            if life is not None and one.is_last(stay):
                idle.add(stay, life.until, stay.until)
            elif life is not None and one.is_cut(stay, now):
                cut.add(stay, life.notice or life.until, stay.until)
    return Waste(boot=boot.spent(), interruptions=cut.spent(), idle=idle.spent())


class _Sum:
    """Adds up periods of instance time."""

    def __init__(self, fleet: FleetRecord) -> None:
        self._fleet = fleet
        self._hours = self._dollars = 0.0

    def add(self, stay: MachineInterval, begin: datetime, end: datetime) -> None:
        """Adds the part of the period that is within the instance's time."""
        seconds = (min(end, stay.until) - max(begin, stay.billed)).total_seconds()
        hours = max(0.0, seconds / 3600)
        self._hours += hours
        self._dollars += hours * self._fleet.price(stay.machine)

    def spent(self) -> Spent:
        return Spent(hours=round(self._hours, 4), dollars=round(self._dollars, 4))


def _saved(had: Sequence[MachineInterval], fleet: FleetRecord) -> float | None:
    """Returns the savings over on-demand; None also if there was no instance yet."""
    if not had or any(stay.machine.type not in fleet.on_demand_prices for stay in had):
        return None
    saved = ((fleet.on_demand_prices[stay.machine.type] - fleet.price(stay.machine)) * stay.hours for stay in had)
    return round(sum(saved), 4)


def _end(past: Iterable[History], fleet: FleetRecord | None, now: datetime) -> datetime | None:
    return end_of(past, fleet, now) if fleet else last_sign(past)


def _spared(status: RunStatus, hours: float) -> Savings | None:
    per_hour = status.dollars / hours if status.dollars is not None and hours else None
    return savings(status.pages.read_by, status.pages.model_use, per_hour)


def _pace(status: RunStatus, hours: float) -> float | None:
    """Returns pages per hour. On your own machine only the last process of each slice is known, and only it counts."""
    if not hours:
        return None
    here = status.pages.here if status.launched is None else None
    return round((status.pages.read if here is None else here) / hours, 1)


def retried_of(run: str, keys: Iterable[str], finals: Mapping[str, Final]) -> Retried:
    """Returns the results of the retried documents. `run`: the run before; `finals`: the outcomes in this run's own
    ledger."""
    counts, reasons = Counter[str](), Counter[str]()
    first: dict[str, list[str]] = {"fixed": [], "broken": []}
    for key in keys:
        final = finals.get(key)
        result = "not yet" if final is None else "fixed" if final.outcome == "ok" else "broken"
        counts[result] += 1
        if result in first and counts[result] <= SHOWN_KEYS:
            first[result].append(key)
        if final is not None and result == "broken" and final.reason is not None:
            reasons[str(final.reason)] += 1
    return Retried(
        of=run,
        fixed=counts["fixed"],
        broken=counts["broken"],
        not_yet=counts["not yet"],
        reasons=dict(reasons.most_common()),
        fixed_keys=first["fixed"],
        broken_keys=first["broken"],
    )


def _process_hours(past: Iterable[History]) -> float:
    return sum(history.beat.seconds for history in past if history.beat) / 3600


def _began(frozen: Manifest, fleet: FleetRecord | None) -> datetime:
    return fleet.launched if fleet else frozen.created


def _per_1000_pages(status: RunStatus) -> float | None:
    if status.dollars is None or not status.pages.read:
        return None
    return round(1000 * status.dollars / status.pages.read, 4)

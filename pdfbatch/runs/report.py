"""What a run brought and what it cost: counts from the workers' last words, hours and dollars from their machines.

Known only in part: pages that a machine was reading when it was taken without notice are read again, which is in the
hours but not told apart; neither is the time in which a living worker waits for its model, or for pages to read.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, computed_field

from pdfbatch.records import FleetRecord, Manifest, RunKeys
from pdfbatch.runs import ledger, machines, manifest
from pdfbatch.runs.ledger import Final
from pdfbatch.runs.liveness import STALE_SECONDS, moment
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
    timestamp,
)
from pdfbatch.runs.savings import Savings, savings
from pdfbatch.store import Store

SHOWN_KEYS = 20


class Spent(BaseModel):
    """Hours of machines and what they cost; `dollars` is None on machines of one's own."""

    model_config = ConfigDict(frozen=True)
    hours: float = 0.0
    dollars: float | None = None


class Waste(BaseModel):
    """What was paid and brought no page."""

    model_config = ConfigDict(frozen=True)
    boot: Spent
    """From the start of a machine to its worker's first sign; all of a machine on which no worker ever spoke."""
    interruptions: Spent
    """From AWS's notice, or from the last sign of one that fell silent or failed, to the end of the machine."""
    idle: Spent
    """From the end of the slice to the end of the machine."""

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def dollars(self) -> float:
        """All three together."""
        return round(sum(each.dollars or 0.0 for each in (self.boot, self.interruptions, self.idle)), 4)


class Retried(BaseModel):
    """What became of the documents that had failed before."""

    model_config = ConfigDict(frozen=True)
    of: str
    """The run that was the last one before."""
    fixed: int
    broken: int
    not_yet: int
    reasons: dict[str, int] = {}
    """Of those still broken."""
    fixed_keys: list[str] = []
    """The first few, as `broken_keys`."""
    broken_keys: list[str] = []


class Report(BaseModel):
    """The document that `report --json` prints; its names are stable. Money is in US dollars, None without a fleet."""

    model_config = ConfigDict(frozen=True)
    run: str
    input: str
    output: str
    engine: str
    model: str
    state: RunState
    documents: DocumentCounts
    pages: PageCounts
    reasons: dict[str, int]
    """Failed and partial documents by reason."""
    began: str | None
    """When it was launched, or its manifest frozen."""
    ended: str | None
    """The last sign of any worker, or where none gave any, `down` or the expiry; None while the run goes on."""
    seconds: float
    """From `began` to the last sign, or to now."""
    workers: int
    machines: int
    """That a fleet had, replacements included; 0 on machines of one's own."""
    interrupted: int
    """Machines that AWS took, or that failed, before their slice was over."""
    machine_hours: float
    """On machines of one's own: the hours of the last process of each slice; earlier ones left no record."""
    pages_per_machine_hour: float | None
    dollars: float | None = None
    dollars_per_1000_pages: float | None = None
    """Per 1,000 pages read. A document taken up from an earlier run brings the pages which that one paid for."""
    worst_dollars: float | None = None
    saved_dollars: float | None = None
    """What the same hours would have cost more on demand; None where an on-demand price is not known."""
    spared: Savings | None = None
    """What it saved that not all was read by the model, an estimate; None where no page was read whole."""
    waste: Waste | None = None
    """None on machines of one's own."""
    stopped: list[str] = []
    """Why workers ended before their slices were done, one sentence each."""
    retried: Retried | None = None
    """None unless the run retries failures."""


def read_report(store: Store, run: str, now: datetime) -> Report:
    """In O(workers) reads; of a run that retries failures, its own ledger too.

    Raises:
        NotFound: there is no such run.
        PdfbatchError: its manifest or ledger is damaged.
    """
    frozen = manifest.load(store, run)
    finals = None
    if frozen.retry_of is not None:
        finals = ledger.fold(ledger.outcomes(store, ledger.segments(store, RunKeys(run).ledger)))
    return make_report(frozen, read_records(store, run), finals, now)


def make_report(frozen: Manifest, records: Records, finals: dict[str, Final] | None, now: datetime) -> Report:
    """`finals`: what the run's own ledger says of each document, None if it was not read. Pure."""
    fleet = records.fleet
    status = summarise(frozen, records.beats, records.marks, now, fleet, records.boots)
    past = histories(frozen.total_workers, records)
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
        ended=timestamp(end) if is_over and end else None,
        seconds=round(max(0.0, (end - moment(began)).total_seconds()), 3) if began and end else 0.0,
        workers=frozen.total_workers,
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
        stopped=[f"worker {worker.id}: {worker.detail}" for worker in status.workers if worker.detail],
        retried=_retried(frozen, finals) if finals is not None else None,
    )


class _Slice(NamedTuple):
    history: History
    stays: Sequence[MachineInterval]

    def is_last(self, stay: MachineInterval) -> bool:
        """Whether a worker brought the slice to its end on this machine."""
        mark = self.history.mark
        if stay.life is None or mark is None or not self.history.is_final or mark.why == "gave_up":
            return False
        return stay.machine.instance == [one.machine.instance for one in self.stays if one.life is not None][-1]

    def is_cut(self, stay: MachineInterval, now: datetime) -> bool:
        """Whether the machine's work ended before its slice did: another came, or nobody speaks on it any more."""
        if self.is_last(stay) or stay.life is None:
            return False
        has_successor = stay is not self.stays[-1]
        return (
            has_successor or bool(stay.life.notice) or (now - moment(stay.life.until)).total_seconds() > STALE_SECONDS
        )


def _waste(had: Iterable[_Slice], fleet: FleetRecord, now: datetime) -> Waste:
    boot, cut, idle = _Sum(fleet), _Sum(fleet), _Sum(fleet)
    for one in had:
        for stay in one.stays:
            life = stay.life
            boot.add(stay, stay.billed, moment(life.started) if life else stay.until)
            if life is not None and one.is_last(stay):
                idle.add(stay, moment(life.until), stay.until)
            elif life is not None and one.is_cut(stay, now):
                cut.add(stay, moment(life.notice or life.until), stay.until)
    return Waste(boot=boot.spent(), interruptions=cut.spent(), idle=idle.spent())


class _Sum:
    """Adds up spans of machines' time."""

    def __init__(self, fleet: FleetRecord) -> None:
        self._fleet = fleet
        self._hours = self._dollars = 0.0

    def add(self, stay: MachineInterval, begin: datetime, end: datetime) -> None:
        """What of the span lies within the stay."""
        seconds = (min(end, stay.until) - max(begin, stay.billed)).total_seconds()
        hours = max(0.0, seconds / 3600)
        self._hours += hours
        self._dollars += hours * self._fleet.price(stay.machine)

    def spent(self) -> Spent:
        return Spent(hours=round(self._hours, 4), dollars=round(self._dollars, 4))


def _saved(had: Sequence[MachineInterval], fleet: FleetRecord) -> float | None:
    """None too where no machine has told of itself."""
    if not had or any(stay.machine.type not in fleet.on_demand_prices for stay in had):
        return None
    dearer = ((fleet.on_demand_prices[stay.machine.type] - fleet.price(stay.machine)) * stay.hours for stay in had)
    return round(sum(dearer), 4)


def _end(past: Iterable[History], fleet: FleetRecord | None, now: datetime) -> datetime | None:
    return end_of(past, fleet, now) if fleet else last_sign(past)


def _spared(status: RunStatus, hours: float) -> Savings | None:
    an_hour = status.dollars / hours if status.dollars is not None and hours else None
    return savings(status.pages.read_by, status.pages.model_use, an_hour)


def _pace(status: RunStatus, hours: float) -> float | None:
    """On machines of one's own only the last process of each slice is known, so its pages alone count."""
    if not hours:
        return None
    here = status.pages.here if status.launched is None else None
    return round((status.pages.read if here is None else here) / hours, 1)


def _retried(frozen: Manifest, finals: dict[str, Final]) -> Retried:
    told = {document.key: finals.get(document.key) for document in frozen.documents}
    fixed = [key for key, final in told.items() if final is not None and final.outcome == "ok"]
    broken = [(key, final) for key, final in told.items() if final is not None and final.outcome != "ok"]
    reasons = Counter(str(final.reason) for _, final in broken if final.reason is not None)
    return Retried(
        of=frozen.retry_of or "",
        fixed=len(fixed),
        broken=len(broken),
        not_yet=len(told) - len(fixed) - len(broken),
        reasons=dict(reasons.most_common()),
        fixed_keys=fixed[:SHOWN_KEYS],
        broken_keys=[key for key, _ in broken[:SHOWN_KEYS]],
    )


def _process_hours(past: Iterable[History]) -> float:
    return sum(history.beat.seconds for history in past if history.beat) / 3600


def _began(frozen: Manifest, fleet: FleetRecord | None) -> str | None:
    return fleet.launched if fleet else frozen.created or None


def _per_1000_pages(status: RunStatus) -> float | None:
    if status.dollars is None or not status.pages.read:
        return None
    return round(1000 * status.dollars / status.pages.read, 4)

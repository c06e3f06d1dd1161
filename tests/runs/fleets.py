"""A fleet's records, written as a story: the events of its instances, in minutes since the launch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pdfbatch.records import (
    Boot,
    Counts,
    DoneMark,
    Ending,
    FleetRecord,
    Heartbeat,
    Machine,
    RunKeys,
    WorkerSession,
    WorkerState,
)
from pdfbatch.runs.machines import History
from pdfbatch.store import Store

RUN = "20260101T120000.000Z-abcd"
LAUNCH = datetime(2026, 1, 1, 12, tzinfo=UTC)


def minute(number: float) -> datetime:
    return LAUNCH + timedelta(minutes=number)


def fleet(hours: float = 2, ended: float | None = None) -> FleetRecord:
    """Machines cost a dollar an hour in us-east-1a, two elsewhere."""
    return FleetRecord(
        run=RUN,
        region="us-east-1",
        launched=minute(0),
        deadline=minute(60 * hours - 10),
        end=minute(60 * hours - 5),
        expiry=minute(60 * hours),
        instance_types=["g4dn.xlarge"],
        prices={"g4dn.xlarge@us-east-1a": 1.0, "g4dn.xlarge@us-east-1b": 2.0},
        worst_price=3.0,
        image="",
        ami="",
        log_group="",
        ended=None if ended is None else minute(ended),
    )


class Story:
    """One worker's records; each method tells what happened next, and changes them as the machine itself would."""

    def __init__(self, worker: int = 0) -> None:
        self.worker = worker
        self.boots: list[Machine] = []
        self.beat: Heartbeat | None = None
        self.mark: DoneMark | None = None

    @property
    def history(self) -> History:
        return History(self.boots, self.beat, self.mark)

    def boot_records(self) -> list[Boot]:
        return [Boot(self.worker, machine) for machine in self.boots]

    def boots_at(self, at: float, instance: str = "", zone: str = "us-east-1a") -> Story:
        name = instance or f"i-{len(self.boots)}"
        booted = f"{minute(at):%Y%m%dT%H%M%SZ}"
        self.boots.append(Machine(instance=name, type="g4dn.xlarge", zone=zone, booted=booted))
        return self

    def beats(
        self,
        start: float,
        at: float,
        state: WorkerState = "running",
        notice: float | None = None,
        done: int = 0,
        machine: int = -1,
    ) -> Story:
        """On the newest machine (or another one), from its worker's start until `at`."""
        here = self.boots[machine]
        self.beat = Heartbeat(
            worker=self.worker,
            state=state,
            counts=Counts(total=100, ok=done, pages_read=10 * done, pages_here=10 * done),
            pages_per_second=2.0,
            eta_seconds=600.0,
            seconds=60 * (at - start),
            started=minute(start),
            at=minute(at),
            machine=here,
            notice=None if notice is None else minute(notice),
            past=self._past(here),
        )
        return self

    def _past(self, machine: Machine) -> list[WorkerSession]:
        last = self.beat
        if last is None or last.machine is None or last.machine == machine:
            return last.past if last else []
        pages = last.counts.pages_here
        return [
            *last.past,
            WorkerSession(machine=last.machine, started=last.started, until=last.at, pages=pages, notice=last.notice),
        ]

    def marks(self, at: float, why: Ending, detail: str = "") -> Story:
        counts = self.beat.counts if self.beat else Counts()
        self.mark = DoneMark(worker=self.worker, why=why, at=minute(at), counts=counts, detail=detail)
        return self

    def write(self, store: Store) -> None:
        """As the machines write them."""
        keys = RunKeys(RUN)
        for machine in self.boots:
            name = f"{machine.booted:%Y%m%dT%H%M%SZ}_{machine.instance}_{machine.type}_{machine.zone}"
            store.put(f"{keys.boots}worker-{self.worker}/{name}", b"")
        if self.beat is not None:
            store.put(keys.heartbeat(self.worker), self.beat.model_dump_json().encode())
        if self.mark is not None:
            store.put(keys.done_mark(self.worker), self.mark.model_dump_json().encode())

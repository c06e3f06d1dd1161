"""One slice of a fleet according to its records: its instances, their cost, and its current state. Pure.

Only AWS knows what AWS bills; this is an estimate. An instance counts from a minute before the first line of its boot
script until its end. The end is a minute after a done mark that ends the slice, two minutes after a Spot interruption
notice, or ten minutes after a failure that its boot script is still retrying. An instance that went silent, or never
sent a heartbeat, may hang and still be billed: it counts until the next instance of its slice boots, or until now.
Nothing counts after the fleet's expiry, after `down`, or later than a minute after the slice's final done mark, because
the end of a slice deletes its fleet with all instances. So the estimate tends to be too high, by minutes for each
instance. It is higher still if AWS reclaimed an instance without notice and had no replacement for long, or reclaimed
one within its first hour, which is free.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pdfbatch.records import FINAL_ENDINGS, DoneMark, FleetRecord, Heartbeat, Machine, WorkerSession
from pdfbatch.runs.liveness import STALE_SECONDS, age_seconds, has_ended, is_alive
from pdfbatch.runs.sessions import sessions_of

BOOT_SECONDS = 60.0
"""AWS bills from `running`; kernel and cloud-init take about a minute before the boot script writes its first key."""
END_SECONDS = 60.0
"""An instance whose slice has ended copies its log and deletes its fleet; both are quick."""
NOTICE_SECONDS = 120.0
"""From a Spot interruption notice to termination (EC2 user guide, Spot Instance interruption notices)."""
FAILURE_SECONDS = 600.0
"""How long the boot script retries a failed worker, or waits for its termination, before it shuts down."""
LOST_SECONDS = 300.0
"""After this silence an instance counts as gone; AWS replaces it by itself."""
BOOTING_SECONDS = 900.0
"""Image, model and first page take 5 to 8 minutes on such instances; a boot that takes this long is suspicious."""

_STATE_AFTER = {
    "done": "done",
    "gave_up": "failed",
    "failing": "failed",
    "over_budget": "over_budget",
    "retired": "retired",
}
_NEVER = datetime.max.replace(tzinfo=UTC)


class History(NamedTuple):
    """All records of one slice."""

    boots: Sequence[Machine] = ()
    beat: Heartbeat | None = None
    mark: DoneMark | None = None

    @property
    def ended(self) -> bool:
        """Whether the done mark is the newest record: no process has started since."""
        return self.mark is not None and (self.beat is None or has_ended(self.beat, self.mark))

    @property
    def is_final(self) -> bool:
        """Whether no instance will resume the slice."""
        return self.mark is not None and self.ended and self.mark.why in FINAL_ENDINGS


class MachineInterval(NamedTuple):
    """One instance's time on the slice. `life` is None if no worker ever sent a heartbeat from it."""

    machine: Machine
    billed: datetime
    until: datetime
    """Its end, or now if it may still be running."""
    life: WorkerSession | None

    @property
    def hours(self) -> float:
        return (self.until - self.billed).total_seconds() / 3600


class Standing(NamedTuple):
    """The state of a slice. `final`: no worker will work on it again in this run."""

    state: str
    stale: bool = False
    final: bool = False


def machines(history: History) -> list[Machine]:
    """Returns every instance the slice had, oldest first."""
    known = {life.machine.instance: life.machine for life in _lives(history).values()}
    known |= {machine.instance: machine for machine in history.boots}
    return sorted(known.values(), key=lambda machine: machine.booted)


def intervals(history: History, fleet: FleetRecord, now: datetime) -> list[MachineInterval]:
    """Returns the time of each instance on the slice, oldest first."""
    lives, had = _lives(history), machines(history)
    billed = [max(_after(machine.booted, -BOOT_SECONDS), fleet.launched) for machine in had]
    limit = min(now, over(fleet))
    found = []
    for number, machine in enumerate(had):
        life = lives.get(machine.instance)
        following = billed[number + 1] if number + 1 < len(had) else _NEVER
        if life is not None:
            following = max(following, life.until)  # clocks differ: it was running at its last heartbeat
        end = min(_end(machine, life, history), following, limit)
        found.append(MachineInterval(machine, billed[number], max(end, billed[number]), life))
    return found


def dollars(history: History, fleet: FleetRecord, now: datetime) -> float:
    """Returns the cost of the slice's instances so far; see the module's docstring."""
    return sum(fleet.price(stay.machine) * stay.hours for stay in intervals(history, fleet, now))


def over(fleet: FleetRecord) -> datetime:
    """Returns when the last instance will be gone at the latest."""
    return fleet.expiry if fleet.ended is None else min(fleet.expiry, fleet.ended)


def standing(history: History, fleet: FleetRecord, now: datetime) -> Standing:
    """Returns the state of a slice.

    `waiting` for an instance, `booting`, then the worker's own state (`starting`, `running`, `draining`), `interrupted`
    during a Spot interruption, `failed` while the boot script retries. Final: `done`, `failed` (it gave up, or read
    nothing), `expired` (the deadline), `over_budget` (the cost cap), `retired` (by `scale`), `ended` (by `down`).
    `stale`: a heartbeat is overdue.
    """
    beat, mark = history.beat, history.mark
    if mark is not None and history.is_final:
        return Standing(_STATE_AFTER.get(mark.why, "expired"), final=True)
    if over(fleet) <= now and not (beat and beat.started > over(fleet)):
        return Standing("expired" if over(fleet) == fleet.expiry else "ended", final=True)
    if booting := _booting(history, now):
        return Standing("booting", stale=age_seconds(booting.booted, now) > BOOTING_SECONDS)
    if beat is None:
        return Standing("waiting")
    if mark is not None and history.ended:
        return _after_mark(mark, beat, now)
    return _by_beat(beat, now)


def _after_mark(mark: DoneMark, beat: Heartbeat, now: datetime) -> Standing:
    silence = min(age_seconds(mark.at, now), age_seconds(beat.at, now))
    patience = FAILURE_SECONDS if mark.why == "failed" else NOTICE_SECONDS
    return Standing(mark.why if silence < patience else "waiting")


def _by_beat(beat: Heartbeat, now: datetime) -> Standing:
    silence = age_seconds(beat.at, now)
    if silence < STALE_SECONDS:
        return Standing("draining" if beat.notice else beat.state)
    if beat.notice:
        return Standing("interrupted" if silence < NOTICE_SECONDS else "waiting")
    return Standing(beat.state if silence < LOST_SECONDS else "waiting", stale=True)


def _booting(history: History, now: datetime) -> Machine | None:
    """Returns the newest instance if it has no heartbeat yet and the one before is gone or silent."""
    had, beat = machines(history), history.beat
    if not had or had[-1].instance in _lives(history):
        return None
    if beat and is_alive(beat, history.mark, now) and beat.at > had[-1].booted:
        return None
    return had[-1]


def _lives(history: History) -> dict[str, WorkerSession]:
    """Returns the sessions by instance. A worker that does not know its instance is on the one that booted last before
    it started."""
    beat = history.beat
    if beat is None:
        return {}
    if beat.machine is None:
        beat = beat.model_copy(update={"machine": _newest(history.boots, beat.started)})
    return {life.machine.instance: life for life in sessions_of(beat)}


def _end(machine: Machine, life: WorkerSession | None, history: History) -> datetime:
    """Returns when the instance ended according to its records; `_NEVER` if they do not say."""
    mark = history.mark
    last = life.until if life else machine.booted
    taken = max(last, _after(life.notice, NOTICE_SECONDS)) if life and life.notice else _NEVER
    if mark is not None and machine.instance == _marked(history):
        marked = max(last, mark.at)
        if mark.why in FINAL_ENDINGS:
            return marked + timedelta(seconds=END_SECONDS)
        return min(taken, marked + timedelta(seconds=FAILURE_SECONDS))
    if mark is not None and history.is_final:  # it finds the mark and shuts down, or is deleted with the fleet
        return min(taken, max(last, mark.at) + timedelta(seconds=END_SECONDS))
    return taken


def _marked(history: History) -> str:
    """Returns the instance of the done mark; "" if unknown. The boot script writes `gave_up`, a worker the others."""
    mark, beat = history.mark, history.beat
    if mark is None:
        return ""
    if mark.why != "gave_up" and beat and beat.machine and has_ended(beat, mark):
        return beat.machine.instance
    machine = _newest(machines(history), mark.at)
    return machine.instance if machine else ""


def _newest(found: Sequence[Machine], at: datetime) -> Machine | None:
    """Returns the newest of the instances that had booted by `at`."""
    booted = [machine for machine in found if machine.booted <= at]
    return max(booted, key=lambda machine: machine.booted, default=None)


def _after(at: datetime, seconds: float) -> datetime:
    return at + timedelta(seconds=seconds)

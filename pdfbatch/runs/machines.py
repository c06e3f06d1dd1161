"""One slice of a fleet as its records tell it: the machines it had, what they cost, and how it stands now. Pure.

What AWS bills is known only to AWS. Here a machine counts from a minute before its boot script's first line until its
end: a minute after a mark that ends the slice, two minutes after AWS's notice, ten after a failure that its boot script
still works on. One that fell silent without a word, or never spoke, may hang and be paid for: it counts until the next
machine of its slice boots, or until now. Nothing counts after the fleet's expiry, or after `down`, or a minute after
the slice's last word where it is over: whoever ends a slice ends its fleet with all machines. So the sum is rather
too high than too low, by minutes for each machine. It is too high by more where AWS took a machine without notice and
had no other for long, and where it took one within its first hour, for which it charges nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pdfbatch.records import FINAL_ENDINGS, DoneMark, FleetRecord, Heartbeat, Machine, WorkerSession
from pdfbatch.runs.liveness import STALE_SECONDS, age_seconds, has_ended, is_alive, moment
from pdfbatch.runs.sessions import sessions_of

BOOT_SECONDS = 60.0
"""AWS counts from `running`; kernel and cloud-init take about a minute before the boot script writes its first key."""
END_SECONDS = 60.0
"""A machine whose slice is over copies its log and deletes its fleet; both are quick."""
NOTICE_SECONDS = 120.0
"""From AWS's notice to the end of the machine (EC2 user guide, Spot Instance interruption notices)."""
FAILURE_SECONDS = 600.0
"""How long the boot script tries a worker that failed again, or waits to be taken, before it shuts down."""
LOST_SECONDS = 300.0
"""A machine silent for so long without a word is taken for gone; AWS replaces what is gone by itself."""
BOOTING_SECONDS = 900.0
"""Image, model and first page take 5 to 8 minutes on machines of this kind; a boot that takes longer is suspicious."""

_STATE_AFTER = {"done": "done", "gave_up": "failed", "failing": "failed", "over_budget": "over_budget"}
_NEVER = datetime.max.replace(tzinfo=UTC)


class History(NamedTuple):
    """All records of one slice."""

    boots: Sequence[Machine] = ()
    beat: Heartbeat | None = None
    mark: DoneMark | None = None

    @property
    def ended(self) -> bool:
        """Whether the mark is the slice's last word: no process has begun since."""
        return self.mark is not None and (self.beat is None or has_ended(self.beat, self.mark))

    @property
    def is_final(self) -> bool:
        """Whether no machine takes the slice up again."""
        return self.mark is not None and self.ended and self.mark.why in FINAL_ENDINGS


class MachineInterval(NamedTuple):
    """What one machine gave the slice. `life` is None if no worker ever spoke on it."""

    machine: Machine
    billed: datetime
    until: datetime
    """Its end, or now if it may live."""
    life: WorkerSession | None

    @property
    def hours(self) -> float:
        return (self.until - self.billed).total_seconds() / 3600


class Standing(NamedTuple):
    """How a slice stands. `final`: nobody works on it any more in this run."""

    state: str
    stale: bool = False
    final: bool = False


def machines(history: History) -> list[Machine]:
    """Every machine the slice had, oldest first."""
    known = {life.machine.instance: life.machine for life in _lives(history).values()}
    known |= {machine.instance: machine for machine in history.boots}
    return sorted(known.values(), key=lambda machine: moment(machine.booted))


def intervals(history: History, fleet: FleetRecord, now: datetime) -> list[MachineInterval]:
    """What each machine of the slice gave, oldest first."""
    spoken, had = _lives(history), machines(history)
    billed = [max(_after(machine.booted, -BOOT_SECONDS), moment(fleet.launched)) for machine in had]
    limit = min(now, over(fleet))
    found = []
    for number, machine in enumerate(had):
        life = spoken.get(machine.instance)
        following = billed[number + 1] if number + 1 < len(had) else _NEVER
        if life is not None:
            following = max(following, moment(life.until))  # clocks differ: it spoke, so it lived
        end = min(_end(machine, life, history), following, limit)
        found.append(MachineInterval(machine, billed[number], max(end, billed[number]), life))
    return found


def dollars(history: History, fleet: FleetRecord, now: datetime) -> float:
    """What the slice's machines cost so far; the rule is this module's docstring."""
    return sum(fleet.price(stay.machine) * stay.hours for stay in intervals(history, fleet, now))


def over(fleet: FleetRecord) -> datetime:
    """When the last machine is gone, whatever happens."""
    expiry = moment(fleet.expiry)
    return expiry if fleet.ended is None else min(expiry, moment(fleet.ended))


def standing(history: History, fleet: FleetRecord, now: datetime) -> Standing:
    """
    `waiting` for a machine, `booting`, then what the worker says (`starting`, `running`, `draining`), `interrupted` by
    AWS while the machine is being taken, `failed` while its boot script tries again. Final: `done`, `failed` (it gave
    up, or read nothing), `expired` (the deadline), `over_budget` (the money is spent), `ended` (by `down`). `stale`: it
    should speak and does not.
    """
    beat, mark = history.beat, history.mark
    if mark is not None and history.is_final:
        return Standing(_STATE_AFTER.get(mark.why, "expired"), final=True)
    if over(fleet) <= now and not (beat and moment(beat.started) > over(fleet)):
        return Standing("expired" if over(fleet) == moment(fleet.expiry) else "ended", final=True)
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
    """The newest machine, if no worker has spoken on it yet and the one before is gone or silent."""
    had, beat = machines(history), history.beat
    if not had or had[-1].instance in _lives(history):
        return None
    if beat and is_alive(beat, history.mark, now) and moment(beat.at) > moment(had[-1].booted):
        return None
    return had[-1]


def _lives(history: History) -> dict[str, WorkerSession]:
    """By instance. A worker that does not know its machine is on the one that had booted last before it began."""
    beat = history.beat
    if beat is None:
        return {}
    if beat.machine is None:
        beat = beat.model_copy(update={"machine": _newest(history.boots, moment(beat.started))})
    return {life.machine.instance: life for life in sessions_of(beat)}


def _end(machine: Machine, life: WorkerSession | None, history: History) -> datetime:
    """When the machine ended by its own records; `_NEVER` if they do not tell."""
    mark = history.mark
    last = moment(life.until) if life else moment(machine.booted)
    taken = max(last, _after(life.notice, NOTICE_SECONDS)) if life and life.notice else _NEVER
    if mark is not None and machine.instance == _marked(history):
        said = max(last, moment(mark.at))
        if mark.why in FINAL_ENDINGS:
            return said + timedelta(seconds=END_SECONDS)
        return min(taken, said + timedelta(seconds=FAILURE_SECONDS))
    if mark is not None and history.is_final:  # it finds the mark and ends itself, or goes with the fleet
        return min(taken, max(last, moment(mark.at)) + timedelta(seconds=END_SECONDS))
    return taken


def _marked(history: History) -> str:
    """The instance that the mark is of, "" if that is not known. The boot script says `gave_up`, a worker the rest."""
    mark, beat = history.mark, history.beat
    if mark is None:
        return ""
    if mark.why != "gave_up" and beat and beat.machine and has_ended(beat, mark):
        return beat.machine.instance
    machine = _newest(machines(history), moment(mark.at))
    return machine.instance if machine else ""


def _newest(found: Sequence[Machine], at: datetime) -> Machine | None:
    """Of those that had booted by then."""
    booted = [machine for machine in found if moment(machine.booted) <= at]
    return max(booted, key=lambda machine: moment(machine.booted), default=None)


def _after(stamp: str, seconds: float) -> datetime:
    return moment(stamp) + timedelta(seconds=seconds)

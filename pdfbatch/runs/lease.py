"""Whether the worker of a heartbeat is still running: two processes on one slice would do everything twice."""

import os
import socket
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from pdfbatch.errors import NotFound, PdfbatchError
from pdfbatch.records import FINAL_ENDINGS, DoneMark, Heartbeat, Machine, Manifest, RunKeys
from pdfbatch.runs.liveness import STALE_SECONDS, age_seconds, has_ended, is_alive, is_done
from pdfbatch.runs.manifest import load_fleet
from pdfbatch.runs.pool import pool_of, workers_of
from pdfbatch.runs.record_reader import done_marks, heartbeats
from pdfbatch.store import Store

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")


def birth_of(pid: int) -> str:
    """Returns where and when a process started, as a unique `boot:namespace:ticks`; "" if there is no such process or
    no /proc. Pids count from 1 in each container: the namespace says in which one this pid is valid.

    Source: proc_pid_stat(5), field 22, counted from after the name, which may hold anything; pid_namespaces(7).
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        namespace = _PID_NAMESPACE.readlink().name.strip("pid:[]")
        return "" if fields[0] == "Z" else f"{_BOOT_ID.read_text().strip()}:{namespace}:{fields[19]}"
    except OSError:
        return ""


def is_living(beat: Heartbeat, mark: DoneMark | None, now: datetime) -> bool:
    """Whether the worker of a heartbeat is running. On the worker's own machine or in its container this is certain,
    however old the heartbeat is; elsewhere it depends on the heartbeat's age."""
    if has_ended(beat, mark):
        return False
    if beat.born and _place(beat.born) == _place(birth_of(os.getpid())):
        return birth_of(beat.pid) == beat.born
    return is_alive(beat, mark, now)


def _place(born: str) -> str:
    return born.rpartition(":")[0]


def _is_this_process(beat: Heartbeat) -> bool:
    return beat.host == socket.gethostname() and beat.pid == os.getpid() and beat.born == birth_of(beat.pid)


def refuse_twin(beat: Heartbeat, mark: DoneMark | None, now: datetime, machine: Machine | None = None) -> None:
    """Refuses to start a second process of the same worker on this machine.

    `machine`: the fleet's instance that this process is on. Its boot script runs one worker at a time, so an earlier
    worker of the same instance is dead. A silent worker elsewhere may be on a terminated Spot instance: its
    replacement must not wait.

    Raises:
        PdfbatchError: the worker of this heartbeat is running here, and it is not this process.
    """
    if machine is not None and beat.machine is not None and beat.machine.instance == machine.instance:
        return
    is_here = beat.host == socket.gethostname()
    if is_here and not _is_this_process(beat) and is_living(beat, mark, now):
        raise PdfbatchError(
            f"Worker {beat.worker} of this run is already running here (process {beat.pid}).",
            "Wait for it, or stop it with Ctrl-C in its terminal; then start again to resume.",
        )


def is_anyone_alive(output: Store, manifest: Manifest, now: datetime) -> bool:
    """Whether a worker of the run is running or about to: a run that has just started has no heartbeats yet, and a
    fleet replaces its instances until each worker has ended by itself, or the fleet was deleted or has expired."""
    keys = RunKeys(manifest.run)
    marks = {mark.worker: mark for mark in done_marks(output, keys)}
    if (fleet := load_fleet(output, manifest.run)) is not None:
        ended = sum(mark.why in FINAL_ENDINGS for mark in marks.values())
        is_over = fleet.ended is not None or now >= fleet.expiry
        return not is_over and ended < workers_of(manifest, pool_of(output, manifest))
    beats = heartbeats(output, keys)
    if not beats:
        return age_seconds(manifest.created, now) < STALE_SECONDS
    return any(not _is_this_process(beat) and is_living(beat, marks.get(beat.worker), now) for beat in beats)


def unfinished_slices(output: Store, manifest: Manifest, now: datetime) -> dict[int, bool]:
    """Returns the slices of a run that are not done, each with whether its worker is running. An empty slice needs no
    worker."""
    keys = RunKeys(manifest.run)
    marks = {mark.worker: mark for mark in done_marks(output, keys)}
    beats = {beat.worker: beat for beat in heartbeats(output, keys)}
    entries = manifest.entries or manifest.slices  # of later parts of a document, there may be entries alone
    left = [number for number, count in enumerate(entries) if count and not is_done(marks.get(number))]
    return {number: number in beats and is_living(beats[number], marks.get(number), now) for number in left}


def last_sign(output: Store, keys: RunKeys, worker: int) -> tuple[Heartbeat | None, DoneMark | None]:
    """Returns a worker's heartbeat and done mark; each is None if missing or unreadable."""
    beat = mark = None
    try:
        beat = Heartbeat.model_validate_json(output.get(keys.heartbeat(worker)))
        mark = DoneMark.model_validate_json(output.get(keys.done_mark(worker)))
    except (NotFound, ValidationError):
        pass
    return beat, mark

"""Liveness: how old a record is, and whether the worker that wrote it is running. Pure."""

from datetime import datetime

from pdfbatch.records import DoneMark, Heartbeat

STALE_SECONDS = 60.0
"""A heartbeat is written every 15 s; after four missed ones the worker counts as gone."""


def age_seconds(at: datetime, now: datetime) -> float:
    """Returns the seconds since a record's time; never negative, because clocks differ."""
    return max(0.0, (now - at).total_seconds())


def is_done(mark: DoneMark | None) -> bool:
    """Whether a worker has finished its slice."""
    return mark is not None and mark.why == "done"


def is_alive(beat: Heartbeat, mark: DoneMark | None, now: datetime) -> bool:
    """Whether a worker seems to be running: a fresh heartbeat, and no done mark since it started."""
    return not has_ended(beat, mark) and age_seconds(beat.at, now) < STALE_SECONDS


def has_ended(beat: Heartbeat, mark: DoneMark | None) -> bool:
    """Whether the worker has ended: its done mark is of this process, not of an earlier one.

    A process is known by its id. Only the boot script's marks, which have none, are compared by time: clocks jump.
    """
    if mark is None:
        return False
    if beat.session and mark.session:
        return mark.session == beat.session
    return mark.at >= beat.started

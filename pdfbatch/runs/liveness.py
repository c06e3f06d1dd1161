"""Signs of life: how old a record is, and whether the worker that wrote it lives. Pure."""

from datetime import UTC, datetime

from pdfbatch.records import DoneMark, Heartbeat

STALE_SECONDS = 60.0
"""A heartbeat comes every 15 s; four missed ones mean that nobody is there."""


def moment(stamp: str) -> datetime:
    """A record's time; shell scripts and programs spell it differently, so that stamps compare only as times."""
    at = datetime.fromisoformat(stamp)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def age_seconds(stamp: str, now: datetime) -> float:
    """Seconds since a record's time; never negative, clocks differ."""
    return max(0.0, (now - moment(stamp)).total_seconds())


def is_alive(beat: Heartbeat, mark: DoneMark | None, now: datetime) -> bool:
    """Whether a worker seems to be at work: fresh heartbeat, and no done mark since it started."""
    return not has_ended(beat, mark) and age_seconds(beat.at, now) < STALE_SECONDS


def has_ended(beat: Heartbeat, mark: DoneMark | None) -> bool:
    """Whether the done mark is of this life of the worker, not of an earlier one."""
    return mark is not None and moment(mark.at) >= moment(beat.started)

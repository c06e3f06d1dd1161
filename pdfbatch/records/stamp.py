"""Times in records: UTC, to the millisecond."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer


def _in_utc(value: object) -> object:
    """Reads a time as programs and shell scripts write it; without a zone it is in UTC. Milliseconds are kept."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(at, datetime):
        return at
    try:
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{value} is out of range") from error
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def text_of(at: datetime) -> str:
    """Returns a time as records have it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Stamp = Annotated[
    datetime, BeforeValidator(_in_utc), PlainSerializer(text_of, return_type=str, when_used="json-unless-none")
]
"""A time in UTC, whoever wrote it."""

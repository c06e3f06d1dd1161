"""Reads the workers' logs from CloudWatch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pdfbatch import aws
from pdfbatch.errors import NotFound, PdfbatchError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import log_stream

POLL_SECONDS = 3.0
LATE = timedelta(seconds=30)
"""How far each poll looks back: instances send in batches, so events arrive out of order."""
_METRICS = '"_aws"'


class LogLine(NamedTuple):
    at: datetime
    worker: str
    instance: str
    text: str


class LogStreams(NamedTuple):
    """Some streams of a log group."""

    prefix: str
    """Begins their names."""
    named: Callable[[str], tuple[str, str] | None]
    """Returns the worker and the instance of a stream; None: it is another one."""
    group_comes_with_them: bool = False
    """Whether AWS makes the log group with the first line, so that until then there is none."""


def fleet_streams(run: str, worker: int | None) -> LogStreams:
    """Returns the streams of a worker of EC2 Fleets, or of all. Pure."""
    prefix = f"{run}/" if worker is None else log_stream(run, worker)

    def named(stream: str) -> tuple[str, str] | None:
        if not stream.startswith(prefix):
            return None
        name, _, instance = stream.removeprefix(f"{run}/").partition("/")
        return name, instance

    return LogStreams(prefix, named)


def lines(clients: Clients, group: str, streams: LogStreams, since: datetime) -> Iterator[LogLine]:
    """Yields all lines so far, oldest first, without metrics.

    Raises:
        NotFound: no such log group.
    """
    for event in _events(clients, group, streams, since):
        if (line := _line(event, streams)) is not None:
            yield line


def follow(
    clients: Clients, group: str, streams: LogStreams, since: datetime, sleep: Callable[[float], None]
) -> Iterator[LogLine]:
    """Yields the same and then new lines, without end. Waits through network failures."""
    seen: dict[str, datetime] = {}
    while True:
        newest = max(seen.values(), default=since)
        try:
            for event in list(_events(clients, group, streams, max(since, newest - LATE))):
                if event["eventId"] not in seen:
                    seen[event["eventId"]] = _time(event)
                    if (line := _line(event, streams)) is not None:
                        yield line
        except NotFound:
            raise
        except PdfbatchError:
            pass
        seen = {event: at for event, at in seen.items() if at >= newest - 2 * LATE}
        sleep(POLL_SECONDS)


def _events(clients: Clients, group: str, streams: LogStreams, since: datetime) -> Iterator[Any]:
    pages = clients.logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, logStreamNamePrefix=streams.prefix, startTime=int(since.timestamp() * 1000)
    )
    try:
        with aws.translating(f"read the logs in {group}"):
            for page in pages:
                yield from page["events"]
    except PdfbatchError as error:
        if error.code != "ResourceNotFoundException":
            raise
        if streams.group_comes_with_them:
            return
        raise NotFound(
            f"No log group {group} in {clients.region}.",
            "`pdfbatch setup` creates it. For an instance's boot log: `pdfbatch logs … --boot`.",
        ) from error


def _line(event: Any, streams: LogStreams) -> LogLine | None:
    text = str(event["message"]).rstrip()
    named = streams.named(str(event["logStreamName"]))
    if named is None or _METRICS in text:
        return None
    return LogLine(_time(event), *named, text)


def _time(event: Any) -> datetime:
    return datetime.fromtimestamp(event["timestamp"] / 1000, UTC)

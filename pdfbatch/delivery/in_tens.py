"""What SNS and EventBridge have in common: requests of at most ten events, whose answers are about each event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pdfbatch.delivery.cloud_event import CloudEvent
from pdfbatch.delivery.sink import NotDelivered
from pdfbatch.errors import PdfbatchError

MOST = 10
"""Entries of a request. Sources: API references of SNS, PublishBatch, and of EventBridge, PutEvents."""
MOST_BYTES = 240_000
"""Of a request: below 256 KiB, SNS's default and EventBridge's old limit, with room for attributes."""
ATTEMPTS = 3
"""Of botocore's; the courier tries again, with longer pauses."""


class Failed(NamedTuple):
    """Why one event of a request was refused."""

    code: str
    message: str
    is_refusal: bool


def send_in_tens(
    events: Sequence[CloudEvent], request: Callable[[Sequence[CloudEvent]], Mapping[str, Failed]], where: str
) -> None:
    """Sends events by `request`, which returns those that failed, by id, and may raise PdfbatchError.

    Raises:
        NotDelivered: some or all were not taken. Those after a failed one are not sent, so that order is kept as far as
            the service keeps it.
    """
    accepted: list[str] = []
    for chunk in chunks(events):
        try:
            failed = request(chunk)
        except PdfbatchError as error:
            raise NotDelivered(error.message, error.hint, accepted) from error
        accepted += [event.id for event in chunk if event.id not in failed]
        if failed:
            first = next(iter(failed.values()))
            raise NotDelivered(
                f"{where} refused {len(failed)} of {len(chunk)} events ({first.code}: {first.message.rstrip('.')}).",
                "Check the permission of the role, and the policy of the topic or bus.",
                accepted,
                is_refusal=all(each.is_refusal for each in failed.values()),
            )


def chunks(events: Sequence[CloudEvent]) -> Iterator[list[CloudEvent]]:
    """Yields events in requests that the services take."""
    chunk, size = list[CloudEvent](), 0
    for event in events:
        more = len(event.json())
        if chunk and (len(chunk) == MOST or size + more > MOST_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(event)
        size += more
    if chunk:
        yield chunk

"""The protocol of a sink: what every way to deliver events offers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from pdfbatch.delivery.cloud_event import CloudEvent
from pdfbatch.errors import PdfbatchError


class NotDelivered(PdfbatchError):
    """A sink did not take all events of a request; those that are not in `accepted` are to be sent again."""

    def __init__(
        self,
        message: str,
        hint: str,
        accepted: Collection[str] = (),
        *,
        retry_after: float = 0.0,
        is_refusal: bool = False,
    ) -> None:
        super().__init__(message, hint)
        self.accepted = frozenset(accepted)
        """The ids of the events that it took."""
        self.retry_after = retry_after
        """Seconds to wait at least, as the sink asked for."""
        self.is_refusal = is_refusal
        """Whether it will go on like this until a person changes something."""


class Sink(Protocol):
    """Where events are delivered; used by one thread."""

    most: int
    """How many events `send` takes at once."""

    def check(self) -> str:
        """Looks whether the sink can be used, without sending anything. Returns what could not be found out, in one
        sentence; "" if it is there.

        Raises:
            NotReady: it certainly cannot be used as it is.
        """

    def send(self, events: Sequence[CloudEvent]) -> None:
        """Sends events, and returns when the sink has taken all of them. It does not retry.

        Raises:
            NotDelivered: it did not.
        """

    def close(self) -> None:
        """Lets go of connections. Nothing is waiting to be sent."""

"""An event bus of EventBridge as a sink. Source: API reference of EventBridge, PutEvents.

EventBridge has its own envelope: `detail-type` is the event's type, `source` is "pdfbatch" (rules match it; a prefix
`aws.` is reserved), `detail` is the CloudEvent in its structured form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pdfbatch import aws
from pdfbatch.delivery.cloud_event import CloudEvent
from pdfbatch.delivery.in_tens import ATTEMPTS, MOST, Failed, send_in_tens
from pdfbatch.errors import AccessDenied, NotReady, PdfbatchError
from pdfbatch.records import SinkAddress

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE = "pdfbatch"
_RETRYABLE = frozenset({"InternalFailure", "InternalException", "ThrottlingException", "ServiceUnavailable"})


class Bus:
    most = MOST

    def __init__(self, address: SinkAddress) -> None:
        self._bus = address.target
        self._events = aws.client("events", ATTEMPTS, address.region)

    def check(self) -> str:
        look = f"look up the event bus {self._bus}"
        try:
            found = aws.call(
                look, lambda: self._events.describe_event_bus(Name=self._bus), absent={"ResourceNotFoundException"}
            )
        except AccessDenied:
            return f"whether the event bus {self._bus} exists: no permission events:DescribeEventBus"
        except NotReady:
            raise
        except PdfbatchError as error:
            return error.message
        if found is None:
            raise NotReady(
                f"There is no event bus {self._bus}.",
                f"aws events create-event-bus --name {self._bus.rpartition('/')[2]}",
            )
        return ""

    def send(self, events: Sequence[CloudEvent]) -> None:
        send_in_tens(events, self._put, f"the event bus {self._bus}")

    def _put(self, events: Sequence[CloudEvent]) -> Mapping[str, Failed]:
        with aws.translating(f"put events on the event bus {self._bus}"):
            answer = self._events.put_events(Entries=list(map(self._entry, events)))
        failed = {}
        for event, result in zip(events, answer["Entries"], strict=True):
            if code := result.get("ErrorCode", ""):
                failed[event.id] = Failed(code, result.get("ErrorMessage", ""), code not in _RETRYABLE)
        return failed

    def _entry(self, event: CloudEvent) -> PutEventsRequestEntryTypeDef:
        entry: PutEventsRequestEntryTypeDef = {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": event.type,
            "Detail": event.json(),
        }
        if event.time:
            entry["Time"] = datetime.fromisoformat(event.time)
        return entry

    def close(self) -> None:
        self._events.close()

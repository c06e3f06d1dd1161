"""An SNS topic as a sink. Source: API reference of SNS, PublishBatch; developer guide, FIFO topics."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pdfbatch import aws
from pdfbatch.delivery.cloud_event import CloudEvent
from pdfbatch.delivery.in_tens import ATTEMPTS, MOST, Failed, send_in_tens
from pdfbatch.errors import AccessDenied, NotFound, NotReady, StoreError
from pdfbatch.records import SinkAddress

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef


class Topic:
    """Publishes each event as a message in structured mode, with its attributes as message attributes to filter by. On
    a FIFO topic the events of a slice are a message group, and ids deduplicate."""

    most = MOST

    def __init__(self, address: SinkAddress) -> None:
        self._arn = address.target
        self._sns = aws.client("sns", ATTEMPTS, address.region)

    def check(self) -> str:
        try:
            with aws.translating(f"look up the SNS topic {self._arn}"):
                self._sns.get_topic_attributes(TopicArn=self._arn)
        except NotFound:
            raise NotReady(f"There is no SNS topic {self._arn}.", "`aws sns list-topics` lists them.") from None
        except AccessDenied:
            return f"whether {self._arn} exists: no permission sns:GetTopicAttributes"
        except StoreError as error:
            return error.message
        return ""

    def send(self, events: Sequence[CloudEvent]) -> None:
        send_in_tens(events, self._publish, self._arn)

    def _publish(self, events: Sequence[CloudEvent]) -> Mapping[str, Failed]:
        with aws.translating(f"publish to {self._arn}"):
            answer = self._sns.publish_batch(
                TopicArn=self._arn, PublishBatchRequestEntries=list(map(self._entry, events))
            )
        return {
            each["Id"]: Failed(each.get("Code", ""), each.get("Message", ""), each.get("SenderFault", False))
            for each in answer.get("Failed", [])
        }

    def _entry(self, event: CloudEvent) -> PublishBatchRequestEntryTypeDef:
        entry: PublishBatchRequestEntryTypeDef = {
            "Id": event.id,
            "Message": event.json(),
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in (("type", event.type), ("run", str(event.data["run"])))
            },
        }
        if self._arn.endswith(".fifo"):
            entry["MessageGroupId"] = hashlib.sha256(event.group.encode()).hexdigest()[:32]
            entry["MessageDeduplicationId"] = event.id
        return entry

    def close(self) -> None:
        self._sns.close()

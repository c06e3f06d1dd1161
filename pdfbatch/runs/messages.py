"""The queue of a pool, as SQS has it: it says which block is next, and nothing depends on it being right.

Source: API reference of SQS. Standard queues may deliver a message twice, out of order, and after it was deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pdfbatch import aws
from pdfbatch.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10
"""The most messages of one request."""
LONGEST_WAIT = 20
"""The longest long poll in seconds."""
_GONE = {
    "InvalidParameterValue",
    "MessageNotInflight",
    "ReceiptHandleIsInvalid",
    "AWS.SimpleQueueService.MessageNotInflight",
}
"""The message was received by somebody else since, or was received 12 hours ago, the longest that one may be kept."""


NO_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}


class Message(NamedTuple):
    body: str
    handle: str
    """Of this receipt: the next one has another."""
    receives: int = 1
    sent: float | None = None
    """When it was sent, in seconds since 1970; None: unknown."""


class Depth(NamedTuple):
    """About how many messages a queue has."""

    waiting: int
    received: int
    """Received by a worker, and not deleted yet."""

    @property
    def total(self) -> int:
        return self.waiting + self.received


class MessageQueue(Protocol):
    """A queue of messages. Every method may raise a PdfbatchError."""

    def send(self, bodies: Iterable[str]) -> None: ...

    def receive(self, wait: int, hidden: int) -> Message | None:
        """Returns a message, which nobody else receives for `hidden` seconds; None if none came in `wait` seconds."""

    def hide(self, message: Message, seconds: int) -> bool:
        """Lets nobody else receive the message for `seconds` from now; 0: gives it back. False if it is not ours any
        more."""

    def delete(self, message: Message) -> None: ...

    def depth(self) -> Depth: ...

    def remove(self) -> None:
        """Deletes the queue itself."""


class SqsQueue:
    """An SQS queue by its URL."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, bodies: Iterable[str]) -> None:
        remaining = iter(bodies)
        while batch := list(islice(remaining, BATCH)):
            with aws.translating(f"send messages to {self._url}"):
                answer = self._client.send_message_batch(
                    QueueUrl=self._url,
                    Entries=[{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)],
                )
            for refused in answer.get("Failed", []):
                why = f"{refused.get('Code')}: {refused.get('Message', '')}"
                raise StoreError(f"Cannot send a message to {self._url}: {why}.", "Run the same command again.")

    def receive(self, wait: int, hidden: int) -> Message | None:
        with aws.translating(f"receive from {self._url}"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=min(wait, LONGEST_WAIT),
                VisibilityTimeout=hidden,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
        for found in answer.get("Messages", []):
            known = found.get("Attributes", {})
            sent = int(known["SentTimestamp"]) / 1000 if "SentTimestamp" in known else None
            return Message(found["Body"], found["ReceiptHandle"], int(known.get("ApproximateReceiveCount", 1)), sent)
        return None

    def hide(self, message: Message, seconds: int) -> bool:
        answer = aws.call(
            f"keep a message of {self._url}",
            lambda: self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=message.handle, VisibilityTimeout=seconds
            ),
            absent=_GONE,
        )
        return answer is not None

    def delete(self, message: Message) -> None:
        aws.call(
            f"delete a message of {self._url}",
            lambda: self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.handle),
            absent=_GONE,
        )

    def remove(self) -> None:
        aws.call(f"delete {self._url}", lambda: self._client.delete_queue(QueueUrl=self._url), absent=NO_QUEUE)

    def depth(self) -> Depth:
        with aws.translating(f"look at {self._url}"):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesDelayed",
                    "ApproximateNumberOfMessagesNotVisible",
                ],
            )["Attributes"]
        waiting = int(answer["ApproximateNumberOfMessages"]) + int(answer["ApproximateNumberOfMessagesDelayed"])
        return Depth(waiting, int(answer["ApproximateNumberOfMessagesNotVisible"]))


def sqs_queue(url: str, region: str) -> SqsQueue:
    """Returns a queue for running work: its calls outlast a short outage."""
    return SqsQueue(aws.client("sqs", region=region), url)

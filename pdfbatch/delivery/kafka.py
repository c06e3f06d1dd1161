"""A topic of Kafka's as a sink: the only user of confluent-kafka, which the extra `events` installs.

Sources: librdkafka's CONFIGURATION.md (2.x); Kafka protocol binding of CloudEvents 1.0.2, structured content mode. Some
behaviour is not obvious: a producer's query for a topic may create it, a consumer's does not; a message that cannot be
delivered only shows in its callback, after `message.timeout.ms`; idempotence removes repeats within one producer only.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from pdfbatch.delivery.cloud_event import MEDIA_TYPE, CloudEvent
from pdfbatch.delivery.sink import NotDelivered
from pdfbatch.delivery.sink_secrets import KAFKA_PASSWORD, KAFKA_USERNAME, SinkSecrets
from pdfbatch.errors import NotReady
from pdfbatch.records import SinkAddress

MESSAGE_SECONDS = 20.0
"""How long librdkafka tries to deliver a message."""
TOPIC_SECONDS = 10.0
QUEUE_MESSAGES = 1_000
QUEUE_KIB = 16 * 1024
_REACH = "Check the brokers' addresses, and that they can be reached from here."


class KafkaTopic:
    """Produces events with the document's key as message key: those of a document are in order."""

    most = 500

    def __init__(self, address: SinkAddress, secrets: SinkSecrets, seconds: float = MESSAGE_SECONDS) -> None:
        """
        Raises:
            NotReady: the package is not installed, or the settings are not valid.
        """
        if find_spec("confluent_kafka") is None:
            fix = "pip install '.[events]' in the clone (docs/events.md)"
            raise NotReady("Events to Kafka need confluent-kafka.", fix)
        self._address = address
        self._seconds = seconds
        self._settings = _settings(address, secrets)
        self._producer: Any = None
        self._said = ""
        """The last error that a broker or a connection had."""

    def check(self) -> str:
        try:
            self._check_topic()
        except NotDelivered as error:
            return error.message.rstrip(".")
        return ""

    def send(self, events: Sequence[CloudEvent]) -> None:
        producer = self._started()
        accepted, faults = list[str](), list[Any]()

        def told(id: str, error: Any) -> None:
            if error is None:
                accepted.append(id)
            else:
                faults.append(error)

        for event in events:
            producer.produce(
                self._address.target,
                key=event.subject.encode(),
                value=event.json().encode(),
                headers={"content-type": f"{MEDIA_TYPE}; charset=utf-8".encode(), "ce_id": event.id.encode()},
                on_delivery=lambda error, _message, id=event.id: told(id, error),
            )
            producer.poll(0)
        left = producer.flush(1.25 * self._seconds)  # longer, so that the true reason comes out
        if left or faults:
            raise self._not_delivered(accepted, faults)

    def _not_delivered(self, accepted: Sequence[str], faults: Sequence[Any]) -> NotDelivered:
        """Gives the producer up: the next try begins with a new one, without old messages or a fatal error."""
        self.close()
        fault = faults[0] if faults else None
        why = self._said or (fault.str() if fault is not None else "no answer in time")
        is_refusal = fault is not None and not fault.retriable() and fault.code() > 0
        return NotDelivered(
            f"Kafka did not take an event ({why.rstrip('.')}).", _REACH, accepted, is_refusal=is_refusal
        )

    def _started(self) -> Any:
        """Returns the producer.

        Raises:
            NotDelivered: the topic does not exist, or the brokers do not answer.
        """
        if self._producer is None:
            from confluent_kafka import Producer

            try:
                self._check_topic()
            except NotReady as error:
                raise NotDelivered(error.message, error.hint, is_refusal=True) from None
            timeout = {"message.timeout.ms": int(self._seconds * 1000)}
            self._producer = Producer(self._settings | _PRODUCER | timeout | {"error_cb": self._hear}, logger=_QUIET)
        return self._producer

    def _check_topic(self) -> None:
        """Looks the topic up as a consumer, which never creates it.

        Raises:
            NotReady: it does not exist, or the settings are refused.
            NotDelivered: the brokers do not answer.
        """
        from confluent_kafka import Consumer, KafkaException

        topic = self._address.target
        self._said = ""
        try:
            consumer = Consumer(self._settings | {"group.id": "pdfbatch", "error_cb": self._hear}, logger=_QUIET)
        except (KafkaException, ValueError) as error:
            raise NotReady(f"Kafka's settings are not valid ({_text(error)}).", "Correct the address.") from None
        try:
            found = consumer.list_topics(topic, timeout=min(TOPIC_SECONDS, self._seconds)).topics[topic]
        except KafkaException as error:
            consumer.poll(0)  # so that the connections' errors are heard
            raise NotDelivered(
                f"{self._address.brokers} cannot be reached ({self._said or _text(error)}).", _REACH
            ) from None
        finally:
            consumer.close()
        if found.error is not None or not found.partitions:
            raise NotReady(
                f"There is no topic {topic} on {self._address.brokers}.",
                f"kafka-topics --bootstrap-server {self._address.brokers.split(',')[0]} --create --topic {topic}",
            )

    def _hear(self, error: Any) -> None:
        self._said = error.str()

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(Exception):
                producer.purge()


_PRODUCER: dict[str, Any] = {
    "enable.idempotence": True,
    "queue.buffering.max.messages": QUEUE_MESSAGES,
    "queue.buffering.max.kbytes": QUEUE_KIB,
    "linger.ms": 5,
    "compression.type": "lz4",
}


def _settings(address: SinkAddress, secrets: SinkSecrets) -> dict[str, Any]:
    """Returns what producer and consumer share.

    Raises:
        NotReady: a user name is needed, or has no password.
    """
    security = address.security or ("sasl_ssl" if secrets.username else "plaintext")
    settings: dict[str, Any] = {
        "bootstrap.servers": address.brokers,
        "client.id": "pdfbatch",
        "security.protocol": security,
        "socket.timeout.ms": 10_000,
        "topic.metadata.refresh.interval.ms": 60_000,
    }
    if security.startswith("sasl"):
        if not secrets.username or not secrets.password:
            raise NotReady(
                "Kafka needs a user name and a password.",
                f"Set {KAFKA_USERNAME} and {KAFKA_PASSWORD}; on a fleet use --events-secret ARN.",
            )
        settings |= {
            "sasl.mechanism": address.mechanism,
            "sasl.username": secrets.username,
            "sasl.password": secrets.password,
        }
    return settings


def _text(error: Exception) -> str:
    first = error.args[0] if error.args else error
    return str(first.str() if hasattr(first, "str") else first).rstrip(".")


_QUIET = logging.getLogger(f"{__name__}.librdkafka")
"""librdkafka would write to stderr, over the progress."""
_QUIET.setLevel(logging.CRITICAL)

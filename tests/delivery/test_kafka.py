"""Kafka, as librdkafka's mock cluster in a process of its own: checked first, none lost, repeats with equal ids."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pdfbatch.delivery.cloud_event import CloudEvent, of_outcome
from pdfbatch.delivery.courier import Courier
from pdfbatch.delivery.kafka import KafkaTopic
from pdfbatch.delivery.sink import NotDelivered
from pdfbatch.delivery.sink_secrets import SinkSecrets
from pdfbatch.errors import ExitCode, NotReady
from pdfbatch.records import Outcome, SinkAddress
from pdfbatch.store import LocalStore
from tests.delivery.stores import MANIFEST, NOW, route
from tests.delivery.test_courier import Ledger
from tests.export.outputs import finish, some_documents
from tests.program import Program

kafka = pytest.importorskip("confluent_kafka")

ROOT = Path(__file__).parents[2]
TOPIC = "papers"


class Cluster(NamedTuple):
    pid: int
    brokers: str

    @property
    def address(self) -> str:
        return f"kafka://{self.brokers}/{TOPIC}"

    def sink(self, seconds: float = 20, topic: str = TOPIC) -> KafkaTopic:
        return KafkaTopic(SinkAddress.read(f"kafka://{self.brokers}/{topic}"), SinkSecrets(), seconds)

    def messages(self) -> list[Any]:
        """All messages of the topic, partition by partition."""
        settings = {"bootstrap.servers": self.brokers, "group.id": "test", "enable.partition.eof": True}
        consumer = kafka.Consumer(settings)
        partitions = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
        consumer.assign([kafka.TopicPartition(TOPIC, number, 0) for number in partitions])
        found, ends = [], 0
        while ends < len(partitions):
            message = consumer.poll(10)
            if message.error() is None:
                found.append(message)
            else:
                assert message.error().code() == kafka.KafkaError._PARTITION_EOF
                ends += 1
        consumer.close()
        return found

    def topics(self) -> set[str]:
        consumer = kafka.Consumer({"bootstrap.servers": self.brokers, "group.id": "test"})
        found = set(consumer.list_topics(timeout=10).topics)
        consumer.close()
        return found


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    command = [sys.executable, "-m", "tests.delivery.kafka_cluster", TOPIC]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Cluster(process.pid, process.stdout.readline().strip())
        process.kill()


def events(count: int) -> list[CloudEvent]:
    return [of_outcome(Outcome(key=f"{n}.pdf", outcome="ok", etag="e", at=NOW), MANIFEST) for n in range(count)]


def test_every_event_arrives_with_its_key_and_id(cluster: Cluster) -> None:
    sink, sent = cluster.sink(), events(300)
    assert sink.check() == ""
    sink.send(sent[:200])
    sink.send(sent[200:])
    sink.close()
    found = cluster.messages()
    assert len(found) == 300
    assert {message.key().decode() for message in found} == {event.subject for event in sent}
    assert {json.loads(message.value())["id"] for message in found} == {event.id for event in sent}
    headers = dict(found[0].headers())
    assert headers["content-type"].startswith(b"application/cloudevents+json")
    assert headers["ce_id"].decode() == json.loads(found[0].value())["id"]


def test_a_topic_that_does_not_exist_is_named_and_not_created(cluster: Cluster) -> None:
    sink = cluster.sink(topic="papres")
    with pytest.raises(NotReady, match="no topic papres") as missing:
        sink.check()
    assert "kafka-topics" in missing.value.hint and "--create --topic papres" in missing.value.hint
    with pytest.raises(NotDelivered, match="no topic papres") as refused:
        sink.send(events(1))
    assert refused.value.is_refusal
    assert "papres" not in cluster.topics()


def test_brokers_that_do_not_answer_are_told(cluster: Cluster) -> None:
    os.kill(cluster.pid, signal.SIGKILL)
    sink = cluster.sink(seconds=1)
    assert "cannot be reached" in sink.check()
    with pytest.raises(NotDelivered, match="cannot be reached"):
        sink.send(events(1))


def deliver(courier: Courier) -> None:
    """Until the cluster takes it: librdkafka notices in its own time that a connection is there again."""
    for _ in range(20):
        with suppress(NotDelivered):
            courier.deliver()
            return
    raise AssertionError(courier.trouble)


def stop(pid: int) -> None:
    """Stops a process, and waits until all of its threads have noticed."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    while {(task / "stat").read_text().rpartition(") ")[2][0] for task in tasks.iterdir()} != {"T"}:
        time.sleep(0.01)


def test_a_cluster_that_hangs_and_comes_back_gets_every_event(cluster: Cluster) -> None:
    ledger, sink = Ledger(), cluster.sink(seconds=2)
    courier = Courier(route(ledger.store, sink, SinkAddress.read(cluster.address)), 0)
    ledger.write(4)
    deliver(courier)
    stop(cluster.pid)
    ledger.write(4)
    with pytest.raises(NotDelivered, match="did not take an event"):
        courier.deliver()
    assert courier.waiting == 4
    os.kill(cluster.pid, signal.SIGCONT)
    deliver(courier)
    sink.close()
    found = [json.loads(message.value()) for message in cluster.messages()]
    assert {event["data"]["key"] for event in found} == set(ledger.written)
    assert len({event["id"] for event in found}) == 8


def test_the_command_delivers_a_run(cluster: Cluster, tmp_path: Path, pdfbatch: Program) -> None:
    (tmp_path / "output").mkdir()
    output = LocalStore(tmp_path / "output")
    finish(output, some_documents(5))
    ended = pdfbatch("events", output.url, "--to", cluster.address, "--json")
    assert ended.returncode == ExitCode.DONE, ended.stderr
    assert len(cluster.messages()) == json.loads(ended.stdout)["delivered"] == 5


@pytest.mark.parametrize(
    "text", ["kafka://b:9092/papers?security=sasl_ssl", "kafka://b:9092/papers?security=sasl_plaintext"]
)
def test_a_login_without_a_password_is_refused(text: str) -> None:
    with pytest.raises(NotReady, match="user name and a password") as refused:
        KafkaTopic(SinkAddress.read(text), SinkSecrets(username="Sesame"))
    assert "Sesame" not in str(refused.value) and "PDFBATCH_KAFKA_PASSWORD" in refused.value.hint

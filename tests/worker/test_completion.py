"""The end of a run: exactly one message, whichever workers end last or at once."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pdfbatch.errors import NotReady, StoreError
from pdfbatch.records import Counts, DoneMark, Ending, FleetRecord, Heartbeat, Manifest, Position, RunKeys
from pdfbatch.runs.manifest import save_fleet
from pdfbatch.store import LocalStore
from pdfbatch.worker.completion import complete, sns_publisher
from tests.frozen import manifest_of
from tests.worker.begun import now

KEYS = RunKeys("r")
AT = "2026-11-25T19:45:00Z"


def manifest(workers: int) -> Manifest:
    return manifest_of(4 * workers, workers, created=now(), input="s3://in/", output="s3://out/", engine="null")


def mark(store: LocalStore, worker: int, why: Ending) -> None:
    counts = Counts(total=4, ok=2, partial=1, failed=1, pages_read=11, pages_failed=2, reasons={"timeout": 2})
    beat = Heartbeat(worker=worker, state="done", counts=counts, started=AT, at=AT, seconds=60)
    store.put(KEYS.heartbeat(worker), beat.model_dump_json().encode())
    store.put(KEYS.done_mark(worker), DoneMark(worker=worker, why=why, at=AT, counts=counts).model_dump_json().encode())


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    found = LocalStore(tmp_path / "out")
    found.check_writable()
    return found


def test_the_message_has_the_runs_numbers_and_what_to_do_next(store: LocalStore) -> None:
    for worker in range(2):
        mark(store, worker, "done")
    sent: list[tuple[str, str]] = []
    assert complete(store, manifest(2), lambda *mail: sent.append(mail), now, pytest.fail)
    [(subject, message)] = sent
    assert subject == "pdfbatch r: 8 of 8 documents done, 2 failed"
    assert "documents: 8 in all, 4 ok, 2 partial, 2 failed, 0 skipped, 0 left\n" in message
    assert "reasons: timeout 4\npages: 22 read, 4 failed\n" in message
    assert message.endswith("pdfbatch report s3://out/\npdfbatch retry-failures s3://out/")
    assert json.loads(store.get(KEYS.completed))["run"] == "r"


def test_the_message_counts_events_that_were_not_delivered(store: LocalStore) -> None:
    mark(store, 0, "done")
    position = Position(address="events:papers", worker=0, delivered=1, waiting=3, at=now())
    store.put(KEYS.position("eventbridge-1", 0), position.model_dump_json().encode())
    sent: list[tuple[str, str]] = []
    assert complete(store, manifest(1), lambda *mail: sent.append(mail), now, pytest.fail)
    assert "\nevents: 3 wait for events:papers\n" in sent[0][1]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(endings=st.lists(st.sampled_from([None, *get_args(Ending)]), min_size=1, max_size=5))
def test_a_run_has_ended_when_no_worker_will_resume(
    tmp_path_factory: pytest.TempPathFactory, endings: list[Any]
) -> None:
    store = LocalStore(tmp_path_factory.mktemp("out"))
    store.check_writable()
    for worker, why in enumerate(endings):
        if why is not None:
            mark(store, worker, why)
    sent: list[tuple[str, str]] = []
    told = [complete(store, manifest(len(endings)), lambda *mail: sent.append(mail), now, pytest.fail) for _ in "ab"]
    is_over = all(why in ("done", "deadline", "gave_up", "failing", "over_budget", "retired") for why in endings)
    assert told == [is_over, False]
    assert len(sent) == is_over


def test_after_the_deadline_a_slice_without_an_instance_does_not_block_the_message(store: LocalStore) -> None:
    at = now()
    record = FleetRecord(
        run="r",
        region="us-east-1",
        launched=AT,
        deadline=at,
        end=at,
        expiry=at,
        instance_types=[],
        worst_price=1.0,
        image="",
        ami="",
        log_group="",
    )
    mark(store, 0, "deadline")
    mark(store, 1, "interrupted")
    sent: list[tuple[str, str]] = []
    later = now() + timedelta(hours=1)
    save_fleet(store, record.model_copy(update={"deadline": later, "expiry": later}))
    assert not complete(store, manifest(3), lambda *mail: sent.append(mail), now, pytest.fail)
    save_fleet(store, record)
    living = Heartbeat(worker=2, state="draining", counts=Counts(), started=at, at=at)
    store.put(KEYS.heartbeat(2), living.model_dump_json().encode())
    assert not complete(store, manifest(3), lambda *mail: sent.append(mail), now, pytest.fail), "worker 2 drains yet"
    mark(store, 2, "deadline")
    assert complete(store, manifest(3), lambda *mail: sent.append(mail), now, pytest.fail) and len(sent) == 1


@pytest.mark.parametrize("round_number", range(10))
def test_of_many_workers_that_end_at_once_one_publishes(store: LocalStore, round_number: int) -> None:
    workers = 8
    sent: list[tuple[str, str]] = []
    together = threading.Barrier(workers)

    def end(worker: int) -> bool:
        together.wait()
        mark(store, worker, "done")
        return complete(store, manifest(workers), lambda *mail: sent.append(mail), now, pytest.fail)

    with ThreadPoolExecutor(workers) as threads:
        told = [*threads.map(end, range(workers))]
    assert told.count(True) == len(sent) == 1


@pytest.mark.parametrize("error", [NotReady("The topic is gone.", "Make it."), RuntimeError("says the test")])
def test_a_message_that_cannot_be_sent_is_logged_and_fails_no_worker(store: LocalStore, error: Exception) -> None:
    mark(store, 0, "done")
    said: list[str] = []

    def publish(_subject: str, _message: str) -> None:
        raise error

    assert not complete(store, manifest(1), publish, now, said.append)
    assert len(said) == 1 and str(error) in said[0]


class Unreadable(LocalStore):
    """A folder that has gone."""

    def get(self, key: str) -> bytes:
        raise StoreError("Cannot read.", "Try later.")


def test_a_missing_store_fails_no_worker(store: LocalStore, tmp_path: Path) -> None:
    mark(store, 0, "done")
    said: list[str] = []
    assert not complete(Unreadable(tmp_path / "out"), manifest(1), pytest.fail, now, said.append)
    assert said == ["cannot send the notification that the run has ended: Cannot read. Try later."]


def test_without_a_topic_there_is_no_message() -> None:
    sns_publisher("")("subject", "message")


def test_a_topic_gets_a_subject_that_sns_takes_and_the_whole_message(s3_endpoint: str) -> None:
    sns, sqs = (boto3.client(name, endpoint_url=s3_endpoint) for name in ("sns", "sqs"))
    topic = sns.create_topic(Name="pdfbatch")["TopicArn"]
    queue = sqs.create_queue(QueueName="mails")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns_publisher(topic)("run é " + "x" * 200 + "\n", "line 1\nline é")
    [received] = sqs.receive_message(QueueUrl=queue)["Messages"]
    mail = json.loads(received["Body"])
    assert mail["Message"] == "line 1\nline é"
    assert mail["Subject"] == ("run ? " + "x" * 200)[:99]


def test_a_topic_that_is_gone_is_an_error_of_ours(s3_endpoint: str) -> None:
    with pytest.raises(Exception, match="Cannot publish to arn:aws:sns:us-east-1:123456789012:gone"):
        sns_publisher("arn:aws:sns:us-east-1:123456789012:gone")("subject", "message")

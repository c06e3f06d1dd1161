"""Events of a fleet: sinks in the simulated AWS, what the role may do, and a secret that stays in its place."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import boto3
import pytest

from pdfbatch.delivery.cloud_event import CloudEvent, of_outcome
from pdfbatch.delivery.in_tens import MOST, MOST_BYTES, chunks
from pdfbatch.delivery.sink import NotDelivered
from pdfbatch.delivery.sink_secrets import SinkSecrets
from pdfbatch.delivery.sinks import open_sink
from pdfbatch.errors import NotReady
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.facts import AccountFacts, Missing, Need
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.policies import launcher_policy, worker_policy
from pdfbatch.fleet.requirements import judge
from pdfbatch.fleet.sink_queries import found_sinks
from pdfbatch.fleet.template import SetupWish, merged, template, wish_in
from pdfbatch.fleet.userdata import render, values_of
from pdfbatch.fleet.values import LaunchRequest
from pdfbatch.records import Manifest, Outcome, ReadOptions, RunKeys, SinkAddress
from pdfbatch.runs import manifest
from pdfbatch.runs.slices import Frozen
from pdfbatch.store import open_store
from samples import odd
from tests.delivery.receiver import KEY, Receiver, receiving
from tests.delivery.stores import MANIFEST, NOW
from tests.fleet.conftest import Account
from tests.fleet.launching import Bench
from tests.fleet.policy_evaluation import allows
from tests.fleet.test_requirements import IN, OUT, READY
from tests.fleet.test_requirements import KEY as KMS_KEY
from tests.program import of_worker
from tests.runs.fleets import fleet
from tests.worker.begun import begin_at

TOPIC = "sns:arn:aws:sns:us-east-1:123456789012:outcomes"
BUS = "events:papers"
HOOK = "https://example.org/hook"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:pdf/events-AbC123"
WISH = SetupWish(Names(), (IN,), (OUT,), secrets=(SECRET,), events=(TOPIC, BUS))


def row(facts: AccountFacts, *sinks: str, secret: str = "") -> tuple[str, str]:
    request = LaunchRequest(events=tuple(SinkAddress.read_all(sinks)), events_secret=secret)
    (found,) = [check for check in judge(facts, Need(request, (IN,), (OUT,))) if check.name == "events"]
    return found.state, found.found + found.hint


@pytest.mark.parametrize(
    ("sinks", "secret", "facts", "state", "words"),
    [
        ([], "", READY, "ok", "no sinks requested"),
        ([TOPIC, BUS], "", replace(READY, sinks=[TOPIC, BUS], made_for=WISH), "ok", "outcomes"),
        ([TOPIC], "", replace(READY, sinks=[TOPIC]), "missing", f"--events {TOPIC}"),
        ([TOPIC], "", replace(READY, sinks=Missing("no SNS topic", "create it")), "missing", "no SNS topic"),
        ([TOPIC], "", replace(READY, sinks=[TOPIC], made_for=SetupWish()), "unknown", "whether the role may use"),
        ([HOOK], "", READY, "missing", "--events-secret ARN"),
        ([HOOK], SECRET, READY, "missing", f"--events-secret {SECRET}"),
        ([HOOK], SECRET, replace(READY, made_for=WISH), "ok", HOOK),
        ([HOOK], SECRET, replace(READY, sinks_secret=Missing("no secret", "create it")), "missing", "no secret"),
        (["kafka://b:9092/papers"], "", READY, "ok", "kafka://b:9092/papers"),
        (["kafka://b:9092/papers?security=sasl_ssl"], "", READY, "missing", "--events-secret ARN"),
    ],
)
def test_a_launch_checks_first_what_can_be_known(
    sinks: list[str], secret: str, facts: AccountFacts, state: str, words: str
) -> None:
    found = row(facts, *sinks, secret=secret)
    assert found[0] == state
    assert words in found[1]


def test_the_role_may_send_to_these_sinks_only() -> None:
    policy = worker_policy("us-east-1", "123456789012", Names(), [IN], [OUT], [], [KMS_KEY], [SECRET], [TOPIC, BUS])
    topic, bus = TOPIC.removeprefix("sns:"), "arn:aws:events:us-east-1:123456789012:event-bus/papers"
    assert allows(policy, "sns:Publish", topic, {}) and allows(policy, "events:PutEvents", bus, {})
    assert not allows(policy, "sns:Publish", f"{topic}-others", {})
    assert not allows(policy, "events:PutEvents", bus.replace("papers", "default"), {})
    assert not allows(policy, "events:PutRule", bus, {})
    assert allows(policy, "secretsmanager:GetSecretValue", SECRET, {})
    assert allows(policy, "kms:GenerateDataKey", KMS_KEY, {"kms:ViaService": "sns.us-east-1.amazonaws.com"})
    without = worker_policy("us-east-1", "123456789012", Names(), [IN], [OUT])
    assert not allows(without, "sns:Publish", topic, {}) and not allows(without, "events:PutEvents", bus, {})


def test_the_launcher_may_look_at_them() -> None:
    policy = launcher_policy("us-east-1", "123456789012", Names(), [IN], [OUT], events=[TOPIC, BUS])
    assert allows(policy, "sns:GetTopicAttributes", TOPIC.removeprefix("sns:"), {})
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/papers"
    assert allows(policy, "events:DescribeEventBus", bus, {}) and not allows(policy, "events:PutEvents", bus, {})


def test_a_stack_keeps_its_earlier_sinks() -> None:
    made = template(WISH, "us-east-1", "123456789012")
    assert "events:PutEvents" in str(made["Resources"]["Role"])
    assert wish_in(made, Names()) == WISH
    assert merged(WISH, WISH._replace(events=("events:others",))).events == (TOPIC, BUS, "events:others")


def test_user_data_contains_neither_the_secret_nor_its_address() -> None:
    fields: dict[str, Any] = {"events": [HOOK, TOPIC], "events_secret": SECRET}
    frozen = Manifest(run="R", created=NOW, input=IN, output=OUT, total_workers=1, engine="cpu", slices=[0], **fields)
    text = render(values_of(frozen, fleet(), 0, False, {"PDFBATCH_EVENTS_KEY": KEY}))
    assert KEY not in text and SECRET not in text


def test_a_launch_freezes_its_sinks_and_refuses_one_that_does_not_exist(account: Account) -> None:
    bench = Bench(account)
    secret = account.client("secretsmanager").create_secret(Name="events", SecretString=KEY)["ARN"]
    sinks = tuple(SinkAddress.read_all([HOOK, BUS]))
    request = LaunchRequest(workers=1, events=sinks, events_secret=secret)
    with pytest.raises(NotReady, match="No event bus papers"):
        bench.propose(request)
    account.client("events").create_event_bus(Name="papers")
    launched = bench.launch(request)
    frozen = manifest.load(bench.output, launched.run)
    assert (frozen.events, frozen.events_secret) == ([HOOK, BUS], secret)
    account.order("tick")
    (instance,) = account.instances()
    assert secret not in instance["user_data"] and HOOK not in instance["user_data"]
    sent = json.dumps([call for call in account.calls() if call["action"] != "CreateSecret"])
    assert KEY not in sent, "the secret's value is never asked for, or passed on"


# ── over HTTP ───────────────────────────────────────────────────────────────────────────────────────────────────────


def events(count: int) -> list[CloudEvent]:
    return [of_outcome(Outcome(key=f"{n}.pdf", outcome="ok", etag="e", at=NOW), MANIFEST) for n in range(count)]


def queue(account: Account, name: str, **attributes: str) -> tuple[str, str]:
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(account: Account, url: str) -> list[dict[str, Any]]:
    sqs, found = account.client("sqs"), list[dict[str, Any]]()
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in batch:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def sink_at(address: str) -> Any:
    return open_sink(SinkAddress.read(address), SinkSecrets(), lambda: NOW)


@pytest.mark.parametrize("ending", ["", ".fifo"])
def test_a_topic_gets_every_event_in_tens(ending: str, account: Account) -> None:
    sns = account.client("sns")
    fifo = {"FifoTopic": "true"} if ending else {}
    arn = sns.create_topic(Name=f"outcomes{ending}", Attributes=fifo)["TopicArn"]
    url, queue_arn = queue(account, f"q{ending}", **({"FifoQueue": "true"} if ending else {}))
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"})
    sink, sent = sink_at(f"sns:{arn}"), events(23)
    assert sink.check() == ""
    sink.send(sent)
    found = received(account, url)
    assert sorted(event["id"] for event in found) == sorted(event.id for event in sent)
    assert found[0]["specversion"] == "1.0"
    assert len(account.calls("PublishBatch")) == 3


def test_a_bus_gets_every_event_in_tens(account: Account) -> None:
    account.client("events").create_event_bus(Name="papers")
    sink, sent = sink_at(BUS), events(23)
    assert sink.check() == ""
    sink.send(sent)
    entries = [entry for call in account.calls("PutEvents") for entry in call["parameters"]["Entries"]]
    assert [json.loads(entry["Detail"])["id"] for entry in entries] == [event.id for event in sent]
    assert {(e["Source"], e["DetailType"], e["EventBusName"]) for e in entries} == {
        ("pdfbatch", "pdfbatch.document.converted", "papers")
    }


@pytest.mark.parametrize("address", ["sns:arn:aws:sns:us-east-1:123456789012:nosuch", "events:nosuch"])
def test_a_sink_that_does_not_exist_is_missing_for_a_run_and_for_a_launch(address: str, account: Account) -> None:
    with pytest.raises(NotReady, match="nosuch"):
        sink_at(address).check()
    with pytest.raises(NotReady, match="nosuch") as refused:
        found_sinks(Clients("us-east-1"), [SinkAddress.read(address)])
    assert refused.value.hint.startswith("aws ")


def test_found_sinks_are_those_in_aws(account: Account) -> None:
    arn = account.client("sns").create_topic(Name="outcomes")["TopicArn"]
    sinks = SinkAddress.read_all([f"sns:{arn}", "events:default", HOOK, "kafka://b:9092/papers"])
    assert found_sinks(Clients("us-east-1"), sinks) == [f"sns:{arn}", "events:default"]


@pytest.mark.parametrize(("kind", "action"), [("sns", "PublishBatch"), ("events", "PutEvents")])
def test_a_service_that_fails_has_taken_what_it_took(kind: str, action: str, account: Account) -> None:
    arn = account.client("sns").create_topic(Name="outcomes")["TopicArn"]
    sent = events(23)
    fault = {"action": action, "code": "ThrottlingException", "message": "slow down", "status": 400}
    account.order("faults", [fault | {"nth": 2, "times": 9}])
    with pytest.raises(NotDelivered) as refused:
        sink_at(f"sns:{arn}" if kind == "sns" else "events:default").send(sent)
    assert refused.value.accepted == {event.id for event in sent[:MOST]}
    assert not refused.value.is_refusal


def test_an_entry_that_was_refused_is_told_apart(account: Account) -> None:
    """moto refuses entries as EventBridge does: one without an existing detail."""
    sent = events(3)
    odd_one = sent[1]._replace(type="")
    with pytest.raises(NotDelivered, match="1 of 3 events") as refused:
        sink_at("events:default").send([sent[0], odd_one, sent[2]])
    assert refused.value.accepted == {sent[0].id, sent[2].id}


def test_requests_stay_below_the_services_limits() -> None:
    long = [event._replace(data=event.data | {"detail": "x" * 90_000}) for event in events(12)]
    parts: Sequence[Sequence[CloudEvent]] = list(chunks([*events(25), *long]))
    assert [event for part in parts for event in part] == [*events(25), *long]
    assert all(len(part) <= MOST and sum(len(e.json()) for e in part) <= MOST_BYTES for part in parts)


@pytest.fixture
def hook() -> Any:
    with receiving() as receiver:
        yield receiver


@pytest.mark.slow
def test_a_worker_sends_with_a_secret_that_only_the_role_reads(s3_endpoint: str, bucket: str, hook: Receiver) -> None:
    arn = boto3.client("secretsmanager", endpoint_url=s3_endpoint).create_secret(Name=bucket, SecretString=KEY)["ARN"]
    source, output = open_store(f"s3://{bucket}/in/"), open_store(f"s3://{bucket}/out/")
    source.put("a.pdf", odd.text_page())
    begun = begin_at(source, output, "null", ReadOptions())
    update = {"events": [hook.url], "events_secret": arn, "run": begun.manifest.run + "x"}
    frozen = begun.manifest.model_copy(update=update)
    manifest.save(output, Frozen(frozen, [begun.documents]))
    environment = os.environ | of_worker(bucket, frozen.run)
    command = [sys.executable, "-m", "pdfbatch.cli", "worker"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert [event["type"] for event in hook.events] == ["pdfbatch.document.converted", "pdfbatch.run.finished"]
    written = [ended.stdout.encode(), ended.stderr.encode(), *(output.get(entry.key) for entry in output.list())]
    written.append(gzip.decompress(output.get(RunKeys(frozen.run).manifest)))
    assert Manifest.model_validate_json(written[-1]).events_secret == arn
    assert not any(KEY.removeprefix("whsec_").encode() in text for text in written)
    output.delete(["a.md"])
    gone = frozen.model_copy(update={"events_secret": arn.replace(bucket, "gone"), "run": frozen.run + "x"})
    manifest.save(output, Frozen(gone, [begun.documents]))
    ended = subprocess.run(command, env=environment | {"PDFBATCH_RUN": gone.run}, capture_output=True, text=True)
    assert ended.returncode == 0, "the work goes on without its events"
    assert "events are not sent now" in ended.stderr and f"--events-secret {gone.events_secret}" in ended.stderr

"""`--watch-input`: S3 tells a pool's queue what arrives, the notifications of others stay, and `down` ends it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from pdfbatch.cli.request import request_of
from pdfbatch.errors import NotReady, PdfbatchError, UsageError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.down import end
from pdfbatch.fleet.launch import launch
from pdfbatch.fleet.policies import BucketPlace, launcher_policy
from pdfbatch.fleet.values import LaunchRequest
from pdfbatch.fleet.watching import allow_s3, subscribe, suffixes_of
from pdfbatch.records import Chosen, Pool, ReadOptions, objects_in
from pdfbatch.runs import manifest
from pdfbatch.runs.messages import SqsQueue
from pdfbatch.runs.pool import load_pool
from samples import odd
from tests.fleet.conftest import Account
from tests.fleet.launching import DOCUMENTS, Bench, clients_of

WATCH = LaunchRequest(is_pool=True, watches_input=True, workers=2)
TOPIC_EVENTS = ["s3:ObjectRemoved:*"]


@pytest.fixture
def bench(account: Account) -> Bench:
    return Bench(account)


def notifications(bench: Bench) -> dict[str, Any]:
    found = bench.account.client("s3").get_bucket_notification_configuration(Bucket=bench.bucket)
    return {name: value for name, value in found.items() if name != "ResponseMetadata"}


def of_the_user(bench: Bench) -> dict[str, Any]:
    """Notifications that somebody else has configured for the bucket."""
    sqs, sns, s3 = (bench.account.client(service) for service in ("sqs", "sns", "s3"))
    queue = sqs.create_queue(QueueName="theirs")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="theirs")["TopicArn"]
    rules = [{"Name": "prefix", "Value": "logs/"}, {"Name": "suffix", "Value": ".gz"}]
    filtered = {"Key": {"FilterRules": rules}}
    theirs = {
        "QueueConfigurations": [
            {"Id": "logs", "QueueArn": arn, "Events": ["s3:ObjectCreated:Put"], "Filter": filtered}
        ],
        "TopicConfigurations": [{"Id": "gone", "TopicArn": topic, "Events": TOPIC_EVENTS}],
        "EventBridgeConfiguration": {},
    }
    s3.put_bucket_notification_configuration(Bucket=bench.bucket, NotificationConfiguration=theirs)
    return notifications(bench)


def pool_of(bench: Bench, run: str) -> Pool:
    pool = load_pool(bench.output, run)
    assert pool is not None
    return pool


def bodies(bench: Bench, pool: Pool) -> list[str]:
    queue, found = SqsQueue(bench.account.client("sqs"), pool.queue), []
    while message := queue.receive(0, 600):
        found.append(message.body)
    return found


def test_s3_sends_what_arrives_until_down_and_the_notifications_of_others_stay(bench: Bench) -> None:
    theirs = of_the_user(bench)
    run = bench.launch(WATCH).run
    pool = pool_of(bench, run)
    before = bodies(bench, pool)
    assert any("s3:TestEvent" in body for body in before) and not any(map(objects_in, before))
    places = [(bench.source, "a b.pdf"), (bench.source, "c.PDF"), (bench.source, "d.txt"), (bench.output, "e.pdf")]
    for store, key in places:
        store.put(key, odd.text_page())
    found = [each for body in bodies(bench, pool) for each in objects_in(body)]
    assert sorted(found) == [(bench.bucket, "in/a b.pdf"), (bench.bucket, "in/c.PDF")]
    frozen = manifest.load(bench.output, run)
    assert frozen.watches_input and frozen.documents == DOCUMENTS

    there = notifications(bench)
    ours = [each for each in there["QueueConfigurations"] if each not in theirs["QueueConfigurations"]]
    name = pool.queue.rpartition("/")[2]
    assert [each["Id"] for each in ours] == [f"{name}-0", f"{name}-1"]
    assert there | {"QueueConfigurations": theirs["QueueConfigurations"]} == theirs

    fault = {"action": "DeleteQueue", "code": "AccessDenied", "message": "no", "status": 403}
    bench.account.order("faults", [fault])
    with pytest.raises(PdfbatchError):
        end(bench.clients, lambda found: found.run == run, bench.sleep)
    assert notifications(bench) == theirs, "before the queue: S3 refuses changes while a notification goes nowhere"
    end(bench.clients, lambda found: found.run == run, bench.sleep)
    assert notifications(bench) == theirs and bench.left().is_nothing


def test_a_launch_that_fails_leaves_no_notification(bench: Bench) -> None:
    theirs = of_the_user(bench)
    fault = {"action": "CreateFleet", "code": "InvalidParameterValue", "message": "no", "status": 400}
    bench.account.order("faults", [fault])
    with pytest.raises(PdfbatchError):
        bench.launch(WATCH)
    assert notifications(bench) == theirs and bench.left().is_nothing


def test_the_next_launch_takes_over_from_a_run_that_nobody_took_down(bench: Bench) -> None:
    """Two queues cannot have the same events, and the queue of a run that has expired would have them for ever."""
    first = bench.launch(WATCH).run
    fleet = manifest.load_fleet(bench.output, first)
    assert fleet is not None
    manifest.save_fleet(bench.output, fleet.model_copy(update={"expiry": bench.now(), "end": bench.now()}))
    second = bench.launch(WATCH).run
    assert {each.run for each in bench.left().queues} == {second}
    queue = pool_of(bench, second).queue.rpartition("/")[2]
    assert {each["QueueArn"].rpartition(":")[2] for each in notifications(bench)["QueueConfigurations"]} == {queue}


def test_a_pool_watches_an_input_where_nothing_is_left(account: Account) -> None:
    bench = Bench(account, documents=0)
    decided = bench.decide(replace(WATCH, max_hours=24))
    plan, frozen = decided.plan, decided.frozen.manifest
    assert (frozen.documents, frozen.total_workers, frozen.pool_blocks) == (0, 2, [[], []])
    assert plan.hours is not None and plan.cost is not None
    assert (plan.max_hours, plan.hours.low) == (24, 24) and not any("pages" in each for each in plan.warnings)
    assert 0 < plan.cost.low <= plan.cost.high <= plan.worst_cost
    assert len(launch(decided, bench.outside()).fleets) == 2


# ── the queue and the bucket, without a launch ───────────────────────────────────────────────────────────────────


class Queue(NamedTuple):
    bucket: str
    clients: Clients
    url: str
    arn: str

    def subscribe(self, bucket: str, slept: list[float]) -> None:
        subscribe(self.clients, self.arn, "name", BucketPlace(bucket, "my in=ä/"), (".pdf",), slept.append)


@pytest.fixture
def queue(account: Account) -> Queue:
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName="pdfbatch_r")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return Queue(account.bucket(), clients_of(account.endpoint), url, arn)


def test_only_this_bucket_of_this_account_may_send_to_the_queue(queue: Queue) -> None:
    allow_s3(queue.clients, queue.url, queue.arn, queue.bucket)
    attributes = queue.clients.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["Policy"])["Attributes"]
    (statement,) = json.loads(attributes["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"} and statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == queue.arn
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{queue.bucket}"},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    }


def test_a_queue_whose_policy_does_not_hold_yet_is_tried_again(account: Account, queue: Queue) -> None:
    refusal = {"method": "PUT", "key": f"/{queue.bucket}", "status": 400, "code": "InvalidArgument"}
    account.order("faults", [refusal, refusal])
    slept: list[float] = []
    queue.subscribe(queue.bucket, slept)
    (made,) = queue.clients.s3.get_bucket_notification_configuration(Bucket=queue.bucket)["QueueConfigurations"]
    rules = {rule["Name"].lower(): rule["Value"] for rule in made["Filter"]["Key"]["FilterRules"]}
    assert slept == [2.0, 5.0] and made["Events"] == ["s3:ObjectCreated:*"]
    assert rules == {"prefix": "my+in%3D%C3%A4/", "suffix": ".pdf"}, "as S3 wants special characters"
    queue.subscribe(queue.bucket, slept)
    again = queue.clients.s3.get_bucket_notification_configuration(Bucket=queue.bucket)["QueueConfigurations"]
    assert again == [made], "once, however often it is asked for"


def test_notifications_that_s3_refuses_are_refused_with_a_hint(account: Account, queue: Queue) -> None:
    refusal = {"method": "PUT", "key": f"/{queue.bucket}", "status": 400, "code": "InvalidArgument"}
    account.order("faults", [refusal] * 5)
    with pytest.raises(NotReady) as refused:
        queue.subscribe(queue.bucket, [])
    assert "another notification for the same objects" in refused.value.hint


def test_a_bucket_in_another_region_is_refused(queue: Queue) -> None:
    """S3 sends events to queues of its own region only."""
    there = {"LocationConstraint": "eu-west-1"}
    queue.clients.s3.create_bucket(Bucket="far-away", CreateBucketConfiguration=there)  # type: ignore[arg-type]
    with pytest.raises(NotReady, match="eu-west-1"):
        queue.subscribe("far-away", [])


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ([], (".pdf", ".PDF")),
        (["*.png", "scans/**/*.PNG"], (".PNG", ".png")),
        (["*.tar.gz", "*.gz"], (".GZ", ".gz")),
        (["2024/"], ("",)),
        (["*.png", "a*"], ("",)),
        (["report.pdf"], ("",)),
    ],
)
def test_s3_is_asked_for_the_endings_that_documents_can_have(include: list[str], expected: tuple[str, ...]) -> None:
    assert suffixes_of(Chosen(include=include)) == expected


def test_who_watches_may_change_the_notifications_of_the_input_and_nobody_else() -> None:
    places = ("us-east-1", "123456789012", WATCH.names, ["s3://docs/in/"], ["s3://docs-md/out/"])
    without, allowed = launcher_policy(*places), launcher_policy(*places, watches=True)
    assert "BucketNotification" not in json.dumps(without)
    (added,) = [each for each in allowed["Statement"] if each not in without["Statement"]]
    assert added["Resource"] == ["arn:aws:s3:::docs"]
    assert added["Action"] == ["s3:GetBucketNotification", "s3:PutBucketNotification"]


@pytest.mark.parametrize(
    ("wish", "hint"),
    [
        ({"is_pool": False}, "--pool"),
        ({"limit": 3}, "--limit"),
        ({"chosen": Chosen(named=["a.pdf"])}, "prefix"),
    ],
)
def test_what_cannot_be_watched_is_said_at_once(wish: dict[str, Any], hint: str) -> None:
    options: dict[str, Any] = {
        **dict.fromkeys(("engine", "model", "image", "ami", "key_name", "ebs_key"), ""),
        **dict.fromkeys(("workers", "instance_types", "max_price", "max_hours", "max_cost", "subnets", "tags")),
        "options": ReadOptions(),
        "stack": "pdfbatch",
        "way": "spot",
        "on_demand": False,
        "chosen": Chosen(),
        "is_pool": True,
    }
    assert request_of("s3://in/", "s3://out/", **options, watches_input=True).watches_input
    with pytest.raises(UsageError) as refused:
        request_of("s3://in/", "s3://out/", **(options | wish), watches_input=True)
    assert hint in refused.value.hint

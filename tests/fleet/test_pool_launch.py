"""A pool is launched and taken down: its queues, its blocks, and what is left when something fails."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet.down import end
from pdfbatch.fleet.inventory import take
from pdfbatch.fleet.userdata import values_of
from pdfbatch.fleet.values import LaunchRequest
from pdfbatch.records import pointer_of
from pdfbatch.runs import manifest
from pdfbatch.runs.messages import SqsQueue
from pdfbatch.runs.pool import all_blocks, load_pool, range_of
from pdfbatch.views.fleet import down_question, ended_screen, inventory_screen, plan_screen
from tests.fleet.conftest import Account
from tests.fleet.launching import DOCUMENTS, Bench

POOL = LaunchRequest(is_pool=True, workers=2)


@pytest.fixture
def bench(account: Account) -> Bench:
    return Bench(account)


def text_of(screen: RenderableType) -> str:
    console = Console(width=200, file=StringIO(), color_system=None)
    console.print(screen)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_pool_has_a_queue_with_a_message_for_every_block(bench: Bench) -> None:
    run = bench.launch(POOL).run
    frozen, pool = manifest.load(bench.output, run), load_pool(bench.output, run)
    assert pool is not None and (pool.workers, pool.used) == ([0, 1], 2)
    sqs = bench.account.client("sqs")
    pointers = []
    while message := SqsQueue(sqs, pool.queue).receive(0, 600):
        pointer = pointer_of(message.body)
        assert pointer is not None and pointer.run == run
        pointers.append(pointer.id)
    assert sorted(pointers) == sorted(all_blocks(frozen))
    ranges = [range_of(frozen, block) for block in all_blocks(frozen)]
    assert sum(len(numbers) for numbers in ranges if numbers) == DOCUMENTS == frozen.documents


def test_the_queue_keeps_messages_for_two_weeks_and_its_dead_letters_apart(bench: Bench) -> None:
    run = bench.launch(POOL).run
    pool = load_pool(bench.output, run)
    assert pool is not None
    sqs = bench.account.client("sqs")
    of_queue = sqs.get_queue_attributes(QueueUrl=pool.queue, AttributeNames=["All"])["Attributes"]
    of_dead = sqs.get_queue_attributes(QueueUrl=pool.dead_letters, AttributeNames=["All"])["Attributes"]
    redrive = json.loads(of_queue["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"] == of_dead["QueueArn"] and int(redrive["maxReceiveCount"]) == 100
    assert of_queue["MessageRetentionPeriod"] == of_dead["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    tags = sqs.list_queue_tags(QueueUrl=pool.queue)["Tags"]
    assert tags["pdfbatch:run"] == run and tags["pdfbatch:stack"] == "pdfbatch"
    assert pool.queue.rpartition("/")[2].startswith("pdfbatch_")


def test_down_deletes_the_queues_too(bench: Bench) -> None:
    run = bench.launch(POOL).run
    assert len(bench.left().queues) == 2
    ended = end(bench.clients, lambda found: found.run == run, bench.sleep)
    assert (ended.queues, ended.fleets) == (2, 2) and "2 queues" in text_of(ended_screen(ended))
    assert bench.left().is_nothing


def test_queues_that_are_left_over_are_found_and_deleted(bench: Bench) -> None:
    run = bench.launch(POOL).run
    left = bench.left()
    for fleet in left.fleets:
        bench.account.client("ec2").delete_fleets(FleetIds=[fleet.id], TerminateInstances=True)
    for each in left.templates:
        bench.account.client("ec2").delete_launch_template(LaunchTemplateName=each.id)
    bench.sleep(1)
    assert "queues remain (free)" in text_of(inventory_screen(take(bench.clients, bench.now())))
    assert down_question(bench.left().only(lambda each: each.run == run)).endswith("2 queues?")
    end(bench.clients, lambda found: found.run == run, bench.sleep)
    assert bench.left().is_nothing


def test_a_launch_that_fails_leaves_no_queue(bench: Bench) -> None:
    bench.account.order(
        "faults", [{"action": "CreateFleet", "code": "InvalidParameterValue", "message": "no", "status": 400}]
    )
    with pytest.raises(PdfbatchError):
        bench.launch(POOL)
    assert bench.left().is_nothing


def test_whoever_may_not_list_queues_can_still_take_a_fleet_down(bench: Bench) -> None:
    run = bench.launch(LaunchRequest(workers=1)).run
    denied = {"action": "ListQueues", "code": "AccessDenied", "message": "sqs:ListQueues", "status": 403, "times": 50}
    bench.account.order("faults", [denied])
    assert end(bench.clients, lambda found: found.run == run, bench.sleep).fleets == 1


def test_the_plan_says_that_a_queue_hands_out_the_work(bench: Bench) -> None:
    decided = bench.decide(POOL)
    assert f"a pool: a queue hands out {decided.plan.blocks} blocks" in text_of(plan_screen(decided.plan, True))
    assert not bench.left().queues and bench.decide(LaunchRequest()).plan.blocks == 0


def test_an_added_worker_boots_with_its_own_number(bench: Bench) -> None:
    decided = bench.decide(POOL)
    values = values_of(decided.frozen.manifest, decided.record, 6, False, {})
    assert (values["WORKER_ID"], values["TOTAL_WORKERS"], values["PDFBATCH_POOL"]) == ("6", "7", "yes")

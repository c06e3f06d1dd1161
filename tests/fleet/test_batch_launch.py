"""A launch on AWS Batch: its requests, its refusals, and what `down` and `ls` do about it."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console, RenderableType

from pdfbatch.errors import NotReady, PdfbatchError, UsageError
from pdfbatch.fleet.down import end
from pdfbatch.fleet.inventory import take
from pdfbatch.fleet.values import LaunchRequest
from pdfbatch.fleet.ways import way_named
from pdfbatch.records import RunKeys
from pdfbatch.runs import manifest
from pdfbatch.views.fleet import (
    down_question,
    ended_screen,
    inventory_screen,
    launch_question,
    launched_screen,
    plan_screen,
)
from tests.fleet.batch_bench import BatchBench
from tests.fleet.conftest import Account
from tests.fleet.launching import Bench


@pytest.fixture
def bench(account: Account) -> BatchBench:
    return BatchBench(account)


def text_of(screen: RenderableType) -> str:
    console = Console(width=200, file=StringIO(), color_system=None)
    console.print(screen)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_launch_submits_one_array_job_from_a_definition_of_its_own(bench: BatchBench) -> None:
    launched = bench.launch(bench.on_batch())
    job = bench.job()
    assert launched.way == "batch" and launched.fleets == {n: f"{job['jobId']}:{n}" for n in range(3)}
    assert job["arrayProperties"]["size"] == 3 and job["tags"]["pdfbatch:run"] == launched.run
    assert bench.account.calls("CreateFleet") == [] and bench.account.calls("CreateLaunchTemplate") == []
    batch = bench.account.client("batch")
    (definition,) = batch.describe_job_definitions(status="ACTIVE")["jobDefinitions"]
    container = definition["containerProperties"]
    values = {each["name"]: each["value"] for each in container["environment"]}
    assert values["PDFBATCH_RUN"] == launched.run and values["TOTAL_WORKERS"] == "3" and "WORKER_ID" not in values
    assert "@sha256:" in container["image"] and container["jobRoleArn"].endswith("role/pdfbatch-us-east-1-job")
    record = manifest.load_fleet(bench.output, launched.run)
    assert record is not None and (record.way, record.stack, record.ami) == ("batch", "pdfbatch", "")
    assert definition["timeout"]["attemptDurationSeconds"] <= (record.end - record.launched).total_seconds() + 1


def test_one_worker_is_a_plain_job(bench: BatchBench) -> None:
    launched = bench.launch(bench.on_batch(workers=1))
    job = bench.job()
    assert "arrayProperties" not in job and launched.fleets == {0: job["jobId"]}


def test_a_plan_takes_types_and_subnets_from_the_compute_environment_and_says_what_batch_limits(
    account: Account,
) -> None:
    bench = BatchBench(account, most_vcpus=8, types=("g4dn.xlarge", "g5.xlarge"))
    plan = bench.decide(bench.on_batch(workers=7)).plan
    assert plan.instance_types == ["g4dn.xlarge", "g5.xlarge"] and (plan.workers, plan.at_once) == (7, 2)
    assert plan.max_prices == {"g4dn.xlarge": 0.526, "g5.xlarge": 1.006}, "the on-demand price is the ceiling"
    assert plan.worst_cost == pytest.approx(2 * plan.price_ceiling * plan.max_hours)
    shown = text_of(plan_screen(plan, True))
    assert "one job of AWS Batch" in shown and "2 of 7 workers at a time" in shown and "AMI" not in shown
    assert "8 vCPUs needed" in shown and launch_question(plan).startswith("Submit a job of 7 workers")
    assert account.calls("SubmitJob") == account.calls("RegisterJobDefinition") == []


def test_the_quota_limits_how_many_run_at_a_time_not_how_many_there_are(bench: BatchBench) -> None:
    bench.account.order("quota", {"code": "L-3819A6DF", "value": 8, "default": 0})
    plan = bench.decide(bench.on_batch(workers=5)).plan
    assert (plan.workers, plan.at_once) == (5, 2)


def test_without_setup_the_error_names_the_command(account: Account) -> None:
    bench = Bench(account)
    with pytest.raises(NotReady, match="No AWS Batch job queue pdfbatch in us-east-1") as refused:
        bench.propose(LaunchRequest(way="batch", workers=2))
    assert refused.value.hint.startswith("pdfbatch setup --batch --input s3://")


def test_an_invalid_environment_is_told_with_its_reason(bench: BatchBench) -> None:
    bench.account.order("environment", {"status": "INVALID", "statusReason": "CLIENT_ERROR - no such role"})
    with pytest.raises(NotReady, match="pdfbatch is INVALID: CLIENT_ERROR - no such role") as refused:
        bench.propose(bench.on_batch())
    assert "aws batch update-compute-environment --compute-environment pdfbatch" in refused.value.hint


def test_a_missing_image_is_told_before_anything_is_submitted(bench: BatchBench) -> None:
    image = bench.account.client("ecr")
    image.batch_delete_image(repositoryName="pdfbatch", imageIds=[{"imageTag": "latest"}])
    with pytest.raises(NotReady, match="has no image tagged latest") as refused:
        bench.propose(bench.on_batch())
    assert "make image push" in refused.value.hint


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"ami": "ami-1"}, "--ami cannot be set"),
        ({"subnets": ("subnet-1",)}, "--subnet cannot be set"),
        ({"market": "on-demand"}, "--on-demand cannot be set"),
        ({"max_price": 0.3}, "--max-price cannot be set"),
        ({"is_pool": True}, "--pool needs EC2 Fleets"),
        ({"instance_types": ("p3.2xlarge",)}, "p3.2xlarge is not in the compute environment, which has g4dn.xlarge"),
        ({"workers": 10_001}, "10,000 workers at most"),
    ],
)
def test_options_that_batch_cannot_fulfil_are_refused(bench: BatchBench, wish: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        bench.propose(bench.on_batch(**wish))
    assert refused.value.hint


def test_a_thousand_fleets_are_the_most(bench: BatchBench) -> None:
    with pytest.raises(UsageError, match="1,001 workers are too many"):
        bench.propose(LaunchRequest(workers=1001))


def test_down_stops_the_job_and_deletes_its_definition(bench: BatchBench) -> None:
    run = bench.launch(bench.on_batch()).run
    child = f"{bench.job()['jobId']}:0"
    bench.change(child, status="RUNNING")
    there = bench.left().only(lambda each: each.run == run)
    assert len(there.jobs) == len(there.definitions) == 1 and down_question(there) == "Stop 1 job?"
    listed = take(bench.clients, bench.now())
    assert [(each.run, each.jobs, each.is_finished) for each in listed.runs] == [(run, 1, False)]
    ended = end(bench.clients, lambda each: each.run == run, bench.sleep)
    assert (ended.jobs, ended.definitions, ended.fleets) == (1, 1, 0)
    assert "1 job, 1 job definition of" in text_of(ended_screen(ended))
    assert bench.job()["status"] == "FAILED" and bench.left().is_nothing
    assert end(bench.clients, lambda each: each.run == run, bench.sleep).runs == [], "a second time does nothing"


def test_a_finished_job_leaves_a_definition_which_is_free(bench: BatchBench) -> None:
    run = bench.launch(bench.on_batch(workers=1)).run
    bench.change(bench.job()["jobId"], exit=0)
    shown = text_of(inventory_screen(take(bench.clients, bench.now())))
    assert f"{run} is finished; job definitions remain (free)" in shown
    assert down_question(bench.left()) == "Delete 1 job definition?"


def test_who_may_not_list_jobs_can_still_take_a_fleet_down(bench: BatchBench) -> None:
    run = bench.launch(LaunchRequest(workers=1)).run
    denied = {"code": "AccessDeniedException", "message": "not allowed", "status": 403, "times": 50}
    bench.account.order(
        "faults", [{"action": each, **denied} for each in ("DescribeJobQueues", "DescribeJobDefinitions")]
    )
    assert end(bench.clients, lambda each: each.run == run, bench.sleep).fleets == 1


def test_a_launch_that_fails_leaves_nothing(bench: BatchBench) -> None:
    fault = {
        "action": "SubmitJob",
        "code": "ClientException",
        "message": "Job queue pdfbatch is DISABLED",
        "status": 400,
    }
    bench.account.order("faults", [fault])
    with pytest.raises(NotReady, match="takes no jobs: Job queue pdfbatch is DISABLED") as refused:
        bench.launch(bench.on_batch())
    assert "pdfbatch doctor --on batch" in refused.value.hint
    assert bench.left().is_nothing and manifest.current(bench.output) is None


def test_a_job_that_was_submitted_twice_runs_once(bench: BatchBench) -> None:
    decided = bench.decide(bench.on_batch())
    way, outside = way_named("batch"), bench.outside()
    manifest.claim(bench.output, decided.frozen, None)
    manifest.save_fleet(bench.output, decided.record)
    first, second = way.making(decided, outside), way.making(decided, outside)
    first.make(False)
    second.make(False)
    ids = [making.fleets[0].partition(":")[0] for making in (first, second)]
    found = bench.account.client("batch").describe_jobs(jobs=ids)["jobs"]
    assert {each["jobId"]: each["status"] for each in found} == {ids[0]: "FAILED", ids[1]: "PENDING"}


def test_the_first_minutes_say_why_no_instance_starts(bench: BatchBench) -> None:
    launched = bench.launch(bench.on_batch(workers=2))
    job = bench.job()["jobId"]
    for number in range(2):
        bench.change(f"{job}:{number}", status="RUNNABLE", reason="CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - none left")

    def start(_seconds: float) -> None:
        for number in range(2):
            bench.change(f"{job}:{number}", status="RUNNING", reason="")

    found = list(way_named("batch").troubles(bench.clients, launched, bench.now(), start))
    assert found == [(0, "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - none left")]
    shown = text_of(launched_screen(launched))
    assert "a job of 2 workers ·" in shown and "pdfbatch status" in shown


def test_a_run_that_down_ended_while_it_was_launched_is_not_submitted(bench: BatchBench) -> None:
    decided = bench.decide(bench.on_batch())
    making = way_named("batch").making(decided, bench.outside())
    manifest.save_fleet(bench.output, decided.record.model_copy(update={"ended": decided.record.launched}))
    with pytest.raises(PdfbatchError, match="ended the run while it was being launched"):
        making.make(False)
    assert bench.account.calls("SubmitJob") == [] and bench.output.head(RunKeys(decided.plan.run).manifest) is None

"""The commands about AWS Batch as a user runs them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pdfbatch.fleet.batch.children import Children, with_children
from pdfbatch.records import DoneMark, Heartbeat, Machine, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.progress import read_status
from tests.fleet.batch_bench import BatchBench, set_up_batch
from tests.fleet.conftest import Account
from tests.fleet.places import Places
from tests.program import Program


@pytest.fixture
def on_batch(places: Places) -> Places:
    set_up_batch(places.account)
    return places


def job_of(places: Places) -> str:
    batch = places.account.client("batch")
    wanted = [{"name": "JOB_NAME", "values": ["pdfbatch_*"]}]
    found: str = batch.list_jobs(jobQueue="pdfbatch", filters=wanted)["jobSummaryList"][-1]["jobId"]
    return found


@pytest.mark.slow
def test_from_plan_to_down(on_batch: Places, pdfbatch: Program) -> None:
    options = ["--on", "batch", "--engine", "null", "--workers", "5"]
    planned = pdfbatch("plan", on_batch.input, on_batch.output, *options)
    assert planned.returncode == 0 and "one job of AWS Batch" in planned.stdout, planned.stderr
    launched = pdfbatch("launch", on_batch.input, on_batch.output, *options, "--yes")
    assert launched.returncode == 0, launched.stderr
    assert "a job of 3 workers" in launched.stdout and "Submit" not in launched.stdout
    job = job_of(on_batch)

    seen = json.loads(pdfbatch("status", on_batch.output, "--json").stdout)
    assert seen["state"] == "waiting" and len(seen["workers"]) == 3 and seen["worst_dollars"] > 0
    again = pdfbatch("launch", on_batch.input, on_batch.output, *options, "--yes")
    assert again.returncode == 1 and "still running" in again.stderr

    listed = json.loads(pdfbatch("ls", "--json").stdout)["runs"]
    assert [(run["run"], run["jobs"], run["definitions"], run["fleets"]) for run in listed] == [(seen["run"], 1, 1, 0)]
    assert "jobs" in pdfbatch("ls").stdout

    ended = pdfbatch("down", on_batch.output, "--yes")
    assert ended.returncode == 0 and "1 job, 1 job definition" in ended.stdout, ended.stderr
    assert json.loads(pdfbatch("status", on_batch.output, "--json").stdout)["state"] == "ended"
    assert on_batch.account.client("batch").describe_jobs(jobs=[job])["jobs"][0]["status"] == "FAILED"
    assert "Already down" in pdfbatch("down", on_batch.output, "--yes").stdout


def test_logs_tell_the_workers_apart_over_all_their_attempts(on_batch: Places, pdfbatch: Program) -> None:
    options = ["--on", "batch", "--engine", "null", "--workers", "2", "--yes"]
    run = json.loads(pdfbatch("launch", on_batch.input, on_batch.output, *options, "--json").stdout)["run"]
    job, logs = job_of(on_batch), on_batch.account.client("logs")
    group, at = "/aws/ec2/pdf-workers/pdfbatch", int((datetime.now(UTC) + timedelta(seconds=5)).timestamp() * 1000)

    def write(task: str, text: str) -> str:
        nonlocal at
        stream, at = f"{run}/default/{task}", at + 1
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": at, "message": text}])
        return stream

    def change(child: int, **wish: Any) -> None:
        on_batch.account.order("job", {"job": f"{job}:{child}", **wish})

    change(0, status="RUNNING", stream=write("task-a", "from the first attempt of 0"))
    change(0, status_reason="Host EC2 (instance i-1) terminated.")
    change(0, status="RUNNING", stream=write("task-b", "from the second attempt of 0"))
    change(1, status="RUNNING", stream=write("task-c", "from 1"))
    write("task-d", "from a task that Batch has forgotten")
    everything = pdfbatch("logs", on_batch.output).stdout
    assert [line.split()[1] for line in everything.splitlines()] == ["worker-0", "worker-0", "worker-1", "?"]
    assert "from the second attempt of 0" in everything and "forgotten" in everything
    of_one = pdfbatch("logs", on_batch.output, "1").stdout
    assert "from 1" in of_one and "attempt" not in of_one and "forgotten" not in of_one
    boots = pdfbatch("logs", on_batch.output, "--boot")
    assert boots.returncode == 2 and "AWS Batch boots the instances" in boots.stderr


@pytest.mark.slow
def test_status_says_what_only_batch_knows(on_batch: Places, pdfbatch: Program) -> None:
    pdfbatch("launch", on_batch.input, on_batch.output, "--on", "batch", "--engine", "null", "--workers", "2", "--yes")
    job = job_of(on_batch)
    on_batch.account.order(
        "job", {"job": f"{job}:0", "status": "RUNNABLE", "reason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - none"}
    )
    shown = pdfbatch("status", on_batch.output).stdout
    assert "waits for an instance: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY" in shown
    for _ in range(10):
        on_batch.account.order("job", {"job": f"{job}:0", "status": "RUNNING", "exit": 137})
    seen = json.loads(pdfbatch("status", on_batch.output, "--json").stdout)
    assert seen["state"] == "waiting" and (seen["workers"][0]["state"], seen["workers"][0]["final"]) == ("failed", True)
    assert "AWS Batch has ended it" in seen["workers"][0]["detail"]
    for _ in range(10):
        on_batch.account.order("job", {"job": f"{job}:1", "status": "RUNNING", "exit": 1})
    assert json.loads(pdfbatch("status", on_batch.output, "--json").stdout)["state"] == "failed"
    denied = {"action": "ListJobs", "code": "AccessDeniedException", "message": "no", "status": 403, "times": 9}
    on_batch.account.order("faults", [denied])
    assert json.loads(pdfbatch("status", on_batch.output, "--json").stdout)["state"] == "waiting", "the store alone"


def test_a_worker_that_has_ended_by_itself_is_believed(account: Account) -> None:
    bench = BatchBench(account)
    run = bench.launch(bench.on_batch(workers=2)).run
    mark = DoneMark(worker=0, why="done", at=bench.now())
    bench.output.put(RunKeys(run).done_mark(0), mark.model_dump_json().encode())
    status = read_status(bench.output, manifest.load(bench.output, run), bench.now())
    told = with_children(status, Children({0: "Host EC2 (instance i-1) terminated."}))
    assert [each.state for each in told.workers] == ["done", "waiting"]


def test_the_cost_of_a_worker_counts_from_the_boot_of_its_instance(account: Account) -> None:
    bench = BatchBench(account)
    run = bench.launch(bench.on_batch(workers=1)).run
    booted = bench.now() + timedelta(minutes=4)
    machine = Machine(instance="i-1", type="g4dn.xlarge", zone="us-east-1a", booted=booted)
    beat = Heartbeat.model_validate(
        {"worker": 0, "state": "running", "counts": {}, "started": booted, "at": booted + timedelta(minutes=60)}
        | {"machine": machine}
    )
    bench.output.put(RunKeys(run).heartbeat(0), beat.model_dump_json().encode())
    status = read_status(bench.output, manifest.load(bench.output, run), booted + timedelta(minutes=60))
    record = manifest.load_fleet(bench.output, run)
    assert record is not None and status.dollars == pytest.approx(record.prices["g4dn.xlarge@us-east-1a"], rel=0.05)


def test_doctor_judges_what_batch_needs_and_nothing_else(on_batch: Places, pdfbatch: Program) -> None:
    options = ["--on", "batch", "--input", on_batch.input, "--output", on_batch.output, "--json"]
    checks = {each["name"]: each for each in json.loads(pdfbatch("doctor", *options).stdout)["checks"]}
    assert (
        checks["compute environment"]["state"] == "ok" and "at most 256 vCPUs" in checks["compute environment"]["found"]
    )
    assert checks["worker role"] == checks["worker role"] | {"state": "ok", "found": "pdfbatch-us-east-1-job"}
    assert checks["quota"]["state"] == "ok" and not {"AMI", "security group", "key pair"} & set(checks)
    on_batch.account.order("environment", {"state": "DISABLED"})
    found = json.loads(pdfbatch("doctor", *options).stdout)["checks"]
    (check,) = [each for each in found if each["name"] == "compute environment"]
    assert check["state"] == "missing" and "--state ENABLED" in check["hint"]


@pytest.mark.slow
def test_setup_makes_a_compute_environment_on_which_a_launch_runs(account: Account, pdfbatch: Program) -> None:
    bucket = account.bucket()
    account.order("quota", {"code": "L-3819A6DF", "value": 64, "default": 0})
    places = ["--input", f"s3://{bucket}/in/", "--output", f"s3://{bucket}/out/"]
    refused = pdfbatch("setup", *places, "--max-vcpus", "16")
    assert refused.returncode == 2 and "Add --batch" in refused.stderr
    made = pdfbatch("setup", *places, "--batch", "--instance-type", "g5.xlarge", "--max-vcpus", "16", "--yes")
    assert made.returncode == 0, made.stderr
    batch = account.client("batch")
    (environment,) = batch.describe_compute_environments()["computeEnvironments"]
    resources = environment["computeResources"]
    assert (resources["type"], resources["maxvCpus"], resources["minvCpus"]) == ("SPOT", 16, 0)
    assert resources["instanceTypes"] == ["g5.xlarge"] and len(resources["subnets"]) > 1
    (queue,) = batch.describe_job_queues()["jobQueues"]
    assert queue["tags"]["pdfbatch:stack"] == "pdfbatch"
    again = pdfbatch("setup", *places, "--yes", "--json")
    assert again.returncode == 0 and '"ComputeEnvironment"' in json.loads(again.stdout)["template"], "it stays"
    found = pdfbatch("doctor", "--on", "batch", "--workers", "4", *places, "--json")
    states = {each["name"]: each["state"] for each in json.loads(found.stdout)["checks"]}
    assert (states["compute environment"], states["worker role"], states["role's policy"]) == ("ok", "ok", "ok")
    assert pdfbatch("setup", "--delete", "--yes").returncode == 0


def test_doctor_prints_the_policy_of_a_user_of_batch(on_batch: Places, pdfbatch: Program) -> None:
    options = ["--policy", "--on", "batch", "--input", on_batch.input, "--output", on_batch.output]
    sids = {each["Sid"] for each in json.loads(pdfbatch("doctor", *options).stdout)["Statement"]}
    assert {"SubmitJobs", "EndJobs", "WriteOutput"} <= sids and "MakeFleet" not in sids


@pytest.mark.slow
def test_setup_is_not_deleted_under_a_running_job(account: Account, pdfbatch: Program) -> None:
    bucket = account.bucket()
    account.order("quota", {"code": "L-3819A6DF", "value": 64, "default": 0})
    places = ["--input", f"s3://{bucket}/in/", "--output", f"s3://{bucket}/out/"]
    assert pdfbatch("setup", *places, "--batch", "--yes").returncode == 0
    batch, tags = account.client("batch"), {"pdfbatch:stack": "pdfbatch", "pdfbatch:run": "r1"}
    container = {"image": "i", "vcpus": 1, "memory": 512}
    batch.register_job_definition(jobDefinitionName="d", type="container", containerProperties=container)
    job = batch.submit_job(jobName="pdfbatch_r1", jobQueue="pdfbatch", jobDefinition="d", tags=tags)["jobId"]
    refused = pdfbatch("setup", "--delete", "--yes")
    assert refused.returncode == 4 and "still run" in refused.stderr and job in refused.stderr, refused.stderr
    batch.terminate_job(jobId=job, reason="done")
    assert pdfbatch("setup", "--delete", "--yes").returncode == 0


@pytest.mark.slow
def test_retry_failures_uses_the_same_way_again(on_batch: Places, pdfbatch: Program) -> None:
    options = ["--on", "batch", "--engine", "null", "--workers", "2", "--yes", "--json"]
    on_batch.finish(json.loads(pdfbatch("launch", on_batch.input, on_batch.output, *options).stdout)["run"])
    retried = pdfbatch("retry-failures", on_batch.output, "--yes", "--json")
    assert retried.returncode == 0 and json.loads(retried.stdout)["way"] == "batch", retried.stderr
    assert len(on_batch.account.calls("SubmitJob")) == 2 and on_batch.account.calls("CreateFleet") == []

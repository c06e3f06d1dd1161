"""The image's entry point run as AWS Batch runs it: real worker processes over an S3 server, one for each child."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pdfbatch.config import default_processes
from pdfbatch.records import Command, DoneMark, FleetRecord, Heartbeat, ReadOptions, RunKeys
from pdfbatch.records.order import RunOrder
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.orders import record_at, save_order
from pdfbatch.runs.partition import Slice
from pdfbatch.runs.progress import read_status
from pdfbatch.store import Store, open_store
from samples import odd
from tests.imds import Imds
from tests.program import Program, of_worker
from tests.runs.fleets import fleet
from tests.worker.begun import begin_at, now

CHILDREN = 2
JOB = "2f3f2f8a-5d0c-4a1b-9c56-0123456789ab"
NOTICE = "spot/instance-action"
COPYING = ReadOptions(command=Command(line="cp {in}/* {out}/"))
"""Reads nothing, so that a test of a process is fast."""


@pytest.fixture
def output(bucket: str) -> Store:
    source = open_store(f"s3://{bucket}/in/")
    for number in range(6):
        source.put(f"{number}.pdf", odd.text_page() + b"%%%d\n" % number)
    return open_store(f"s3://{bucket}/out/")


@pytest.fixture
def imds() -> Iterator[Imds]:
    with Imds({"instance-id": "i-0batch"}) as service:
        yield service


def of_batch(number: int | None, attempt: int = 1) -> dict[str, str]:
    """What Batch sets in a container; `number` None: a plain job."""
    index = {} if number is None else {"AWS_BATCH_JOB_ARRAY_INDEX": str(number)}
    job = JOB if number is None else f"{JOB}:{number}"
    return {"AWS_BATCH_JOB_ID": job, "AWS_BATCH_JOB_ATTEMPT": str(attempt), "AWS_BATCH_JQ_NAME": "pdfbatch", **index}


def of_definition(bucket: str, run: str, workers: int = CHILDREN) -> dict[str, str]:
    """The variables of the job's definition."""
    found = {name: value for name, value in of_worker(bucket, run).items() if name != "WORKER_ID"}
    return {**found, "TOTAL_WORKERS": str(workers), "PDFBATCH_ATTEMPTS": "10", "PDFBATCH_STOP_SECONDS": "20"}


def started(child: Mapping[str, str], variables: Mapping[str, str], imds: Imds | None = None) -> subprocess.Popen[str]:
    """Starts the container's command; without `imds` the instance's metadata cannot be reached."""
    command = [sys.executable, "-m", "pdfbatch", "batch-job"]
    service = (
        {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds.url}
        if imds is not None
        else {}
    )
    environment = {**os.environ, **variables, **service, **child}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def code(process: subprocess.Popen[str]) -> int:
    """The exit code; stderr is shown by pytest if the test fails."""
    _, errors = process.communicate(timeout=180)
    print(errors)
    return process.returncode


def recorded(run: str) -> FleetRecord:
    """The record of a run that has just been submitted."""
    return record_at(fleet().model_copy(update={"way": "batch"}), run, now())


def mark_of(output: Store, run: str, worker: int = 0) -> DoneMark:
    return DoneMark.model_validate_json(output.get(RunKeys(run).done_mark(worker)))


@pytest.mark.slow
def test_the_children_of_an_array_do_the_whole_run_and_tell_their_instances(
    bucket: str, output: Store, imds: Imds
) -> None:
    source = open_store(f"s3://{bucket}/in/")
    source.put("broken.pdf", b"not a PDF at all")
    run = begin_at(source, output, "null", ReadOptions(), Slice(0, CHILDREN)).manifest.run
    manifest.save_fleet(output, recorded(run))
    children = [started(of_batch(number), of_definition(bucket, run), imds) for number in range(CHILDREN)]
    assert [code(each) for each in children] == [0, 0], "a document that failed does not fail the job"
    outcomes = [found.key for _, found in ledger.outcomes(output, ledger.segments(output))]
    assert sorted(outcomes) == sorted(entry.key for entry in source.list())
    status = read_status(output, manifest.load(output, run), datetime.now(UTC))
    assert status.state == "done" and status.documents.failed == 1
    assert [(each.instance, each.type, each.zone) for each in status.workers] == [
        ("i-0batch", "g4dn.xlarge", "us-east-1a")
    ] * CHILDREN


class Held:
    """A child whose pages wait until the test lets them go on."""

    def __init__(self, folder: Path, bucket: str, output: Store) -> None:
        folder.mkdir()
        self.folder, self.at_once = folder, default_processes()
        wait = f"touch {folder}/begun-$name; while [ ! -e {folder}/$name ]; do sleep 0.05; done"
        line = f"for file in {{in}}/*; do name=$(basename $file); {wait}; cp $file {{out}}/; done"
        source = open_store(f"s3://{bucket}/in/")
        for number in range(self.at_once):
            source.put(f"more-{number}.pdf", odd.text_page() + b"%%%% %d\n" % number)
        self.run = begin_at(source, output, "command", ReadOptions(command=Command(line=line, batch=1))).manifest.run
        manifest.save_fleet(output, recorded(self.run))

    def begun(self, process: subprocess.Popen[str]) -> list[Path]:
        while len(found := sorted(self.folder.glob("begun-*"))) < self.at_once:
            assert process.poll() is None
            time.sleep(0.02)
        return found

    def release_all(self) -> None:
        for name in [*map(str, range(6)), *(f"more-{number}" for number in range(self.at_once))]:
            (self.folder / f"{name}.pdf").touch()

    def release(self) -> None:
        for path in self.folder.glob("begun-*"):
            (self.folder / path.name.removeprefix("begun-")).touch()


@pytest.mark.slow
def test_an_attempt_that_was_killed_and_one_that_was_told_to_stop_lose_nothing_and_do_nothing_twice(
    tmp_path: Path, bucket: str, output: Store, pdfbatch: Program
) -> None:
    held = Held(tmp_path / "go", bucket, output)
    variables = of_definition(bucket, held.run, 1)
    first = started(of_batch(None), variables)
    begun = held.begun(first)
    first.kill()  # the instance is gone
    assert code(first) == -signal.SIGKILL
    for path in begun:
        path.unlink()
    second = started(of_batch(None, attempt=2), variables)
    held.begun(second)
    second.send_signal(signal.SIGTERM)  # the task ends; SIGKILL would follow after 30 s
    held.release()
    assert code(second) == 130 and mark_of(output, held.run).why == "interrupted"
    finished = {entry.key for entry in output.list() if entry.key.endswith(".pdf")}
    assert 0 < len(finished) < 6 + held.at_once, "it has finished what was being read, and nothing more"
    held.release_all()
    assert pdfbatch("batch-job", **variables, **of_batch(None, attempt=3)).returncode == 0
    beat = Heartbeat.model_validate_json(output.get(RunKeys(held.run).heartbeat(0)))
    assert beat.machine is not None and beat.machine.instance == f"{JOB}-3", "no metadata: the attempt stands for it"
    outcomes = [found.key for _, found in ledger.outcomes(output, ledger.segments(output))]
    assert len(outcomes) == len(set(outcomes)) == 6 + held.at_once


@pytest.mark.slow
def test_after_a_spot_notice_it_drains_and_waits_for_the_end_of_its_instance(
    tmp_path: Path, bucket: str, output: Store, imds: Imds
) -> None:
    held = Held(tmp_path / "go", bucket, output)
    process = started(of_batch(None, attempt=10), of_definition(bucket, held.run, 1), imds)
    held.begun(process)
    imds.values[NOTICE] = json.dumps({"action": "terminate", "time": "2026-11-25T19:45:00Z"})
    held.release()
    while output.head(RunKeys(held.run).completed) is None:
        assert process.poll() is None, "an attempt that ended now would be retried on the same instance"
        time.sleep(0.1)
    mark = mark_of(output, held.run)
    assert mark.why == "gave_up" and "started this worker 10 times" in mark.detail, "it was the last attempt"
    beat = Heartbeat.model_validate_json(output.get(RunKeys(held.run).heartbeat(0)))
    assert beat.notice is not None
    process.send_signal(signal.SIGTERM)  # as the ECS agent does when the instance drains
    assert code(process) in (-signal.SIGTERM, 130)


def test_at_the_deadline_it_ends_with_a_code_that_batch_does_not_retry(
    bucket: str, output: Store, pdfbatch: Program
) -> None:
    run = begin_at(open_store(f"s3://{bucket}/in/"), output, "command", COPYING).manifest.run
    over = {"PDFBATCH_DEADLINE": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}
    assert pdfbatch("batch-job", **of_definition(bucket, run, 1), **of_batch(None), **over).returncode == 5
    assert mark_of(output, run).why == "deadline"


def test_invalid_settings_end_with_a_code_that_batch_does_not_retry(bucket: str, pdfbatch: Program) -> None:
    ended = pdfbatch("batch-job", AWS_BATCH_JOB_ID=JOB, S3_INPUT_BUCKET=bucket)
    assert ended.returncode == 2 and "TOTAL_WORKERS" in ended.stderr
    outside = pdfbatch("batch-job", **of_definition(bucket, "R"))
    assert outside.returncode == 2 and "AWS_BATCH_JOB_ID" in outside.stderr and "pdfbatch worker" in outside.stderr


def test_a_scheduled_job_lists_the_input_once_whatever_its_children_find(
    bucket: str, output: Store, pdfbatch: Program
) -> None:
    source = open_store(f"s3://{bucket}/in/")
    ordered = begin_at(source, open_store(f"s3://{bucket}/elsewhere/"), "command", COPYING, Slice(0, CHILDREN))
    order = ordered.manifest.model_copy(update={"output": output.url})
    save_order(output, "nightly", RunOrder(manifest=order, fleet=recorded("R")))
    variables = {name: value for name, value in of_definition(bucket, "").items() if name != "PDFBATCH_RUN"}
    variables["PDFBATCH_ORDER"] = "nightly"
    assert pdfbatch("batch-job", **variables, **of_batch(0)).returncode == 0
    source.put("late.pdf", odd.text_page())
    assert pdfbatch("batch-job", **variables, **of_batch(1)).returncode == 0
    (run,) = {entry.key.split("/")[1] for entry in output.list(".pdfbatch/") if entry.key.endswith("manifest.json.gz")}
    record = manifest.load_fleet(output, run)
    assert record is not None and record.way == "batch"
    outcomes = [found.key for _, found in ledger.outcomes(output, ledger.segments(output))]
    assert sorted(outcomes) == [f"{n}.pdf" for n in range(6)]

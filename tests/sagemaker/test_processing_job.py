"""The image's entry point run as SageMaker runs it: real worker processes over an S3 server, one for each host."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from pdfbatch.config import default_processes
from pdfbatch.records import Command, DoneMark, Heartbeat, Manifest, ReadOptions, RunKeys
from pdfbatch.records.order import RunOrder
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.orders import save_order
from pdfbatch.runs.partition import Slice
from pdfbatch.runs.slices import keys_of
from pdfbatch.store import Store, open_store
from samples import odd
from tests.program import Program, of_worker
from tests.runs.fleets import fleet
from tests.sagemaker import opt_ml
from tests.worker.begun import begin_at, now

HOSTS = 2
REQUEST = {
    "ProcessingJobName": "pdfbatch-1",
    "ProcessingResources": {"ClusterConfig": {"InstanceCount": HOSTS, "InstanceType": "ml.m5.large"}},
    "StoppingCondition": {"MaxRuntimeInSeconds": 7200},
}


@pytest.fixture
def output(bucket: str) -> Store:
    source = open_store(f"s3://{bucket}/in/")
    for number in range(6):
        source.put(f"{number}.pdf", odd.text_page() + b"%%%d\n" % number)
    return open_store(f"s3://{bucket}/out/")


def job_environment(bucket: str, run: str) -> Mapping[str, str]:
    """The `Environment` of the job's request: a host finds the rest in its /opt/ml."""
    return {name: value for name, value in of_worker(bucket, run).items() if name not in ("WORKER_ID", "TOTAL_WORKERS")}


def start_hosts(folder: Path, bucket: str, run: str) -> dict[Path, subprocess.Popen[str]]:
    trees = [opt_ml.make(folder / f"algo-{number}", REQUEST, number, HOSTS) for number in range(1, HOSTS + 1)]
    return {tree: opt_ml.started(tree, job_environment(bucket, run)) for tree in trees}


def codes(hosts: dict[Path, subprocess.Popen[str]]) -> list[int]:
    """The exit codes; stderr of a host that failed is shown by pytest."""
    found = []
    for process in hosts.values():
        _, errors = process.communicate(timeout=120)
        print(errors)
        found.append(process.returncode)
    return found


@pytest.mark.slow
def test_the_hosts_of_a_job_do_the_whole_run(tmp_path: Path, bucket: str, output: Store) -> None:
    source = open_store(f"s3://{bucket}/in/")
    source.put("broken.pdf", b"not a PDF at all")
    run = begin_at(source, output, "null", ReadOptions(), Slice(0, HOSTS)).manifest.run
    hosts = start_hosts(tmp_path, bucket, run)
    assert codes(hosts) == [0, 0], "a document that failed does not fail the job"
    outcomes = [found.key for _, found in ledger.outcomes(output, ledger.segments(output))]
    assert sorted(outcomes) == sorted(entry.key for entry in source.list())
    assert {entry.key for entry in output.list() if entry.key.endswith(".md")} == {f"{n}.md" for n in range(6)}
    messages = "".join(map(opt_ml.message, hosts))
    assert "algo-1: " in messages and "algo-2: " in messages
    assert messages.count(f"run {run}: 7 of 7 documents, 1 failed; 6 pages") == 1
    beat = Heartbeat.model_validate_json(output.get(RunKeys(run).heartbeat(1)))
    assert beat.machine is not None and (beat.machine.instance, beat.machine.type) == ("algo-2", "ml.m5.large")


@pytest.mark.slow
def test_a_stopped_job_drains_and_the_next_one_continues(
    tmp_path: Path, bucket: str, output: Store, pdfbatch: Program
) -> None:
    go = tmp_path / "go"
    go.mkdir()
    wait = f"touch {go}/begun-$name; while [ ! -e {go}/$name ]; do sleep 0.05; done"
    line = f"for file in {{in}}/*; do name=$(basename $file); {wait}; cp $file {{out}}/; done"
    source, at_once = open_store(f"s3://{bucket}/in/"), default_processes()
    for number in range(at_once):
        source.put(f"more-{number}.pdf", odd.text_page() + b"%%%% %d\n" % number)
    run = begin_at(source, output, "command", ReadOptions(command=Command(line=line, batch=1))).manifest.run
    tree = opt_ml.make(tmp_path / "first", REQUEST)
    process = opt_ml.started(tree, job_environment(bucket, run))
    while len(begun := sorted(go.iterdir())) < at_once:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)  # what SageMaker sends for StopProcessingJob
    for path in begun:
        (go / path.name.removeprefix("begun-")).touch()
    assert codes({tree: process}) == [130]
    assert opt_ml.message(tree).rstrip().endswith("; interrupted")
    mark = DoneMark.model_validate_json(output.get(RunKeys(run).done_mark(0)))
    assert mark.why == "gave_up" and "launch again to resume" in mark.detail, "nobody resumes it in this run"
    assert mark.counts.done == at_once
    for entry in source.list():
        (go / entry.key).touch()
    again = opt_ml.make(tmp_path / "again", REQUEST)
    ended = pdfbatch("processing-job", PDFBATCH_OPT_ML=str(again), **job_environment(bucket, run))
    assert ended.returncode == 0, ended.stderr
    outcomes = [found.key for _, found in ledger.outcomes(output, ledger.segments(output))]
    assert sorted(outcomes) == sorted(entry.key for entry in source.list()), "each exactly once"


def test_a_host_that_cannot_work_fails_the_job_and_says_why(tmp_path: Path, bucket: str, pdfbatch: Program) -> None:
    tree = opt_ml.make(tmp_path, REQUEST)
    environment = job_environment(bucket, "20260101T000000.000Z-0000")
    assert pdfbatch("processing-job", PDFBATCH_OPT_ML=str(tree), **environment).returncode == 1
    assert opt_ml.message(tree).startswith("algo-1: Unknown run 20260101T000000.000Z-0000.")


def test_a_message_that_cannot_be_written_does_not_fail_the_job(
    tmp_path: Path, bucket: str, output: Store, pdfbatch: Program
) -> None:
    run = begin_at(open_store(f"s3://{bucket}/in/"), output, "null", ReadOptions()).manifest.run
    tree = opt_ml.make(tmp_path, REQUEST)
    (tree / "output").write_text("a file, where SageMaker has a folder")
    ended = pdfbatch("processing-job", PDFBATCH_OPT_ML=str(tree), **job_environment(bucket, run))
    assert ended.returncode == 0 and "the job has no exit message" in ended.stderr


@pytest.mark.slow
def test_a_scheduled_job_freezes_what_is_new_or_changed_each_time(
    tmp_path: Path, bucket: str, output: Store, pdfbatch: Program
) -> None:
    source = open_store(f"s3://{bucket}/in/")
    ordered = Manifest(
        run="", created=now(), input=source.url, output=output.url, total_workers=1, engine="null", slices=[]
    )
    save_order(output, "nightly", RunOrder(manifest=ordered, fleet=fleet()))
    environment = {name: value for name, value in job_environment(bucket, "").items() if value}

    def execute(job: str) -> tuple[str, list[str]]:
        tree = opt_ml.make(tmp_path / job, {**REQUEST, "ProcessingJobName": job})
        variables = {"PDFBATCH_OPT_ML": str(tree), "PDFBATCH_ORDER": "nightly"}
        ended = pdfbatch("processing-job", **variables, **environment)
        assert ended.returncode == 0, ended.stderr
        frozen = manifest.load(output, manifest.current(output) or "")
        return opt_ml.message(tree), list(keys_of(output, frozen))

    message, keys = execute("first")
    assert "6 of 6 documents" in message and len(keys) == 6
    assert execute("second") == ("nothing is left to do\n", keys), "and the run before stays the current one"
    source.put("new.pdf", odd.text_page() + b"%% new\n")
    source.put("0.pdf", odd.text_page() + b"%% changed\n")
    message, keys = execute("third")
    assert keys == ["0.pdf", "new.pdf"] and "of 2 documents" in message

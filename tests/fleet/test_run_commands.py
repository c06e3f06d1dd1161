"""What is done with the runs of a fleet after `launch`: retry, list, read the logs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pdfbatch.runs import manifest
from pdfbatch.runs.slices import documents_of
from pdfbatch.triage.files import as_file
from tests.fleet.places import Places
from tests.program import Program
from tests.triage.pages import triage_of


@pytest.mark.slow
def test_failures_are_retried_on_a_small_fleet(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    first = manifest.current(places.store) or ""
    pdfbatch("down", places.output, "--yes")
    places.finish(first)
    retried = pdfbatch("retry-failures", places.output, "--reason", "timeout", "--yes", "--json")
    assert retried.returncode == 0, retried.stderr
    frozen = manifest.load(places.store, json.loads(retried.stdout)["run"])
    documents = documents_of(places.store, frozen, 0)
    assert [document.key for document in documents] == ["0.pdf"]
    assert (frozen.total_workers, frozen.retry_of, documents[0].attempt) == (1, first, 2)
    assert frozen.engine == "null", "that of the run before"
    nothing = pdfbatch("retry-failures", places.output, "--reason", "crashed", "--yes")
    assert nothing.returncode == 1 and "still running" in nothing.stderr


def test_failures_are_retried_in_a_pool(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    places.finish(manifest.current(places.store) or "")
    plan = pdfbatch("retry-failures", places.output, "--reason", "timeout", "--pool", "--dry-run", "--json")
    assert plan.returncode == 0, plan.stderr
    assert json.loads(plan.stdout)["blocks"] == 1


@pytest.mark.slow
def test_documents_of_a_list_are_read_again_on_a_fleet(places: Places, pdfbatch: Program, tmp_path: Path) -> None:
    pdfbatch(*places.launch)
    places.finish(manifest.current(places.store) or "")
    (tmp_path / "pages.tsv").write_text("1.pdf\t1\n")
    retried = pdfbatch("retry-failures", places.output, "--pages", tmp_path / "pages.tsv", "--yes", "--json")
    assert retried.returncode == 0, retried.stderr
    frozen = manifest.load(places.store, json.loads(retried.stdout)["run"])
    assert [document.key for document in documents_of(places.store, frozen, 0)] == ["1.pdf"]


@pytest.mark.slow
def test_a_run_whose_workers_have_all_ended_is_not_alive(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    places.finish(manifest.current(places.store) or "")
    again = pdfbatch(*places.launch)
    assert again.returncode == 0, again.stderr
    assert manifest.load(places.store, manifest.current(places.store) or "").documents == 1


@pytest.mark.slow
def test_logs_are_read_by_worker_and_followed(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    run = manifest.current(places.store) or ""
    logs, group = places.account.client("logs"), places.account.names.log_group
    now = int(time.time() * 1000)
    for worker in range(2):
        stream = f"{run}/worker-{worker}/i-0abc"
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        texts = [f"worker {worker} says hello", '{"_aws":{"Timestamp":1},"Pages":3}']
        events = [{"timestamp": now + number, "message": text} for number, text in enumerate(texts)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    every, one = pdfbatch("logs", places.output), pdfbatch("logs", places.output, "1")
    assert every.returncode == one.returncode == 0, every.stderr
    assert every.stdout.count("hello") == 2 and "_aws" not in every.stdout
    assert "worker 1 says hello" in one.stdout and one.stdout.count("hello") == 1
    command = [sys.executable, "-m", "pdfbatch.cli", "logs", places.output, "0", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert "worker 0 says hello" in following.stdout.readline()
        event = [{"timestamp": now + 50, "message": "and goodbye"}]
        logs.put_log_events(logGroupName=group, logStreamName=f"{run}/worker-0/i-0abc", logEvents=event)
        assert "and goodbye" in following.stdout.readline()
        following.terminate()


def test_logs_of_an_unknown_worker_list_the_known_ones(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    wrong = pdfbatch("logs", places.output, "7")
    assert wrong.returncode == 2 and "has workers 0 to 2, not 7" in wrong.stderr


@pytest.mark.slow
def test_runs_are_listed_and_an_unknown_one_points_to_the_list(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    first = manifest.current(places.store) or ""
    pdfbatch("down", places.output, "--yes")
    places.finish(first)
    pdfbatch("retry-failures", places.output, "--yes")
    listed = json.loads(pdfbatch("runs", places.output, "--json").stdout)
    assert [(run["run"], run["state"], run["documents"]["total"]) for run in listed["runs"]] == [
        (first, "done", 3),
        (manifest.current(places.store), "waiting", 1),
    ]
    assert first in pdfbatch("runs", places.output).stdout
    for command in ("status", "report", "logs"):
        unknown = pdfbatch(command, places.output, "--run", "r7")
        assert unknown.returncode == 1 and "Unknown run r7" in unknown.stderr, command
        assert f"pdfbatch runs {places.output}" in unknown.stderr and "delete" not in unknown.stderr.lower()


@pytest.mark.slow
def test_a_command_is_launched_frozen_and_retried_on_a_fleet(places: Places, pdfbatch: Program) -> None:
    command = "tool {in} {out}"
    launch = [*places.launch[:3], "--workers", 2, "--yes", "--include", "*", "--command", command, "--batch", 7]
    unknown = pdfbatch(*launch)
    assert unknown.returncode == 2 and "--pages-per-second" in unknown.stderr
    launched = pdfbatch(*launch, "--pages-per-second", 3)
    assert launched.returncode == 0, launched.stderr
    first = manifest.current(places.store) or ""
    frozen = manifest.load(places.store, first)
    assert (frozen.engine, frozen.options.command.line, frozen.options.command.batch) == ("command", command, 7)
    assert frozen.chosen.any_kind
    pdfbatch("down", places.output, "--yes")
    places.finish(first)
    retried = pdfbatch("retry-failures", places.output, "--yes", "--json", "--pages-per-second", 3)
    assert retried.returncode == 0, retried.stderr
    assert manifest.load(places.store, json.loads(retried.stdout)["run"]).options.command == frozen.options.command


@pytest.mark.slow
def test_what_the_model_reads_is_decided_as_before_when_failures_are_retried_on_a_fleet(
    places: Places, pdfbatch: Program, tmp_path: Path
) -> None:
    (tmp_path / "triage.json").write_bytes(as_file(triage_of({"doubt": 1.0}).model))
    pace = ("--pages-per-second", 3)
    launch = [*places.launch[:3], "--yes", "--engine", "auto", "--triage", tmp_path / "triage.json", *pace]
    launched = pdfbatch(*launch)
    assert launched.returncode == 0, launched.stderr
    first = manifest.current(places.store) or ""
    pdfbatch("down", places.output, "--yes")
    places.finish(first)
    retried = pdfbatch("retry-failures", places.output, "--yes", "--json", *pace)
    assert retried.returncode == 0, retried.stderr
    before, after = (manifest.load(places.store, run) for run in (first, json.loads(retried.stdout)["run"]))
    assert after.engine == "auto" and after.options.triage == before.options.triage is not None
    pdfbatch("down", places.output, "--yes")
    by_another = pdfbatch("retry-failures", places.output, "--yes", "--json", "--engine", "cpu", *pace)
    assert by_another.returncode == 0, by_another.stderr
    assert manifest.load(places.store, json.loads(by_another.stdout)["run"]).options.triage is None

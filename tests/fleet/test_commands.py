"""The fleet's commands as a user runs them, each once in a process of its own, against a simulated AWS over HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from itertools import chain

import pytest

from pdfbatch.records import DoneMark, Outcome, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.ledger import LedgerWriter
from pdfbatch.runs.slices import documents_of
from pdfbatch.store import Store, open_store
from samples import odd
from tests.fleet.conftest import Account
from tests.program import Program, own_process

DOCUMENTS = 3


class Places:
    def __init__(self, account: Account) -> None:
        self.account = account.ready()
        bucket = account.bucket()
        self.input, self.output = f"s3://{bucket}/in/", f"s3://{bucket}/out/"
        self.store: Store = open_store(self.output)
        source = open_store(self.input)
        for number in range(DOCUMENTS):
            source.put(f"{number}.pdf", odd.text_page() + b"%%%d\n" % number)

    @property
    def launch(self) -> list[str]:
        return ["launch", self.input, self.output, "--engine", "null", "--workers", "5", "--yes"]

    def finish(self, run: str) -> None:
        """Does in the store what the workers would do: one document fails, the others are published."""
        frozen = manifest.load(self.store, run)
        ledger = LedgerWriter(self.store, RunKeys(run), 0, 1)
        documents = [documents_of(self.store, frozen, worker) for worker in range(frozen.total_workers)]
        for number, document in enumerate(sorted(chain(*documents))):
            kind = "failed" if number == 0 else "ok"
            reason = "timeout" if number == 0 else None
            ledger.add(
                Outcome.model_validate({"key": document.key, "outcome": kind, "reason": reason, "etag": document.etag})
            )
            if number:
                self.store.put(document.key.replace(".pdf", ".md"), b"<!-- page 1 -->\n")
        ledger.flush()
        for worker in range(frozen.total_workers):
            mark = DoneMark(worker=worker, why="done", at="2026-11-25T12:00:00Z")
            self.store.put(RunKeys(run).done_mark(worker), mark.model_dump_json().encode())


@pytest.fixture
def places(account: Account) -> Places:
    return Places(account)


def test_from_plan_to_down(places: Places) -> None:
    planned = own_process("plan", places.input, places.output, "--engine", "null", "--workers", "5", "--json")
    assert planned.returncode == 0, planned.stderr
    plan = json.loads(planned.stdout)
    assert plan["workers"] == DOCUMENTS and plan["pages"] == {"low": 3.0, "high": 3.0}
    assert places.account.calls("CreateFleet") == []

    launched = own_process(*places.launch)
    assert launched.returncode == 0, launched.stderr
    assert f"pdfbatch status {places.output} --watch" in launched.stdout and "Hard cap" in launched.stderr
    assert len(places.account.calls("CreateFleet")) == DOCUMENTS

    again = own_process(*places.launch)
    assert again.returncode == 1 and "still running" in again.stderr and "pdfbatch down" in again.stderr

    seen = json.loads(own_process("status", places.output, "--json").stdout)
    assert seen["documents"]["total"] == DOCUMENTS and seen["worst_dollars"] > 0

    listed = json.loads(own_process("ls", "--json").stdout)["runs"]
    assert [(run["run"], run["fleets"], run["templates"]) for run in listed] == [(seen["run"], DOCUMENTS, DOCUMENTS)]

    ended = own_process("down", places.output, "--yes")
    assert ended.returncode == 0 and "3 fleets" in ended.stdout, ended.stderr
    assert json.loads(own_process("ls", "--json").stdout)["runs"] == []
    assert json.loads(own_process("status", places.output, "--json").stdout)["state"] == "ended"
    again = own_process("down", places.output, "--yes")
    assert again.returncode == 0 and "Already down" in again.stdout
    assert own_process(*places.launch).returncode == 0, "after down the next launch resumes what is left"


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


def test_a_run_whose_workers_have_all_ended_is_not_alive(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    places.finish(manifest.current(places.store) or "")
    again = pdfbatch(*places.launch)
    assert again.returncode == 0, again.stderr
    assert manifest.load(places.store, manifest.current(places.store) or "").documents == 1


def test_answering_no_launches_nothing_and_without_a_terminal_yes_is_required(
    places: Places, pdfbatch: Program
) -> None:
    refused = pdfbatch(*places.launch[:-1])
    assert refused.returncode == 2 and "--yes" in refused.stderr
    answered = subprocess.run(
        [
            "script",
            "-qec",
            f"{sys.executable} -m pdfbatch.cli launch {places.input} {places.output} --engine null",
            "/dev/null",
        ],
        input="n\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answered.returncode == 130 and "Cancelled; nothing changed." in answered.stdout, answered.stdout
    assert places.account.calls("CreateFleet") == [] and manifest.current(places.store) is None


@pytest.mark.parametrize("typo", ["{output}typo/", "s3://no-such-bucket/out/"])
def test_down_with_a_typo_is_an_error_and_names_what_still_runs(places: Places, pdfbatch: Program, typo: str) -> None:
    pdfbatch(*places.launch)
    places.account.order("tick")
    mistyped = pdfbatch("down", typo.format(output=places.output), "--yes")
    assert mistyped.returncode == 1 and "No run at " in mistyped.stderr
    assert f"STILL RUNNING: {places.output} (3 instances)" in mistyped.stderr
    assert f"try: pdfbatch down {places.output}" in mistyped.stderr
    assert len(json.loads(pdfbatch("ls", "--json").stdout)["runs"]) == 1


def test_down_of_an_unknown_run_is_an_error(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    for typed in (["--run", "r1"], [places.output, "--run", "r1"]):
        mistyped = pdfbatch("down", *typed, "--yes")
        assert mistyped.returncode == 1 and "No run r1" in mistyped.stderr and places.output in mistyped.stderr


def test_down_by_run_needs_no_output(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    run = manifest.current(places.store) or ""
    places.store.delete(entry.key for entry in list(places.store.list()))
    assert pdfbatch("down", "--run", run, "--yes", "--json").returncode == 0
    assert json.loads(pdfbatch("ls", "--json").stdout)["runs"] == []


def test_down_by_run_marks_the_store_named_by_the_tags(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    pdfbatch("down", "--run", manifest.current(places.store) or "", "--yes")
    assert json.loads(pdfbatch("status", places.output, "--json").stdout)["state"] == "ended"
    assert pdfbatch(*places.launch).returncode == 0


def test_down_uses_the_fleets_region_whatever_region_is_set(
    places: Places, pdfbatch: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    pdfbatch(*places.launch)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    ended = pdfbatch("down", places.output, "--yes")
    assert ended.returncode == 0 and "3 fleets" in ended.stdout
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert json.loads(pdfbatch("ls", "--json").stdout)["runs"] == []


def test_credentials_of_another_account_mark_nothing_as_ended(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    run = manifest.current(places.store) or ""
    record = manifest.load_fleet(places.store, run)
    assert record is not None
    manifest.save_fleet(places.store, record.model_copy(update={"account": "999999999999"}))
    refused = pdfbatch("down", places.output, "--yes")
    assert refused.returncode == 4 and "999999999999" in refused.stderr and "AWS_PROFILE" in refused.stderr
    assert json.loads(pdfbatch("status", places.output, "--json").stdout)["state"] != "ended"


def test_a_local_run_is_refused_while_a_fleet_is_running(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch, "--workers", "1")
    beside = pdfbatch("local-run", places.input, places.output, "--engine", "null")
    assert beside.returncode == 1 and "pdfbatch down" in beside.stderr
    pdfbatch("down", places.output, "--yes")
    assert pdfbatch("local-run", places.input, places.output, "--engine", "null").returncode == 0


@pytest.mark.slow
def test_a_launch_whose_terminal_is_closed_removes_what_it_created(places: Places) -> None:
    busy = {"action": "CreateFleet", "code": "MaxFleetCountExceeded", "message": "busy", "status": 400}
    places.account.order("faults", [busy | {"nth": nth} for nth in (3, 4, 5)])  # pauses of some 20 s to be met in
    command = [sys.executable, "-m", "pdfbatch.cli", *places.launch]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as launching:
        while len(places.account.calls("CreateFleet")) < 3:
            assert launching.poll() is None
            time.sleep(0.05)
        launching.send_signal(signal.SIGHUP)
        said = launching.communicate(timeout=120)[1]
    assert launching.returncode == 130 and "removing what was created" in said
    fleets = places.account.client("ec2").describe_fleets()["Fleets"]
    assert [fleet for fleet in fleets if fleet["FleetState"] == "active"] == []
    assert manifest.current(places.store) is None


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


def test_logs_of_an_unknown_worker_list_the_known_ones(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    wrong = pdfbatch("logs", places.output, "7")
    assert wrong.returncode == 2 and "has workers 0 to 2, not 7" in wrong.stderr


FAULTS = {
    "a folder as output": ("launch {input} /tmp/x --yes", 2),
    "a model for an engine without": ("plan {input} {output} --engine cpu --model a/b", 2),
    "the model on a type without a GPU": ("plan {input} {output} --engine dolphin --instance-type c7i.xlarge", 2),
    "an unknown type": ("plan {input} {output} --instance-type g9.huge", 2),
    "an ARM type": ("plan {input} {output} --instance-type g5g.xlarge", 2),
    "types of two quotas": ("plan {input} {output} --instance-type g4dn.xlarge --instance-type c7i.xlarge", 2),
    "an unknown engine": ("plan {input} {output} --engine magic", 2),
    "an unknown subnet": ("plan {input} {output} --engine null --subnet subnet-nowhere", 2),
    "an unknown machine image": ("plan {input} {output} --engine null --ami ami-0123456789abcdef0", 2),
    "an unknown parameter": ("plan {input} {output} --engine null --ami /my/ami", 2),
    "a bad stack name": ("plan {input} {output} --stack My_Stack", 2),
    "a stack that was never set up": ("plan {input} {output} --stack other", 4),
    "a tag without a value": ("plan {input} {output} --tag team", 2),
    "too little money": ("plan {input} {output} --engine null --max-cost 0.01", 2),
    "down without anything": ("down", 2),
    "logs of no run": ("logs {output}", 1),
    "runs of no run": ("runs {output}", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_input_gives_one_clear_line_and_the_next_step(places: Places, pdfbatch: Program, fault: str) -> None:
    typed, code = FAULTS[fault]
    ended = pdfbatch(*typed.format(input=places.input, output=places.output).split())
    assert ended.returncode == code, ended.stderr
    assert ended.stderr.startswith("error: ") and "\n  try: " in ended.stderr and ended.stdout == ""
    assert places.account.calls("CreateFleet") == [] and places.account.calls("CreateLaunchTemplate") == []

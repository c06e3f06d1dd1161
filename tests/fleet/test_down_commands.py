"""`pdfbatch down` as a user runs it, and what a closed terminal does, against a simulated AWS over HTTP."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from pdfbatch.runs import manifest
from tests.fleet.places import Places
from tests.program import Program


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


@pytest.mark.slow
def test_down_by_run_needs_no_output(places: Places, pdfbatch: Program) -> None:
    pdfbatch(*places.launch)
    run = manifest.current(places.store) or ""
    places.store.delete(entry.key for entry in list(places.store.list()))
    assert pdfbatch("down", "--run", run, "--yes", "--json").returncode == 0
    assert json.loads(pdfbatch("ls", "--json").stdout)["runs"] == []


@pytest.mark.slow
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


@pytest.mark.slow
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

"""The fleet's commands as a user runs them, each once in a process of its own, against a simulated AWS over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pdfbatch.runs import manifest
from tests.fleet.places import DOCUMENTS, Places
from tests.program import Program, own_process


@pytest.mark.slow
def test_from_plan_to_down(places: Places, pdfbatch: Program) -> None:
    planned = own_process("plan", places.input, places.output, "--engine", "null", "--workers", "5", "--json")
    assert planned.returncode == 0, planned.stderr
    plan = json.loads(planned.stdout)
    assert plan["workers"] == DOCUMENTS and plan["pages"] == {"low": 3.0, "high": 3.0}
    assert places.account.calls("CreateFleet") == []

    launched = own_process(*places.launch)
    assert launched.returncode == 0, launched.stderr
    assert f"pdfbatch status {places.output} --watch" in launched.stdout and "Hard cap" in launched.stderr
    assert len(places.account.calls("CreateFleet")) == DOCUMENTS

    again = pdfbatch(*places.launch)
    assert again.returncode == 1 and "still running" in again.stderr and "pdfbatch down" in again.stderr

    seen = json.loads(own_process("status", places.output, "--json").stdout)
    assert seen["documents"]["total"] == DOCUMENTS and seen["worst_dollars"] > 0

    listed = json.loads(own_process("ls", "--json").stdout)["runs"]
    assert [(run["run"], run["fleets"], run["templates"]) for run in listed] == [(seen["run"], DOCUMENTS, DOCUMENTS)]

    ended = own_process("down", places.output, "--yes")
    assert ended.returncode == 0 and "3 fleets" in ended.stdout, ended.stderr
    assert json.loads(pdfbatch("ls", "--json").stdout)["runs"] == []
    assert json.loads(pdfbatch("status", places.output, "--json").stdout)["state"] == "ended"
    again = pdfbatch("down", places.output, "--yes")
    assert again.returncode == 0 and "Already down" in again.stdout
    assert pdfbatch(*places.launch).returncode == 0, "after down the next launch resumes what is left"


@pytest.mark.slow
def test_a_plan_with_an_endpoint_says_where_pages_go_and_that_it_decides_the_pace(
    places: Places, pdfbatch: Program
) -> None:
    engine = ["--engine", "endpoint", "--endpoint-url", "https://models.example.org/v1", "--endpoint-model", "m"]
    planned = pdfbatch("plan", places.input, places.output, *engine, "--json")
    assert planned.returncode == 0, planned.stderr
    plan = json.loads(planned.stdout)
    assert (plan["engine"], plan["model"]) == ("endpoint", "m") and "the endpoint decides" in plan["pace"]["source"]
    assert any("sent to https://models.example.org/v1" in warning for warning in plan["warnings"])
    refused = pdfbatch("plan", places.input, places.output, *engine, "--model", "n")
    assert refused.returncode == 2 and "--endpoint-model" in refused.stderr


def test_a_plan_with_processors_says_what_the_image_must_have(places: Places, pdfbatch: Program) -> None:
    also = ["--also", "tests.processors.own:Notes", "--also", "images"]
    planned = pdfbatch("plan", places.input, places.output, "--engine", "null", *also, "--json")
    assert planned.returncode == 0, planned.stderr
    needs = [warning for warning in json.loads(planned.stdout)["warnings"] if "image must have" in warning]
    assert needs == ["the image must have the processor tests.processors.own:Notes 1 (docs/processors.md)"]
    refused = pdfbatch("launch", places.input, places.output, "--yes", "--also", "images:dpi=high")
    assert refused.returncode == 2 and "dpi is 'high'" in refused.stderr


@pytest.mark.slow
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

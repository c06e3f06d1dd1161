"""What users expect of any command line: settings, help, quiet, suggestions, JSON lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from samples.many import many_pdfs

Ended = subprocess.CompletedProcess[str]


def pdfbatch(folder: Path, *words: str, env: Mapping[str, str] = {}) -> Ended:
    return subprocess.run(
        [sys.executable, "-m", "pdfbatch", *words], cwd=folder, env=os.environ | env, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with settings, two PDFs and a broken one, converted."""
    folder = tmp_path_factory.mktemp("project")
    many_pdfs(folder / "pdfs", 2)
    (folder / "pdfs" / "bad.pdf").write_bytes(b"<html>")
    (folder / "pdfbatch.toml").write_text(
        'input = "pdfs"\noutput = "markdown"\nengine = "null"\n[profile.other]\noutput = "elsewhere"\n'
    )
    ended = pdfbatch(folder, "local-run", "-q")
    assert ended.returncode == 3 and ended.stderr == "", ended.stderr
    assert ended.stdout.startswith("DONE  2 ok, 1 failed")
    return folder


def test_the_settings_are_found_in_a_folder_above_and_shown_with_their_source(project: Path) -> None:
    below = project / "pdfs"
    shown = json.loads(pdfbatch(below, "config", "--json", env={"PDFBATCH_WORKERS": "4"}).stdout)
    assert shown["engine"].items() >= {"value": "null", "source": str(project / "pdfbatch.toml")}.items()
    assert shown["workers"].items() >= {"value": 4, "source": "PDFBATCH_WORKERS"}.items()
    assert shown["max_retries"] == {"value": None, "source": None, "default": "2"}


def test_what_is_typed_wins_over_the_settings(project: Path) -> None:
    nothing = pdfbatch(project, "status", "elsewhere")
    assert nothing.returncode == 1 and "elsewhere" in nothing.stderr
    profile = pdfbatch(project, "status", "--profile", "other")
    assert profile.returncode == 1 and "elsewhere" in profile.stderr
    assert pdfbatch(project, "status").stdout.startswith("DONE ")


def test_a_setting_that_an_option_refuses_is_named_with_its_source(project: Path) -> None:
    refused = pdfbatch(project, "local-run", env={"PDFBATCH_LIMIT": "0"})
    assert refused.returncode == 2 and "(from PDFBATCH_LIMIT)" in refused.stderr


def test_each_document_is_one_line_of_json(project: Path) -> None:
    lines = [json.loads(line) for line in pdfbatch(project, "status", "--jsonl").stdout.splitlines()]
    assert [(line["key"], line["outcome"]) for line in lines] == [
        ("000/doc-00000.pdf", "ok"),
        ("000/doc-00001.pdf", "ok"),
        ("bad.pdf", "failed"),
    ]
    assert pdfbatch(project, "report", "--jsonl", "--failures").stdout.count("\n") == 1
    both = pdfbatch(project, "status", "--json", "--jsonl")
    assert both.returncode == 2 and "cannot be combined" in both.stdout


def test_the_failures_are_listed_with_what_to_do(project: Path) -> None:
    listed = pdfbatch(project, "report", "--failures").stdout
    assert "not_a_pdf (1): the content is not a PDF" in listed and "fix: download the file again" in listed
    assert "bad.pdf  not_a_pdf" in listed


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["stauts"], "Did you mean 'status'?"),
        (["local-run", "--engnie", "cpu", "a", "b"], "--engine"),
        (["local-run", "pdfs", "out", "--engine", "dolpin"], "Did you mean 'dolphin'?"),
        (["retry-failures", "out", "--reason", "encypted"], "Did you mean 'encrypted'?"),
    ],
)
def test_a_typo_is_answered_with_a_suggestion(project: Path, words: list[str], suggestion: str) -> None:
    typo = pdfbatch(project, *words)
    assert typo.returncode == 2 and suggestion in typo.stderr


def test_help_has_three_ways_and_one_text(project: Path) -> None:
    helps = [pdfbatch(project, *words) for words in (["status", "-h"], ["status", "--help"], ["help", "status"])]
    assert len({shown.stdout for shown in helps}) == 1 and "--watch" in helps[0].stdout
    assert "local-run" in pdfbatch(project, "help").stdout
    assert pdfbatch(project, "-V").stdout.startswith("pdfbatch ")


def test_a_setting_has_the_name_of_its_option(project: Path) -> None:
    settings = json.loads(pdfbatch(project, "config", "--json").stdout)
    assert {"max_failures_in_a_row", "instance_type", "every", "on_demand", "join_tables"} <= settings.keys()
    assert not {"places", "json", "delete", "all", "seconds", "failures_in_a_row"} & settings.keys()
    assert not {"yes", "dry_run", "folder", "worker", "policy", "watch", "run"} & settings.keys(), "not settings"


def test_all_settings_are_shown_with_their_defaults(project: Path) -> None:
    lines = pdfbatch(project, "config", "--all", env={"COLUMNS": "200"}).stdout.splitlines()
    shown = {line.split()[0]: line for line in lines}
    assert shown["dpi"].split() == ["dpi", "200", "default"]
    assert shown["engine"].split() == ["engine", "null", str(project / "pdfbatch.toml")]
    assert "retry-failures: 1" in shown["workers"] and "plan, launch: 5, or fewer" in shown["workers"]


def test_no_setting_answers_a_question(project: Path, tmp_path: Path) -> None:
    (tmp_path / "pdfbatch.toml").write_text("yes = true\n")
    refused = pdfbatch(tmp_path, "config")
    assert refused.returncode == 2 and "no setting may answer a question" in refused.stderr


def test_the_usage_line_is_what_people_type(project: Path) -> None:
    usage = {name: pdfbatch(project, name, "-h").stdout.split("\n\n")[0] for name in ("local-run", "logs", "status")}
    assert "local-run [OPTIONS] INPUT... OUTPUT " in usage["local-run"]
    assert "logs [OPTIONS] OUTPUT [WORKER] " in usage["logs"]
    assert "status [OPTIONS] OUTPUT " in usage["status"]

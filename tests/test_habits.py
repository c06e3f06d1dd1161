"""What users expect of any command line: settings, help, quiet, suggestions, JSON lines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pdfbatch.cli.app import program
from samples.many import many_pdfs
from tests.program import Program


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, pdfbatch: Program) -> Path:
    """A folder with settings, two PDFs and a broken one, converted."""
    folder = tmp_path_factory.mktemp("project")
    many_pdfs(folder / "pdfs", 2)
    (folder / "pdfs" / "bad.pdf").write_bytes(b"<html>")
    (folder / "pdfbatch.toml").write_text(
        'input = "pdfs"\noutput = "markdown"\nengine = "null"\n[profile.other]\noutput = "elsewhere"\n'
    )
    ended = pdfbatch("local-run", "-q", folder=folder)
    assert ended.returncode == 3 and ended.stderr == "", ended.stderr
    assert ended.stdout.startswith("DONE  2 ok, 1 failed")
    return folder


def test_the_settings_are_found_in_a_folder_above_and_shown_with_their_source(project: Path, pdfbatch: Program) -> None:
    below = project / "pdfs"
    shown = json.loads(pdfbatch("config", "--json", folder=below, PDFBATCH_WORKERS="4").stdout)
    assert shown["engine"].items() >= {"value": "null", "source": str(project / "pdfbatch.toml")}.items()
    assert shown["workers"].items() >= {"value": 4, "source": "PDFBATCH_WORKERS"}.items()
    assert shown["max_retries"] == {"value": None, "source": None, "default": "2"}


def test_a_command_accepts_settings_for_the_other_commands(project: Path) -> None:
    """In a process of its own: it has imported no other command."""
    settings = project / "all.toml"
    settings.write_text('workers = 4\nmax_hours = 3\ncron = "rate(1 day)"\nengine = "null"\n')
    command = [sys.executable, "-m", "pdfbatch", "status", "markdown", "--json", "--config", settings.name]
    ended = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    settings.write_text("max_hour = 3\n")
    wrong = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert wrong.returncode == 2 and "max_hours" in wrong.stdout


def test_all_settings_are_listed_whatever_was_imported(project: Path, pdfbatch: Program) -> None:
    command = [sys.executable, "-m", "pdfbatch", "config", "--json"]
    alone = subprocess.run(command, cwd=project, capture_output=True, text=True)
    program()
    assert json.loads(alone.stdout).keys() == json.loads(pdfbatch("config", "--json", folder=project).stdout).keys()
    assert json.loads(alone.stdout).keys() >= {"workers", "cron", "processes", "expect_within", "max_retries"}


def test_what_is_typed_wins_over_the_settings(project: Path, pdfbatch: Program) -> None:
    nothing = pdfbatch("status", "elsewhere", folder=project)
    assert nothing.returncode == 1 and "elsewhere" in nothing.stderr
    profile = pdfbatch("status", "--profile", "other", folder=project)
    assert profile.returncode == 1 and "elsewhere" in profile.stderr
    assert pdfbatch("status", folder=project).stdout.startswith("DONE ")


def test_a_setting_that_an_option_refuses_is_named_with_its_source(project: Path, pdfbatch: Program) -> None:
    refused = pdfbatch("local-run", folder=project, PDFBATCH_LIMIT="0")
    assert refused.returncode == 2 and "(from PDFBATCH_LIMIT)" in refused.stderr


def test_each_document_is_one_line_of_json(project: Path, pdfbatch: Program) -> None:
    lines = [json.loads(line) for line in pdfbatch("status", "--jsonl", folder=project).stdout.splitlines()]
    assert [(line["key"], line["outcome"]) for line in lines] == [
        ("000/doc-00000.pdf", "ok"),
        ("000/doc-00001.pdf", "ok"),
        ("bad.pdf", "failed"),
    ]
    assert pdfbatch("report", "--jsonl", "--failures", folder=project).stdout.count("\n") == 1
    both = pdfbatch("status", "--json", "--jsonl", folder=project)
    assert both.returncode == 2 and "cannot be combined" in both.stdout


def test_the_failures_are_listed_with_what_to_do(project: Path, pdfbatch: Program) -> None:
    listed = pdfbatch("report", "--failures", folder=project).stdout
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
def test_a_typo_is_answered_with_a_suggestion(
    project: Path, words: list[str], suggestion: str, pdfbatch: Program
) -> None:
    typo = pdfbatch(*words, folder=project)
    assert typo.returncode == 2 and suggestion in typo.stderr


def test_help_has_three_ways_and_one_text(project: Path, pdfbatch: Program) -> None:
    helps = [pdfbatch(*words, folder=project) for words in (["status", "-h"], ["status", "--help"], ["help", "status"])]
    assert len({shown.stdout for shown in helps}) == 1 and "--watch" in helps[0].stdout
    assert "local-run" in pdfbatch("help", folder=project).stdout
    assert pdfbatch("-V", folder=project).stdout.startswith("pdfbatch ")


def test_a_setting_has_the_name_of_its_option(project: Path, pdfbatch: Program) -> None:
    settings = json.loads(pdfbatch("config", "--json", folder=project).stdout)
    assert {"max_failures_in_a_row", "instance_type", "every", "on_demand", "join_tables"} <= settings.keys()
    assert not {"places", "json", "delete", "all", "seconds", "failures_in_a_row"} & settings.keys()
    assert not {"yes", "dry_run", "folder", "worker", "policy", "watch", "run"} & settings.keys(), "not settings"


def test_all_settings_are_shown_with_their_defaults(project: Path, pdfbatch: Program) -> None:
    lines = pdfbatch("config", "--all", folder=project, COLUMNS="300").stdout.splitlines()
    shown = {line.split()[0]: line for line in lines}
    assert shown["dpi"].split() == ["dpi", "200", "default"]
    assert shown["engine"].split()[:2] == ["engine", "null"]
    assert str(project / "pdfbatch.toml").startswith(shown["engine"].split()[2])
    default = json.loads(pdfbatch("config", "--json", folder=project).stdout)["workers"]["default"]
    assert "retry-failures: 1" in default and "plan, launch: 5, or fewer" in default


def test_no_setting_answers_a_question(tmp_path: Path, pdfbatch: Program) -> None:
    (tmp_path / "pdfbatch.toml").write_text("yes = true\n")
    refused = pdfbatch("config", folder=tmp_path)
    assert refused.returncode == 2 and "no setting may answer a question" in refused.stderr


def test_the_usage_line_is_what_people_type(project: Path, pdfbatch: Program) -> None:
    usage = {
        name: pdfbatch(name, "-h", folder=project).stdout.split("\n\n")[0] for name in ("local-run", "logs", "status")
    }
    assert "local-run [OPTIONS] INPUT... OUTPUT " in usage["local-run"]
    assert "logs [OPTIONS] OUTPUT [WORKER] " in usage["logs"]
    assert "status [OPTIONS] OUTPUT " in usage["status"]

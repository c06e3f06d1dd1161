"""The README tells the truth about what can be typed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pdfbatch.errors import ExitCode
from pdfbatch.records import Reason

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = sorted(
    set(
        re.findall(
            r"pdfbatch (local-run|status|verify|retry-failures|worker|plan|launch|down|ls|logs|doctor|setup|report)\b",
            README,
        )
    )
)


def shown_help(command: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "pdfbatch.cli", command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "200", "TERM": "dumb"},
    )
    return ended.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_the_readme_gives_a_command_exists(command: str) -> None:
    told = re.findall(rf"pdfbatch {command}[^`\n]*`?[^\n]*", README)
    options = set(re.findall(r"--[a-z][a-z-]+", " ".join(told)))
    existing = set(re.findall(r"--[a-z][a-z-]+", shown_help(command)))
    assert options <= existing


def test_every_reason_and_every_exit_code_is_explained() -> None:
    assert {reason for reason in Reason if f"`{reason}`" not in README} == set()
    assert {code for code in ExitCode if f"| {int(code)} |" not in README} == set()


def test_every_make_target_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) - {"s"} <= targets

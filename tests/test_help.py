"""The help of every command fits 80 columns and can be read there."""

import os
import subprocess
import sys

import pytest

from pdfbatch.cli.examples import EXAMPLES
from tests.docs.lines import tree


def shown_help(command: str) -> str:
    shown = subprocess.run(
        [sys.executable, "-m", "pdfbatch", command, "-h"],
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout


@pytest.mark.parametrize("command", ["launch", "local-run", "retry-failures"])
def test_a_long_help_names_every_option_in_full_and_no_flag_takes_a_bool(command: str) -> None:
    screen = shown_help(command)
    assert "<bool>" not in screen
    names = [name for each in tree.commands[command].params if not getattr(each, "hidden", False) for name in each.opts]
    assert [name for name in names if name.startswith("--") and f"{name} " not in screen] == []


def test_every_help_is_an_imperative_sentence() -> None:
    for name in EXAMPLES:
        first = tree.commands[name].help.split()[0]
        assert first[0].isupper() and not first.endswith("s"), f"{name}: {first}"

"""The help of every command fits 80 columns and can be read there."""

import re

import pytest

from docs.generate.commands import all_commands
from pdfbatch.cli.examples import EXAMPLES
from tests.docs.lines import tree
from tests.program import Program


@pytest.mark.parametrize("command", ["launch", "local-run", "retry-failures"])
def test_a_long_help_names_every_option_in_full_and_no_flag_takes_a_bool(command: str, pdfbatch: Program) -> None:
    screen = pdfbatch(command, "-h", COLUMNS="80").stdout
    assert "<bool>" not in screen
    names = [name for each in tree.commands[command].params if not getattr(each, "hidden", False) for name in each.opts]
    assert [name for name in names if name.startswith("--") and f"{name} " not in screen] == []


def test_every_help_is_an_imperative_sentence() -> None:
    for name in EXAMPLES:
        first = all_commands()[name].help.split()[0]
        assert first[0].isupper() and not first.endswith("s"), f"{name}: {first}"


@pytest.mark.parametrize("command", sorted(EXAMPLES))
def test_no_help_shows_a_type_of_python(command: str, pdfbatch: Program) -> None:
    assert re.findall(r"<[a-z\[\]]+>", pdfbatch(*command.split(), "-h", COLUMNS="80").stdout) == []

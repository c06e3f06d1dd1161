"""The README is one page, and has the commands for contributors."""

import re
from pathlib import Path

import pytest

from tests.docs.lines import ROOT, prompts

README = (ROOT / "README.md").read_text()
MOST_WORDS = 1000
QUAINT_WORDS = ("tells", "told", "takes up", "heeds", "so many", "machine", "whoever", "dear", "cure", "nobody")
"""From an older README; each has a plainer alternative."""
NEVER = ("told", "cure", "dear", "whoever")
"""Of these, what no page of the manual needs."""


def test_it_is_short() -> None:
    assert len(README.split()) <= MOST_WORDS


def test_it_names_the_two_commands_for_a_fresh_clone() -> None:
    assert {"make demo", "make test"} <= set(prompts(README))


def test_it_names_all_that_ci_runs() -> None:
    run = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")]
    assert run == ["make clean", "make test", "make test-slow"]
    assert set(run[1:]) <= set(prompts(README))


def test_it_uses_plain_words() -> None:
    assert [word for word in QUAINT_WORDS if re.search(rf"\b{word}\b", README)] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_the_manual_uses_plain_words_too(page: Path) -> None:
    text = page.read_text()
    assert [word for word in NEVER if re.search(rf"\b{word}\b", text, re.IGNORECASE)] == []

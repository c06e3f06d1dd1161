"""The README is one page, and begins a contributor with two commands."""

import re

from tests.docs.lines import ROOT, prompts

README = (ROOT / "README.md").read_text()
MOST_WORDS = 1000
ENDED_WORDS = ("tells", "takes up", "heeds", "so many", "machine")
"""Of an older README: each has a plainer one."""


def test_it_is_short() -> None:
    assert len(README.split()) <= MOST_WORDS


def test_it_names_the_two_commands_for_a_fresh_clone() -> None:
    assert {"make demo", "make test"} <= set(prompts(README))


def test_it_speaks_plainly() -> None:
    assert [word for word in ENDED_WORDS if re.search(rf"\b{word}\b", README)] == []

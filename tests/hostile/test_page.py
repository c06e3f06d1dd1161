"""The page on hostile input names tests that exist, and has a row for every hostile document."""

from __future__ import annotations

import re
from pathlib import Path

from tests.hostile import traps

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text()


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`((?:tests/[\w/]+/)?test_\w+)`", PAGE)
    assert len(named) > 20
    for name in named:
        path = TESTS.parent / f"{name}.py" if "/" in name else TESTS / "hostile" / f"{name}.py"
        assert path.exists(), name


def test_every_document_that_the_page_names_is_made_by_code() -> None:
    made = {*traps.PDFS, *(name.partition(".")[0] for name in traps.PICTURES)}
    rows = PAGE.split("## What a child may touch")[0].splitlines()
    named = {
        name for row in rows if row.startswith("|") for name in re.findall(r"`([a-z]+_[a-z_]+)`", row.split("|")[3])
    }
    assert {name for name in named if not name.startswith("test_")} <= made

"""Sixty stories of workers under random faults; `make chaos` runs more."""

import pytest

from tests.chaos.__main__ import stories

STORIES = 60


@pytest.mark.slow
def test_whatever_happens_every_document_is_published_once_and_as_by_an_undisturbed_run() -> None:
    failed = {result.seed: (result.ended.wrong, result.log) for result in stories(range(STORIES)) if result.ended.wrong}
    assert not failed


@pytest.mark.slow
def test_a_store_that_ignores_conditions_is_noticed() -> None:
    assert any(result.ended.wrong for result in stories(range(1000, 1010), plant=r"^out/.*\.md$"))

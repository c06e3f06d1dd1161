"""Some stories of workers under random faults; `make chaos` runs more."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.waits]

STORIES = 16
JOBS = 8
"""Stories told at once: they mostly wait, for retries and for the next event."""


TOLD = ("--stories", STORIES, "--short")
PLANTED = ("--stories", 4, "--short", "--only", "rival", "--plant", r"^out/.*\.md$")


@pytest.fixture(scope="module")
def chaos() -> Iterator[Callable[..., tuple[int, str]]]:
    """Waits for the end of stories; all begin at once, as they mostly wait."""
    with ExitStack() as stack:
        begun = {words: stack.enter_context(begin(*words)) for words in (TOLD, PLANTED)}

        def end(*words: object) -> tuple[int, str]:
            told = begun[words].communicate()[0]
            return begun[words].returncode, told

        yield end


def begin(*words: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.chaos", "--jobs", str(JOBS), *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_whatever_happens_every_document_is_published_once_and_as_by_an_undisturbed_run(
    chaos: Callable[..., tuple[int, str]],
) -> None:
    code, told = chaos(*TOLD)
    assert code == 0, told


def test_a_store_that_ignores_conditions_is_noticed(chaos: Callable[..., tuple[int, str]]) -> None:
    code, told = chaos(*PLANTED)
    assert code == 1 and "overwritten: out/" in told, told

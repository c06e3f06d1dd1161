"""Some stories of workers under random faults; `make chaos` runs more."""

import subprocess
import sys

import pytest

STORIES = 16
JOBS = 8
"""Stories told at once: they mostly wait, for retries and for the next event."""


def chaos(*words: object) -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.chaos", "--jobs", str(JOBS), *map(str, words)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


@pytest.mark.slow
def test_whatever_happens_every_document_is_published_once_and_as_by_an_undisturbed_run() -> None:
    code, told = chaos("--stories", STORIES, "--short")
    assert code == 0, told


@pytest.mark.slow
def test_a_store_that_ignores_conditions_is_noticed() -> None:
    code, told = chaos("--stories", 4, "--short", "--only", "rival", "--plant", r"^out/.*\.md$")
    assert code == 1 and "overwritten: out/" in told, told

"""A process that is killed at random moments leaves an export that the same command finishes, with the same bytes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pdfbatch.errors import ExitCode
from pdfbatch.store import LocalStore, Store
from tests.export.outputs import Made, a_page, files_of, finish
from tests.program import Program

KILLS = 3


@pytest.mark.slow
@pytest.mark.parametrize("form", ["docling", "markdown"])
def test_sigkill_at_random_moments_changes_nothing(form: str, output: Store, tmp_path: Path, pdfbatch: Program) -> None:
    finish(output, [Made(f"{n:03}.pdf", [a_page(1, _words(n, 20_000))]) for n in range(80)])
    options = ["--format", form, "--shard-mb", 1, "--compression", "none"][: None if form == "docling" else 2]
    whole, dest = tmp_path / "whole", tmp_path / "killed"
    assert pdfbatch("export", output.url, whole, *options).returncode == ExitCode.DONE
    chance = random.Random(7)
    for _ in range(KILLS):
        _kill_after(dest, _count(dest) + chance.randint(1, 2), [output.url, dest, *options])
    assert pdfbatch("export", output.url, dest, *options).returncode == ExitCode.DONE
    assert files_of(LocalStore(dest)) == files_of(LocalStore(whole))
    assert "nothing to do" in pdfbatch("export", output.url, dest, *options).stdout


def _kill_after(dest: Path, files: int, words: list[object]) -> None:
    """Runs an export and kills it as soon as its destination has so many files, unless it ends before."""
    command = [sys.executable, "-m", "pdfbatch.cli", "export", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ) as process:
        while process.poll() is None and _count(dest) < files:
            time.sleep(0.002)
        process.kill()


def _count(dest: Path) -> int:
    return sum(1 for path in dest.rglob("*") if path.is_file() and "tmp" not in path.parts)


def _words(seed: int, length: int) -> str:
    chance = random.Random(seed)
    return " ".join("".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(length // 9))

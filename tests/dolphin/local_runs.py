"""Local runs with a tiny model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.program import Ended

LocalRun = Callable[..., Ended]
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""For a process with so small a model: more threads only get into each other's way."""


def words(pdfs: Path, out: Path, model: Path, *options: str) -> list[str]:
    return ["local-run", str(pdfs), str(out), "--engine", "dolphin", "--model", str(model), *options]

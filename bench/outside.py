"""Measure how much of a worker's time its engine does not read: its start, its end, and gaps between pages."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from .figures import Figure, Section, at_most
from .measure import say

PROCESSES = (1, 2)


class Course(NamedTuple):
    """A worker's times in seconds. `first`: from its start to its first page; `gaps`: while it reads, the share of its
    children's time without a page; `outside`: the share of its whole time."""

    wall: float
    first: float
    last: float
    gaps: float
    outside: float
    pages: int


def run(corpus: Path, scratch: Path) -> list[Section]:
    return [_section(corpus, scratch, processes) for processes in PROCESSES]


def _section(source: Path, scratch: Path, processes: int) -> Section:
    course = _measured(source, scratch / f"outside-{processes}", processes)
    say(f"outside: {processes} processes, {course.pages} pages in {course.wall:.1f} s")
    return Section(
        f"A worker of {processes} children beside its engine, `cpu`: {course.pages} pages",
        [
            Figure("seconds in all", course.wall, "s"),
            at_most("start to first page", course.first, 3.0, "s"),
            Figure("last page to exit", course.last, "s"),
            at_most("gaps between the first page and the last", 100 * course.gaps, 5.0, "%"),
            Figure("of the whole time", 100 * course.outside, "%"),
        ],
        ["The engine is a child that reads a page; everything else is outside. Times are wall times."],
    )


def _measured(source: Path, folder: Path, processes: int) -> Course:
    folder.mkdir()
    log = folder / "pages"
    command = [sys.executable, "-m", "bench.timed_worker", source, folder / "out", log, str(processes)]
    began = time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ended = time.time()
    pages = [tuple(map(float, line.split())) for line in log.read_text().splitlines()]
    first, last = min(begin for begin, _ in pages), max(end for _, end in pages)
    busy = sum(end - begin for begin, end in pages)
    return Course(
        ended - began,
        first - began,
        ended - last,
        1 - busy / (processes * (last - first)),
        1 - busy / (processes * (ended - began)),
        len(pages),
    )

"""Measure how several workers share a run: unequal documents with and without takeover, and one very long document.

A page takes a fixed time in which its process only waits, as for a GPU: so four workers can be measured on two cores.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from samples.many import long_pdf

from .figures import Figure, Section, at_least, at_most
from .measure import ROOT, say

WORKERS = 4
PAGES = (120, 80, 8, 8, 8, 8, 4, 4)
"""Of the unequal documents; by modulo, worker 0 has 128 pages and worker 3 has 12."""
LONG_PAGES = 3000
KILLED = (0, 1)
_PAGE_SECONDS = 0.05
_PAGE_BYTES = 50_000
_LONG_PAGE_SECONDS = 0.02


def run(_corpus: Path, scratch: Path) -> list[Section]:
    return [_unequal(scratch), _long(scratch)]


def _unequal(scratch: Path) -> Section:
    alone = _ends(_folder(scratch / "small", 0), scratch / "alone", _PAGE_SECONDS, shares=False)
    shared = _ends(_folder(scratch / "large", _PAGE_BYTES), scratch / "shared", _PAGE_SECONDS)
    return Section(
        f"Eight documents of {', '.join(map(str, PAGES))} pages, {WORKERS} workers, {_PAGE_SECONDS} s a page",
        [
            Figure("until the last worker is done, modulo slices alone", max(alone), "s"),
            Figure("divided by size, in parts, with takeover", max(shared), "s"),
            Figure("idle workers at the end, modulo slices alone", _idle(alone), "s"),
            Figure("divided by size, in parts, with takeover", _idle(shared), "s"),
            at_most("idle time, against modulo slices alone", _idle(shared) / _idle(alone), 0.75, "x"),
        ],
    )


def _folder(folder: Path, page_bytes: int) -> Path:
    """Makes the documents. Small ones say nothing about their pages, and are divided by modulo alone."""
    folder.mkdir()
    for number, pages in enumerate(PAGES):
        with long_pdf(folder / f"{number}.pdf", pages, lines=2).open("ab") as file:
            file.write(b"%" + b"." * (pages * page_bytes) + b"\n")
    return folder


def _long(scratch: Path) -> Section:
    source = scratch / "long"
    source.mkdir()
    long_pdf(source / "long.pdf", LONG_PAGES)
    one = _ends(source, scratch / "one", _LONG_PAGE_SECONDS, workers=1)
    four = _ends(source, scratch / "four", _LONG_PAGE_SECONDS)
    killed = _ends(source, scratch / "killed", _LONG_PAGE_SECONDS, kill_after=5.0)
    published = [
        [(scratch / name / f"long{suffix}").read_bytes() for suffix in (".md", ".json")]
        for name in ("one", "four", "killed")
    ]
    return Section(
        f"One document of {LONG_PAGES:,} pages, {_LONG_PAGE_SECONDS} s a page",
        [
            Figure("one worker", max(one), "s"),
            Figure(f"{WORKERS} workers", max(four), "s"),
            at_least("faster by", max(one) / max(four), 2.5, "x"),
            Figure(f"{WORKERS} workers, two of them killed after 5 s and started again", max(killed), "s"),
            at_least("outputs that are equal to one worker's, byte for byte", _equal(published), 2, ""),
        ],
    )


def _equal(published: Sequence[Sequence[bytes]]) -> int:
    return sum(each == published[0] for each in published[1:])


def _idle(ends: Sequence[float]) -> float:
    return sum(max(ends) - end for end in ends)


def _ends(
    source: Path,
    output: Path,
    page_seconds: float,
    *,
    workers: int = WORKERS,
    shares: bool = True,
    kill_after: float | None = None,
) -> list[float]:
    """Runs the workers at once; returns after how many seconds each was done."""
    command = [sys.executable, "-m", "bench.waiting_worker", str(source), str(output), str(page_seconds)]
    started = time.monotonic()

    def start(worker: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*command, str(workers), str(worker), str(int(shares))], cwd=ROOT)

    running = {0: start(0)}
    while not (output / ".pdfbatch" / "current.json").exists():  # the first one freezes the run
        time.sleep(0.02)
    running |= {worker: start(worker) for worker in range(1, workers)}
    ends: dict[int, float] = {}
    while running:
        if kill_after is not None and time.monotonic() - started > kill_after:
            kill_after = None
            for worker in KILLED:
                running[worker].kill()
                running[worker].wait()
                running[worker] = start(worker)
        for worker, process in list(running.items()):
            if process.poll() is not None:
                ends[worker] = time.monotonic() - started
                del running[worker]
        time.sleep(0.02)
    say(f"sharing: {output.name} {', '.join(f'{ends[worker]:.1f}' for worker in range(workers))} s")
    return [ends[worker] for worker in range(workers)]

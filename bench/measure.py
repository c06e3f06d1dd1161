"""Run a command and watch the memory of its whole process tree; describe this computer."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
SAMPLE_SECONDS = 0.05
TREE_EVERY, SHARED_EVERY = 4, 10
"""Finding new processes and reading shared memory are expensive, so they are done only at every n-th sample."""
MIB = 1 << 20


@dataclass(frozen=True)
class Usage:
    """What a command used. Memory in MiB: resident size (RSS), or its fair part of shared pages (PSS)."""

    seconds: float
    code: int
    output: str
    tree_mib: float
    """Peak of the sum of RSS over all its processes; pages they share count once for each."""
    tree_fair_mib: float
    """Peak of the sum of PSS, sampled less often."""
    worker_mib: float
    """Peak RSS of the largest process but the first; of the first where it is alone."""
    main_mib: float
    processes: int


class CommandFailed(Exception):
    pass


def run_measured(command: Sequence[str], good_codes: Sequence[int] = (0,)) -> Usage:
    """Run to the end; raises CommandFailed with the end of stderr on any other exit code."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=ROOT)
        watch = _Watch(process.pid)
        while process.poll() is None:
            watch.sample()
            time.sleep(SAMPLE_SECONDS)
        seconds = time.perf_counter() - started
        if process.returncode not in good_codes:
            err.seek(0)
            raise CommandFailed(f"{' '.join(command)} ended with {process.returncode}:\n{err.read()[-2000:]}")
        out.seek(0)
        return watch.usage(seconds, process.returncode, out.read())


class _Watch:
    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._tree = [self._root]
        self._peaks: dict[int, float] = {}
        self._tree_peak = self._fair_peak = 0.0
        self._most = 1
        self._samples = 0

    def sample(self) -> None:
        if self._samples % TREE_EVERY == 0:
            try:
                self._tree = [self._root, *self._root.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
        sizes = {process.pid: _resident(process) for process in self._tree}
        for pid, size in sizes.items():
            self._peaks[pid] = max(size, self._peaks.get(pid, 0.0))
        self._tree_peak = max(self._tree_peak, sum(sizes.values()))
        self._most = max(self._most, len(sizes))
        if self._samples % SHARED_EVERY == 0:
            self._fair_peak = max(self._fair_peak, sum(_fair(process) for process in self._tree))
        self._samples += 1

    def usage(self, seconds: float, code: int, output: str) -> Usage:
        main = self._peaks.pop(self._root.pid, 0.0)
        worker = max(self._peaks.values(), default=main)
        return Usage(seconds, code, output, self._tree_peak, self._fair_peak, worker, main, self._most)


def _resident(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / MIB
    except psutil.Error:
        return 0.0


def _fair(process: psutil.Process) -> float:
    try:
        return float(getattr(process.memory_full_info(), "pss", 0)) / MIB
    except psutil.Error:
        return 0.0


def machine() -> dict[str, str]:
    """What the figures were measured on and with."""
    return {
        "cpu": _cpu(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "load": f"{os.getloadavg()[0]:.2f} when it began",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in ("pymupdf", "onnxruntime", "rapidocr", "torch", "transformers")},
        "pdfbatch": f"{_version('pdfbatch')} at {_commit()}",
    }


def _cpu() -> str:
    try:
        facts = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines())
    except (OSError, ValueError):
        return platform.processor() or "unknown"
    named = {key.strip(): value.strip() for key, value in facts.items()}
    return f"{named.get('vendor_id', '')} {named.get('model name', '')} {named.get('cpu MHz', '')} MHz".strip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    commit = git("rev-parse", "--short", "HEAD")
    return (commit or "no commit") + (" with changes" if git("status", "--porcelain") else "")


def say(text: str) -> None:
    """Progress, for people; results go to stdout."""
    print(text, file=sys.stderr, flush=True)

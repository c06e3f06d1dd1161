"""Runs a command in a process group of its own, with limits of time and memory, until it ends or is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

TRY_LATER = os.EX_TEMPFAIL
"""75, an exit code that means: try again (sysexits.h)."""
_LOOK_SECONDS = 0.05
_TERM_SECONDS = 5.0
"""How long a command may take to end after SIGTERM."""
_TAIL_BYTES = 4096


class Ended(NamedTuple):
    """How a command ended. `code`: its exit code, or minus the signal that ended it. `last_line`: what it said last."""

    code: int
    is_late: bool
    is_stopped: bool
    last_line: str


def run_command(line: str, seconds: float, memory_mib: int, log: Path, is_stopped: Callable[[], bool]) -> Ended:
    """Runs a shell command; what it prints goes to the file `log`.

    It and all its processes are killed after `seconds`, or when `is_stopped`. `memory_mib`: the memory that each of its
    processes may use; 0: no limit.
    """
    with log.open("wb") as printed:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _limited(line, memory_mib)],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    until = time.monotonic() + seconds
    late = stopped = False
    while process.poll() is None and not (late or stopped):
        time.sleep(_LOOK_SECONDS)
        late, stopped = time.monotonic() >= until, is_stopped()
    if process.returncode is None:
        _signal(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TERM_SECONDS)
    _signal(process.pid, signal.SIGKILL)  # what it left running, too
    return Ended(process.wait(), late, stopped and not late, _last_line(log))


def _limited(line: str, memory_mib: int) -> str:
    """Returns the line with its limit: `ulimit -d` is what this process's own children have, see children.py."""
    return f"ulimit -d {memory_mib * 1024}\n{line}" if memory_mib and sys.platform == "linux" else line


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _last_line(log: Path) -> str:
    with log.open("rb") as printed:
        printed.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = printed.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")

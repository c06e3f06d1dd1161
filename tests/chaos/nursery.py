"""Starts the program many times: a process that has it loaded forks one child for each start, which saves the imports.

A child is the program as `python -m pdfbatch.cli` runs it, with its own environment, session and log.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LOOK_SECONDS = 0.01


class Born:
    """A process as `subprocess.Popen` has it, as far as stories need it."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid

    def poll(self) -> int | None:
        return self._nursery.ended(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(_LOOK_SECONDS)
        return code


class Nursery:
    """Use as a context manager."""

    def __enter__(self) -> Nursery:
        command = [sys.executable, "-m", "tests.chaos.nursery"]
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, bufsize=0)
        self._codes: dict[int, int] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def start(self, words: list[str], environment: Mapping[str, str], log: Path) -> Born:
        assert self._process.stdin is not None
        order = {"words": words, "environment": dict(environment), "log": str(log)}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        while True:
            answer = self._answer()
            if "born" in answer:
                return Born(self, answer["born"])

    def ended(self, pid: int) -> int | None:
        """Returns the exit code of a child as `Popen` does, None while it runs."""
        assert self._process.stdout is not None
        while select.select([self._process.stdout], [], [], 0)[0]:
            self._answer()
        return self._codes.get(pid)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "ended" in answer:
            self._codes[answer["ended"]] = answer["code"]
        return answer


def _serve() -> None:
    from pdfbatch.cli import main
    from pdfbatch.worker import loop  # noqa: F401  # loaded for all children

    while True:
        if select.select([sys.stdin.buffer], [], [], _LOOK_SECONDS)[0]:
            line = sys.stdin.buffer.raw.readline()  # type: ignore[attr-defined]
            if not line:
                return
            order = json.loads(line)
            pid = os.fork()
            if not pid:
                _become(order)
                main()
                os._exit(0)
            _tell({"born": pid})
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            _tell({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _become(order: dict[str, Any]) -> None:
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for number in (1, 2):
        os.dup2(log, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["pdfbatch", *order["words"]]


def _tell(what: dict[str, int]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    _serve()

"""Starts the program many times: a process that has it loaded forks one child for each start, which saves the imports.

A child is the program as `python -m pdfbatch.cli` runs it, with its own environment, session and log. So is the server
that forks its reading processes (server.py of the sandbox): it is forked before the program begins, has loaded what
opens a PDF, and takes the order that would have started it.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing import util
from pathlib import Path
from typing import Any

_LOOK_SECONDS = 0.01
_HIGH = 200
"""File descriptors from this number on are free."""


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
                self._codes.pop(answer["born"], None)  # of an earlier process with the same id
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
    from pdfbatch import aws
    from pdfbatch.cli import main
    from pdfbatch.documents import judge  # noqa: F401  # loaded for all children
    from pdfbatch.worker import loop  # noqa: F401

    aws.client("s3", region=aws.ANY_REGION)  # what it is made of is kept, and children make their own of it
    while True:
        if select.select([sys.stdin.buffer], [], [], _LOOK_SECONDS)[0]:
            line = sys.stdin.buffer.raw.readline()  # type: ignore[attr-defined]
            if not line:
                return
            order = json.loads(line)
            pid = os.fork()
            if not pid:
                _become(order)
                _fork_servers_ahead()
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


def _fork_servers_ahead() -> None:
    """Forks the server of this process's children now, while it has one thread, and gives it its order later."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if not pid:
        ours.close()
        _serve_as_ordered(theirs)
    theirs.close()
    spawn, ahead = util.spawnv_passfds, [pid]

    def start(path: str | bytes, args: Sequence[str], passed: Sequence[int]) -> int:
        if not ahead or "multiprocessing.forkserver" not in args[-1]:
            return spawn(path, args, passed)
        socket.send_fds(ours, [json.dumps([args[-1], list(passed)]).encode()], list(passed))
        return ahead.pop()

    util.spawnv_passfds = start


def _serve_as_ordered(orders: socket.socket) -> None:
    """Waits for the code that a new Python would have been started with, and runs it with the same open files."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})  # as a server is started
    data, received, _, _ = socket.recv_fds(orders, 1 << 16, 8)
    if data:
        code, numbers = json.loads(data)
        elsewhere = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, _HIGH) for descriptor in received]
        for descriptor, number in zip(elsewhere, numbers, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        exec(code, {})
    os._exit(0)


def _tell(what: dict[str, int]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    _serve()

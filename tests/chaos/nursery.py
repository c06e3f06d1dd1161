"""Starts the program many times: a process that has it loaded forks one child for each start, which saves the imports.
That process is itself the child of one that has loaded the program once, for all nurseries.

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
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from multiprocessing import util
from pathlib import Path
from typing import Any

_LOOK_SECONDS = 0.01
_LISTENS = b"listens\n"
_HIGH = 200
"""File descriptors from this number on are free."""


class Born:
    """A process as `subprocess.Popen` has it, as far as stories need it."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid

    def poll(self) -> int | None:
        return self._nursery.ended(self.pid)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(_LOOK_SECONDS)
        return code


class Loaded:
    """The process that has a program loaded: a module whose `main` reads `sys.argv` and returns an exit code or ends by
    itself. Use as a context manager; it does not end what was born meanwhile."""

    def __init__(self, program: str = "pdfbatch.cli") -> None:
        self._program = program

    def __enter__(self) -> Loaded:
        self._folder = tempfile.TemporaryDirectory(prefix="nursery-")
        self.address = f"{self._folder.name}/socket"
        command = [sys.executable, "-m", "tests.chaos.nursery", self.address, self._program]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == _LISTENS
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


class Nursery:
    """Use as a context manager; `address` is that of `Loaded`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._codes: dict[int, int] = {}

    def __enter__(self) -> Nursery:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(self._address)
        self._answers = self._socket.makefile("rb", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._socket.close()

    def start(self, words: list[str], environment: Mapping[str, str], log: Path) -> Born:
        order = {"words": words, "environment": dict(environment), "log": str(log)}
        self._socket.sendall(json.dumps(order).encode() + b"\n")
        while True:
            answer = self._answer()
            if "born" in answer:
                self._codes.pop(answer["born"], None)  # of an earlier process with the same id
                return Born(self, answer["born"])

    def ended(self, pid: int) -> int | None:
        """Returns the exit code of a child as `Popen` does, None while it runs."""
        while select.select([self._answers], [], [], 0)[0]:
            self._answer()
        return self._codes.get(pid)

    def _answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._answers.readline())
        if "ended" in answer:
            self._codes[answer["ended"]] = answer["code"]
        return answer


def _load(address: str, program: str) -> None:
    from pdfbatch import aws
    from pdfbatch.documents import judge  # noqa: F401  # loaded for all children
    from pdfbatch.worker import loop  # noqa: F401

    main = import_module(program).main

    aws.client("s3", region=aws.ANY_REGION)  # what it is made of is kept, and children make their own of it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a nursery
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(64)
        os.write(1, _LISTENS)
        while True:
            connection, _ = listening.accept()
            if not os.fork():
                listening.close()
                os.dup2(2, 1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _serve(connection, main)
                os._exit(0)
            connection.close()


def _serve(connection: socket.socket, main: Callable[[], int | None]) -> None:
    orders = connection.makefile("rb", buffering=0)
    while True:
        if select.select([orders], [], [], _LOOK_SECONDS)[0]:
            line = orders.readline()
            if not line:
                return
            order = json.loads(line)
            pid = os.fork()
            if not pid:
                orders.close()
                connection.close()
                _become(order)
                _fork_servers_ahead()
                sys.exit(main())
            _tell(connection, {"born": pid})
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            _tell(connection, {"ended": pid, "code": os.waitstatus_to_exitcode(status)})


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


def _tell(connection: socket.socket, what: dict[str, int]) -> None:
    connection.sendall(json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    _load(*sys.argv[1:])

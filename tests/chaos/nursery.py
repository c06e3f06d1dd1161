"""Starts the program many times: a process that has it loaded forks one child for each start, which saves the imports.
That process is itself the child of one that has loaded the program once, for all nurseries.

A child is the program as `python -m pdfbatch.cli` runs it, with its own environment, session and log. So is the server
that forks its reading processes (server.py of the sandbox): it is forked before the program begins, has loaded what
opens a PDF, and takes the order that would have started it.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
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
from datetime import UTC, datetime, timedelta
from importlib import import_module
from multiprocessing import util
from pathlib import Path
from typing import Any

import time_machine

_LOADED = (
    "pdfbatch.cli.app",
    "pdfbatch.cli.local",
    "pdfbatch.cli.worker",
    "pdfbatch.delivery.background",
    "pdfbatch.delivery.sink_secrets",
    "pdfbatch.delivery.sinks",
    "pdfbatch.delivery.webhook",
    "pdfbatch.documents.judge",
    "pdfbatch.documents.tasks",
    "pdfbatch.engines",
    "pdfbatch.runs.named",
    "pdfbatch.web.report",
    "pdfbatch.worker.budget_watch",
    "pdfbatch.worker.completion",
    "pdfbatch.worker.loop",
    "pdfbatch.worker.metrics",
    "encodings.idna",
    "multiprocessing.popen_forkserver",
    "multiprocessing.sharedctypes",
    "pikepdf",
    "typer._adapters",
)
"""What the program, or a child of it that opens a PDF, imports only where it needs it."""
_LOOK_SECONDS = 0.01
_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000  # unshare(2)
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000  # mount(2)
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

    def start(
        self,
        words: list[str],
        environment: Mapping[str, str],
        log: Path,
        jump: float = 0.0,
        small_disk: Path | None = None,
    ) -> Born:
        """`jump`: by how many hours the process's clock is wrong. `small_disk`: a folder, for this process alone on a
        file system of its own with next to no room."""
        disk = str(small_disk or "")
        order = {"words": words, "environment": dict(environment), "log": str(log), "jump": jump, "small_disk": disk}
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

    for loaded in _LOADED:
        import_module(loaded)
    main = import_module(program).main

    aws.client("s3", region=aws.ANY_REGION)  # what it is made of is kept, and children make their own of it
    gc.freeze()  # or each child would search and so copy all of it
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
                _serve(connection, main)
                os._exit(0)
            connection.close()


def _serve(connection: socket.socket, main: Callable[[], int | None]) -> None:
    orders = connection.makefile("rb", buffering=0)
    ended, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready = select.select([orders, ended], [], [])[0]
        if orders in ready:
            line = orders.readline()
            if not line:
                return
            order = json.loads(line)
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for number in (ended, told):
                    os.close(number)
                orders.close()
                connection.close()
                _become(order)
                _fork_servers_ahead()
                sys.exit(main())
            _tell(connection, {"born": pid})
        if ended in ready:
            os.read(ended, 1 << 16)
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
    if order["jump"]:  # the monotonic clock goes on, as it does when a real one is set
        time_machine.travel(datetime.now(UTC) + timedelta(hours=order["jump"])).start()
    if order["small_disk"]:
        _mount_small(order["small_disk"])
    os.environ.clear()
    os.environ.update(order["environment"])
    tempfile.tempdir = None  # as TMPDIR says
    sys.argv = ["pdfbatch", *order["words"]]


def _mount_small(folder: str) -> None:
    """Does what `unshare --mount --map-root-user` does (util-linux), within this process, and mounts a file system.

    Raises OSError where that is not allowed.
    """
    user, group = os.geteuid(), os.getegid()
    _succeed(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _succeed(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    _succeed(_libc.mount(b"none", folder.encode(), b"tmpfs", 0, b"size=64k"))


def _succeed(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _fork_servers_ahead() -> None:
    """Forks the server of this process's children and what tracks their resources now, while it has one thread, and
    gives them their orders later."""
    ahead = [_forked_ahead() for _ in range(2)]
    spawn = util.spawnv_passfds

    def start(path: str | bytes, args: Sequence[str], passed: Sequence[int]) -> int:
        if not ahead:
            return spawn(path, args, passed)
        pid, orders = ahead.pop()
        with orders:
            socket.send_fds(orders, [json.dumps([args[-1], list(passed)]).encode()], list(passed))
        return pid

    util.spawnv_passfds = start


def _forked_ahead() -> tuple[int, socket.socket]:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if not pid:
        ours.close()
        _serve_as_ordered(theirs)
    theirs.close()
    return pid, ours


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

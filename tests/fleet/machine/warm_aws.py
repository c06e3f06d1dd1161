"""The real `aws` without the half second of imports: a process that has it loaded forks one child for each call.

Run as `python -m tests.fleet.machine.warm_aws ADDRESS`, with the path of a Unix socket to make. shims/warm/aws is what
calls it. A child has the caller's words, environment, folder and open files, and dies with its caller.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
STREAMS = 3
SET_BY_AWSCLI = ("AWS_DATA_PATH",)
"""Variables that it sets when it is imported."""


@contextmanager
def warm_aws(folder: Path) -> Iterator[Path]:
    """The address of one that serves while the context lasts."""
    address = folder / "aws.socket"
    command = [sys.executable, "-m", "tests.fleet.machine.warm_aws", address]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield address
        process.kill()


class Server:
    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(listener, selectors.EVENT_READ, self._take)

    def serve(self) -> None:
        while True:
            for key, _ in self._waiting.select():
                if key.fd in self._waiting.get_map():
                    key.data()

    def _take(self) -> None:
        caller, _ = self._listener.accept()
        head, streams, _, _ = socket.recv_fds(caller, 1, STREAMS)
        if not head:
            caller.close()
            return
        with caller.makefile("rb") as sent:
            order = json.loads(head + sent.readline())
        pid = os.fork()
        if not pid:
            _become_aws(order, streams)
        for stream in streams:
            os.close(stream)
        watched = os.pidfd_open(pid)
        self._waiting.register(watched, selectors.EVENT_READ, lambda: self._tell_end(caller, watched, pid))
        self._waiting.register(caller, selectors.EVENT_READ, lambda: self._follow(caller, pid))

    def _follow(self, caller: socket.socket, pid: int) -> None:
        """The caller is gone."""
        self._waiting.unregister(caller)
        os.kill(pid, signal.SIGKILL)

    def _tell_end(self, caller: socket.socket, watched: int, pid: int) -> None:
        _, status = os.waitpid(pid, 0)
        self._waiting.unregister(watched)
        os.close(watched)
        if caller in self._waiting.get_map():
            self._waiting.unregister(caller)
            code = os.waitstatus_to_exitcode(status)
            caller.send(str(code if code >= 0 else 128 - code).encode())
        caller.close()


def _become_aws(order: dict[str, Any], streams: list[int]) -> None:
    """Runs `aws` as in a process of its own; does not come back."""
    code = 255
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(order["folder"])
        own = {name: os.environ[name] for name in SET_BY_AWSCLI}
        os.environ.clear()
        os.environ.update(order["environment"] | own)
        sys.argv = ["aws", *order["words"]]
        code = _main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _main() -> int:
    from awscli.clidriver import main

    return int(main())


def _load() -> None:
    """Import what every call would; part of it is imported only when a session is made."""
    import_module("awscli.clidriver").create_clidriver()
    for name in ("botocore.httpsession", "botocore.signers"):
        import_module(name)  # only now is it awscli's own botocore


if __name__ == "__main__":
    _load()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(64)
        print("ready", flush=True)
        Server(listener).serve()

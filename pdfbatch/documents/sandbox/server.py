"""The server that children are forked from: it has loaded everything once, so they start in milliseconds and share
memory. One server serves all pools of a process.

It dies with its parent, and for the kernel that means: with the thread that started it. pebble starts children in
threads that end with their pool, and multiprocessing starts a new server in whichever thread finds the old one dead. So
every start of a server is handed to one thread that lives as long as the process.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext, ForkServerContext, ForkServerProcess
from multiprocessing.forkserver import ensure_running
from pathlib import Path

READING = "pdfbatch.documents.preload"
OPENING = "pdfbatch.documents.preload_opening"
"""What is preloaded into children: everything for reading a page, or only what opens a file, in a third of the time.
One server forks all children of a process, so the first pool of a process decides; a child loads the rest itself."""
_LOOK_SECONDS = 0.001
_MOST_LOOKS = 3000


def warm_up(preload: str) -> None:
    """Start to load what `preload` names beside this process, which takes seconds, and return at once. A worker that
    calls it first finds its children ready when it has listed its documents. "": for an engine without children."""
    if preload:
        context_of(preload)


def context_of(preload: str) -> BaseContext:
    """Returns the context in which to start children that have loaded the module `preload`, and starts its server."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = _Context()
    context.set_forkserver_preload([preload])
    _ensure_server()
    return context


def wait_for_threads() -> None:
    """Waits until the kernel has ended all threads of this process but its main one, at most a few seconds. To be
    called before a fork, by a process that has joined its threads."""
    threads = Path("/proc/self/task")
    for _ in range(_MOST_LOOKS):
        if not threads.exists() or len(list(threads.iterdir())) == 1:
            return
        time.sleep(_LOOK_SECONDS)


class _Forked(ForkServerProcess):
    def start(self) -> None:
        _ensure_server()
        super().start()


class _Context(ForkServerContext):
    Process = _Forked


@cache
def _keeper() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="fork-server")


def _ensure_server() -> None:
    _keeper().submit(_start).result()


def _start() -> None:
    """Starts the server unless it is running. It inherits blocked signals, so that Ctrl-C in the terminal does not end
    it while it loads. The tracker comes first, because starting it unblocks signals
    (multiprocessing/resource_tracker.py)."""
    with _environment():
        resource_tracker.ensure_running()
        kept = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        ensure_running()
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)


@contextmanager
def _environment() -> Iterator[None]:
    """Makes new Python processes look for modules exactly where this one does, and withholds what they must not know.
    multiprocessing starts them by `python -c`, which looks in the current folder first: that may hold anything."""
    before = dict(os.environ)
    keys = [name for name in before if name.startswith("PDFBATCH_") and name.endswith("_KEY")]
    for name in keys:
        os.environ.pop(name, None)
    os.environ["PYTHONSAFEPATH"] = "1"
    os.environ["PYTHONPATH"] = os.pathsep.join(place or str(Path.cwd()) for place in sys.path)
    try:
        yield
    finally:
        for name in ("PYTHONSAFEPATH", "PYTHONPATH", *keys):
            if name in before:
                os.environ[name] = before[name]
            else:
                os.environ.pop(name, None)

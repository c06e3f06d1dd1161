"""The child processes that do all MuPDF and OCR work, because a PDF can hang, crash or exhaust the process that reads
it.

A child is killed when its task exceeds its deadline, replaced when it dies, and recycled after `TASKS_PER_CHILD` tasks,
which bounds leaks. Its memory is limited. It prints nothing, ignores Ctrl-C (its parent decides) and dies with its
parent.
"""

import ctypes
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool
from pebble.common.types import CONSTS

from pdfbatch.documents.sandbox.passwords import Passwords, remember
from pdfbatch.records import Reason

P = ParamSpec("P")
T = TypeVar("T")

TASKS_PER_CHILD = 250
NO_PASSWORDS = Passwords()
_LOCK_SECONDS = 12.0
"""A child that is killed while sending leaves pebble's lock held. The others wait this long for it, up to three times,
before they exit and a new pool replaces them; sending a large result takes a second or two."""
_PR_SET_PDEATHSIG = 1  # prctl(2)
_STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}
READING = "pdfbatch.documents.preload"
OPENING = "pdfbatch.documents.preload_opening"
"""What is preloaded into children: everything for reading a page, or only what opens a file, in a third of the time.
One server forks all children of a process, so the first pool of a process decides; a child loads the rest itself."""


class Failure(NamedTuple):
    """Why a task gave no result. `stopped`: the child was told to stop, so the page is not to blame."""

    reason: Reason
    detail: str
    stopped: bool = False


class Children:
    """A pool of killable child processes; use it as a context manager.

    pebble's pool breaks when an idle child dies (for instance killed by the kernel when memory is short). It is then
    replaced, and tasks in progress fail as if their child had died.
    """

    def __init__(
        self, processes: int, memory_mib: int, passwords: Passwords = NO_PASSWORDS, preload: str = READING
    ) -> None:
        """`passwords`: those for encrypted documents. `preload`: the module that children have loaded when they
        start."""
        self.processes = processes
        self._memory_mib = memory_mib
        self._passwords = passwords
        self._preload = preload
        self._lock = threading.RLock()
        self._pending: set[Future[Any]] = set()
        self._pool = self._new_pool()

    def submit(self, seconds: float, task: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run `task` in a child, which is killed after `seconds` of work on it."""
        with self._lock:
            pool = self._pool
            try:
                done = pool.submit(task, seconds, *args, **kwargs)
            except RuntimeError:
                self._replace(pool)
                pool = self._pool
                done = pool.submit(task, seconds, *args, **kwargs)
            self._pending.add(done)
        done.add_done_callback(partial(self._ended, pool))
        return done

    def kill(self) -> None:
        """Kill all children at once; their work is lost."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        while True:
            try:
                self._pool.join()
                return
            except KeyError:
                continue  # a child just died, and pebble removed it from its list in another thread: continue

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self.processes,
            max_tasks=TASKS_PER_CHILD,
            initializer=_become_child,
            initargs=(self._memory_mib, self._passwords),
            context=_context(self._preload),
        )

    def _ended(self, pool: ProcessPool, done: "Future[Any]") -> None:
        self._pending.discard(done)
        if not done.cancelled() and isinstance(done.exception(), BrokenProcessPool):
            self._replace(pool)

    def _replace(self, broken: ProcessPool) -> None:
        with self._lock:
            if self._pool is not broken:
                return
            self._pool = self._new_pool()
            orphans, self._pending = self._pending, set()
        # This may run in one of the pool's own threads, and stopping the pool waits for those.
        threading.Thread(target=_fail_orphans, args=[broken, orphans], daemon=True).start()

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def failure_of(error: BaseException) -> Failure:
    """Return the failure for the exception of a task's future."""
    if isinstance(error, TimeoutError):
        return Failure(Reason.TIMEOUT, "took longer than its deadline and was killed")
    if isinstance(error, ProcessExpired):
        code = error.exitcode or 0
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return Failure(Reason.CRASHED, f"the reading process died ({name})", stopped=code == -signal.SIGTERM)
    if isinstance(error, BrokenProcessPool):
        return Failure(Reason.CRASHED, "all reading processes died")
    if isinstance(error, MemoryError):
        return Failure(Reason.OUT_OF_MEMORY, "needs more memory than a child process may use")
    return Failure(Reason.ENGINE_ERROR, f"{type(error).__name__}: {error}")


def _fail_orphans(pool: ProcessPool, orphans: "set[Future[Any]]") -> None:
    """Stop what is left of a broken pool, and fail the futures that it left pending."""
    with suppress(Exception):  # it is broken
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()
    for orphan in orphans:
        with suppress(InvalidStateError):
            orphan.set_exception(BrokenProcessPool("the pool of reading processes failed"))


def _context(preload: str) -> BaseContext:
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # Children are forked from a server that has loaded everything once: they start in milliseconds and share memory.
    context.set_forkserver_preload([preload])
    # Started in a thread that lives on: a process that dies with its parent dies with the thread that started it.
    # It inherits blocked signals, so that Ctrl-C in the terminal does not end it while it loads. The tracker comes
    # first, because starting it unblocks signals (multiprocessing/resource_tracker.py).
    resource_tracker.ensure_running()
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, kept)
    return context


def be_silent() -> None:
    """Discard whatever this process or its libraries write to stdout or stderr."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, whatever it is doing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _become_child(memory_mib: int, passwords: Passwords) -> None:
    remember(passwords)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    CONSTS.channel_lock_timeout = _LOCK_SECONDS
    be_silent()
    die_with_parent()
    if sys.platform == "linux":
        # RLIMIT_DATA counts private writable memory; RLIMIT_AS would count mapped models and libraries too.
        limit = memory_mib * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        # If the system runs out of memory, it must kill a child before its parent.
        Path("/proc/self/oom_score_adj").write_text("1000")

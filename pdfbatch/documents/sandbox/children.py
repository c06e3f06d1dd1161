"""The child processes that do all MuPDF and OCR work, because a PDF can hang, crash or exhaust the process that reads
it.

A child is killed when its task exceeds its deadline, replaced when it dies, and recycled after `TASKS_PER_CHILD` tasks,
which bounds leaks. Its memory is limited, and so is what it may touch (confinement.py). It prints nothing, ignores
Ctrl-C (its parent decides) and dies with its parent.
"""

import ctypes
import importlib
import logging
import os
import pickle
import resource
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from ctypes import c_uint
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool
from pebble.common.types import CONSTS

from pdfbatch.documents.sandbox.confinement import Bounds, confine, lacking, packages_elsewhere
from pdfbatch.documents.sandbox.passwords import Passwords, remember
from pdfbatch.documents.sandbox.server import READING, context_of
from pdfbatch.errors import NotReady
from pdfbatch.records import Reason

_log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

TASKS_PER_CHILD = 250
NO_PASSWORDS = Passwords()
_LOCK_SECONDS = 30.0
"""A child that is killed while sending leaves pebble's lock held. The others wait this long for it, up to three times,
before they exit and a new pool replaces them. Sending a large result takes a second or two, but a busy machine may let
its parent wait."""
_TERM_SECONDS = 0.05
"""A child inside MuPDF does not hear SIGTERM, and pebble waits so long for each child before it kills it."""
_POOLS = 3
"""So many pools in a row may break under a task that none of them ran before the task fails."""
_PR_SET_PDEATHSIG = 1  # prctl(2)
_STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


class Failure(NamedTuple):
    """Why a task gave no result. `stopped`: the child was told to stop, so the page is not to blame."""

    reason: Reason
    detail: str
    stopped: bool = False


@dataclass(eq=False)
class _Order:
    """A task on its way to a child, pickled by us: a child unpickles it, and imports what that needs, after it has
    taken it. pebble's own unpickling holds the lock that all children need, for as long as the imports take."""

    seconds: float
    payload: bytes
    done: "Future[Any]" = field(default_factory=Future)
    broken_pools: int = 0
    """How many pools broke before they ran it."""


class _Pool(NamedTuple):
    pool: ProcessPool
    has_started: Any
    """A `c_uint` in shared memory: 0 until one of its children is ready for tasks, then also what confinement lacks."""


class Children:
    """A pool of killable child processes; use it as a context manager.

    pebble's pool breaks when a child dies while none works on a task (for instance an idle one, killed by the kernel
    when memory is short). It is then replaced, and the new one gets the tasks, because none of them is to blame. A task
    under which `_POOLS` pools broke fails: as if its child had died, or, if the children of none of them had started,
    with NotReady.
    """

    def __init__(
        self,
        processes: int,
        memory_mib: int,
        passwords: Passwords = NO_PASSWORDS,
        preload: str = READING,
        lock_seconds: float = _LOCK_SECONDS,
        bounds: Bounds | None = None,
        modules: Sequence[str] = (),
    ) -> None:
        """`passwords`: those for encrypted documents. `preload`: the module that children have loaded when they
        start. `lock_seconds`: how long a child waits for another that holds the lock of their common channel.
        `bounds`: the files that it may touch; None: all. `modules`: more modules for its tasks, loaded by each child
        before it is confined, because they may be anywhere."""
        CONSTS.term_timeout = _TERM_SECONDS
        self.processes = processes
        self._child = _Child(memory_mib, passwords, preload, lock_seconds, bounds, packages_elsewhere(), modules)
        self._lock = threading.RLock()
        self._pending: set[Future[Any]] = set()
        self._is_killed = False
        self._pool = self._new_pool()

    def submit(self, seconds: float, task: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run `task` in a child, which is killed after `seconds` of work on it."""
        order = _Order(seconds, pickle.dumps((task, args, kwargs)))
        self._send(order)
        return order.done

    def kill(self) -> None:
        """Kill all children at once; their work is lost."""
        self._is_killed = True  # without the lock: a signal handler must not wait for a pool that is starting
        pool = self._pool.pool
        pool.stop()  # type: ignore[no-untyped-call]
        while True:
            try:
                pool.join()
                return
            except KeyError:
                continue  # a child just died, and pebble removed it from its list in another thread: continue

    def _send(self, order: _Order) -> None:
        with self._lock:
            used = self._pool
            sent: Future[Any] | None = None
            if not self._is_killed:
                with suppress(RuntimeError):  # it is broken
                    sent = used.pool.submit(_run, order.seconds, order.payload)
                    self._pending.add(sent)
        if sent is None:
            self._send_to_next(used, order)
        else:
            sent.add_done_callback(partial(self._ended, used, order))

    def _new_pool(self) -> _Pool:
        context = context_of(self._child.preload)
        has_started = context.Value(c_uint, 0, lock=False)
        pool = ProcessPool(
            max_workers=self.processes,
            max_tasks=TASKS_PER_CHILD,
            initializer=_become_child,
            initargs=(self._child, has_started),
            context=context,
        )
        return _Pool(pool, has_started)

    def _ended(self, used: _Pool, order: _Order, sent: "Future[Any]") -> None:
        with self._lock:
            self._pending.discard(sent)
        _log_lacking(used.has_started.value)
        error = sent.exception()
        if error is None:
            order.done.set_result(sent.result())
            return
        if isinstance(error, BrokenProcessPool):
            self._send_to_next(used, order)
        else:
            order.done.set_exception(error)

    def _send_to_next(self, broken: _Pool, order: _Order) -> None:
        """Give a task that a broken pool did not run to a new one, unless too many broke under it."""
        self._replace(broken)
        order.broken_pools += 1
        if order.broken_pools < _POOLS and not self._is_killed:
            self._send(order)
        elif broken.has_started.value or self._is_killed:
            order.done.set_exception(BrokenProcessPool("the pool of reading processes failed"))
        else:
            order.done.set_exception(_no_start())

    def _replace(self, broken: _Pool) -> None:
        with self._lock:
            if self._pool is not broken or self._is_killed:
                return
            self._pool = self._new_pool()
            orphans, self._pending = self._pending, set()
        # This may run in one of the pool's own threads, and stopping the pool waits for those.
        threading.Thread(target=_fail_orphans, args=[broken.pool, orphans], daemon=True).start()

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@cache
def _log_lacking(started: int) -> None:
    for sentence in lacking(started):
        _log.warning("%s: a document that takes one over could use them; see docs/security.md", sentence)


def _no_start() -> NotReady:
    return NotReady(
        f"The processes that read pages ended while they were starting, {_POOLS} times in a row.",
        "Free some memory or use fewer --processes, then run the same command again; finished documents are kept.",
    )


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
    if isinstance(error, PermissionError):
        return Failure(Reason.ENGINE_ERROR, f"the reading process may not do this: {error}")
    if isinstance(error, MemoryError):
        return Failure(Reason.OUT_OF_MEMORY, "needs more memory than a child process may use")
    return Failure(Reason.ENGINE_ERROR, f"{type(error).__name__}: {error}")


def _fail_orphans(pool: ProcessPool, orphans: "set[Future[Any]]") -> None:
    """Stop what is left of a broken pool, and end the futures that it left pending."""
    with suppress(Exception):  # it is broken
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()
    for orphan in orphans:
        with suppress(InvalidStateError):
            orphan.set_exception(BrokenProcessPool("the pool of reading processes failed"))


def be_silent() -> None:
    """Discard whatever this process or its libraries write to stdout or stderr."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, whatever it is doing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class _Child(NamedTuple):
    """What a child needs to start."""

    memory_mib: int
    passwords: Passwords
    preload: str
    lock_seconds: float
    bounds: Bounds | None
    packages: Mapping[str, tuple[Path, ...]]
    modules: Sequence[str]


def _become_child(child: _Child, has_started: Any) -> None:
    remember(child.passwords)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    CONSTS.channel_lock_timeout = child.lock_seconds
    be_silent()
    die_with_parent()
    for module in (
        child.preload,
        *child.packages,
        *child.modules,
    ):  # before its first task, so that no deadline includes it
        importlib.import_module(module)
    if sys.platform == "linux":
        # RLIMIT_DATA counts private writable memory; RLIMIT_AS would count mapped models and libraries too.
        limit = child.memory_mib * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        # If the system runs out of memory, it must kill a child before its parent.
        Path("/proc/self/oom_score_adj").write_text("1000")
    has_started.value = 1 | confine(child.bounds, child.packages)


def _run(payload: bytes) -> Any:
    """Run a pickled task. Runs in a child."""
    task, args, kwargs = pickle.loads(payload)
    return task(*args, **kwargs)

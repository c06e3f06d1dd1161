"""The events of a pipeline: tasks that ended in threads or child processes, handled one at a time by one thread."""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from pdfbatch.worker.threads import DaemonPool

T = TypeVar("T")

TICK_SECONDS = 0.25
_STORE_THREADS = 8


class Events:
    """Runs store accesses in threads, and hands back what ended. `post` may be called from any thread, everything else
    is for the deciding one."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._writers = DaemonPool(_STORE_THREADS, "store")
        self._fetchers = DaemonPool(_STORE_THREADS, "fetch")
        self.writing = 0
        """The number of writes that have not ended."""

    def post(self, event: Callable[[], None]) -> None:
        self._events.put(event)

    def handle_next(self) -> None:
        """Handles the next event, if one comes within `TICK_SECONDS`."""
        try:
            event = self._events.get(timeout=TICK_SECONDS)
        except queue.Empty:
            return
        event()

    def when_done(self, future: "Future[T]", then: Callable[["Future[T]"], None]) -> None:
        future.add_done_callback(lambda done: self.post(partial(then, done)))

    def fetch(self, task: Callable[[], T], then: Callable[["Future[T]"], None]) -> None:
        self.when_done(self._fetchers.submit(task), then)

    def write(self, task: Callable[[], T], then: Callable[["Future[T]"], None]) -> None:
        self.writing += 1

        def written(done: "Future[T]") -> None:
            self.writing -= 1
            then(done)

        self.when_done(self._writers.submit(task), written)

    def end(self, *, wait: bool) -> None:
        """Ends the threads; `wait`: after the writes have ended. Fetches are not waited for."""
        self._fetchers.end()
        self._writers.end(wait=wait)

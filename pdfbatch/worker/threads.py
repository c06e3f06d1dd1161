"""Threads that are not waited for: their results are not needed once the work stops."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class DaemonPool:
    """Runs tasks in a few threads. Unlike with a ThreadPoolExecutor, neither `end` nor the process's exit waits for a
    running task: a download may take minutes, and a Spot interruption notice leaves two."""

    def __init__(self, count: int, name: str) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Callable[[], T]) -> "Future[T]":
        future: Future[T] = Future()
        self._tasks.put(lambda: _run(future, task))
        return future

    def end(self) -> None:
        """Cancels the tasks that have not started."""
        while True:
            try:
                self._tasks.get_nowait()
            except Empty:
                break
        for _ in self._threads:
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


def _run(future: "Future[Any]", task: Callable[[], Any]) -> None:
    try:
        result = task()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)

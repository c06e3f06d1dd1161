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

    def end(self, *, wait: bool = False) -> None:
        """Cancels the tasks that have not started; with `wait` it returns when the others have ended."""
        while True:
            try:
                self._tasks.get_nowait()
            except Empty:
                break
        for _ in self._threads:
            self._tasks.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


def in_thread(task: Callable[[], T], name: str) -> "Future[T]":
    """Runs a task in a thread of its own, which nobody waits for."""
    future: Future[T] = Future()
    threading.Thread(target=_run, args=[future, task], name=name, daemon=True).start()
    return future


def _run(future: "Future[Any]", task: Callable[[], Any]) -> None:
    try:
        result = task()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)

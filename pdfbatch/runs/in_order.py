"""Many reads at once, in order and with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

READERS = 32
"""As many as a client of S3 has connections."""

A = TypeVar("A")
B = TypeVar("B")


def in_order(read: Callable[[A], B], items: Iterable[A], readers: int = READERS) -> Iterator[B]:
    """Yields `read(item)` for each item, in order. At most `readers` results are read or wait. A single item is
    read on the caller's thread."""
    rest = iter(items)
    first = list(islice(rest, 2))
    if len(first) < 2:
        yield from map(read, first)
        return
    with ThreadPoolExecutor(readers) as threads:
        waiting: deque[Future[B]] = deque(threads.submit(read, item) for item in (*first, *islice(rest, readers - 2)))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(threads.submit(read, item) for item in islice(rest, 1))
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

"""Stores and sinks for tests of delivery: a store in memory, and sinks that take, refuse or are down."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from pdfbatch.delivery.cloud_event import CloudEvent
from pdfbatch.delivery.courier import Route
from pdfbatch.delivery.sink import NotDelivered
from pdfbatch.errors import NotFound, PreconditionFailed, StoreError
from pdfbatch.records import Manifest, SinkAddress
from pdfbatch.store import Entry, Store

RUN = "20260101T000000.000Z-0001"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
MANIFEST = Manifest(
    run=RUN, created=NOW, input="/in/", output="/out/", total_workers=1, engine="null", slices=[0], model="org/m@abc"
)
WEBHOOK = SinkAddress.read("https://example.org/hook")


class MemoryStore:
    """What a ledger and its delivery need of a store. `lives`: how many deletions it does before it is killed;
    `answers`: how many requests it answers before one fails."""

    url = "/out/"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.lives: int | None = None
        self.answers: int | None = None

    def _answer(self) -> None:
        if self.answers is not None:
            self.answers -= 1
            if self.answers < 0:
                self.answers = None
                raise StoreError("The store does not answer.", "Wait.")

    def list(self, prefix: str = "", locked: Any = None, *, deep: bool = True) -> Iterator[Entry]:
        self._answer()
        for key in sorted(key for key in list(self.objects) if key.startswith(prefix)):
            yield Entry(key, len(self.objects[key]), hashlib.sha256(self.objects[key]).hexdigest())

    def get(self, key: str) -> bytes:
        self._answer()
        if key not in self.objects:
            raise NotFound(f"no {key}", "")
        return self.objects[key]

    def put(self, key: str, data: bytes) -> str:
        self._answer()
        self.objects[key] = data
        return ""

    def put_new(self, key: str, data: bytes) -> str:
        if key in self.objects:
            raise PreconditionFailed("there is one", "")
        return self.put(key, data)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            if self.lives is not None:
                self.lives -= 1
                if self.lives < 0:
                    raise KeyboardInterrupt
            self.objects.pop(key, None)


class Taker:
    """A sink that takes everything, after `failures` requests of which it took half: the first events, or with a `step`
    of 2 every other one."""

    def __init__(self, most: int = 3, step: int = 1) -> None:
        self.most = most
        self.step = step
        self.failures = 0
        self.taken: list[CloudEvent] = []

    def check(self) -> str:
        return ""

    def send(self, events: Sequence[CloudEvent]) -> None:
        assert 0 < len(events) <= self.most
        if self.failures:
            self.failures -= 1
            part = events[:: self.step][: len(events) // 2]
            self.taken += part
            raise NotDelivered("It is down.", "Wait.", [event.id for event in part])
        self.taken += events

    def close(self) -> None:
        pass

    @property
    def keys(self) -> list[str]:
        """The documents of the events, each where it came first."""
        return list(dict.fromkeys(str(event.data.get("key", event.type)) for event in self.taken))


def route(
    store: object, sink: Any, address: SinkAddress = WEBHOOK, clock: Callable[[], datetime] = lambda: NOW
) -> Route:
    return Route(cast(Store, store), MANIFEST, address, sink, clock)

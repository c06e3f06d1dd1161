"""Reads the records of a run's workers: one LIST for all of a kind, and a GET for each that is not known yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import ValidationError

from pdfbatch.errors import NotFound
from pdfbatch.records import Boot, DoneMark, Heartbeat, Position, Record, RunKeys, boot_of
from pdfbatch.runs.in_order import in_order
from pdfbatch.store import Entry, Store

R = TypeVar("R", bound=Record)


class RecordReader:
    """The records of a run; one that is asked again reads only what has changed."""

    def __init__(self, store: Store, keys: RunKeys) -> None:
        self._store = store
        self._keys = keys
        self._known: dict[str, tuple[Entry, Record | None]] = {}
        """By key."""

    def heartbeats(self) -> list[Heartbeat]:
        return self._read(list(self._store.list(self._keys.workers)), Heartbeat)

    def done_marks(self) -> list[DoneMark]:
        return self._read(list(self._store.list(self._keys.done)), DoneMark)

    def positions(self) -> list[Position]:
        """Returns how far the events of each worker were delivered to each sink."""
        workers = [entry for entry in self._store.list(self._keys.events) if "/worker-" in entry.key]
        return self._read(workers, Position)

    def beats_and_marks(self) -> tuple[Sequence[Heartbeat], Sequence[DoneMark]]:
        """Reads both, but not the done marks of workers whose last heartbeat says the same: it is written after the
        mark, by the process that ended."""
        listed = list(self._store.list(self._keys.done))
        beats = self.heartbeats()
        done = {self._keys.done_mark(beat.worker): _mark_of(beat) for beat in beats if beat.state == "done"}
        said = [done[entry.key] for entry in listed if entry.key in done]
        return beats, [*said, *self._read([entry for entry in listed if entry.key not in done], DoneMark)]

    def boots(self) -> list[Boot]:
        """Returns the boots: everything is in their keys."""
        return [boot for entry in self._store.list(self._keys.boots) if (boot := boot_of(entry.key))]

    def _read(self, entries: Sequence[Entry], shape: type[R]) -> list[R]:
        changed = [entry for entry in entries if self._known.get(entry.key, ("", None))[0] != entry]
        for entry, record in zip(changed, in_order(lambda entry: self._get(entry.key, shape), changed), strict=True):
            self._known[entry.key] = entry, record
        found = (self._known[entry.key][1] for entry in entries)
        return [record for record in found if isinstance(record, shape)]

    def _get(self, key: str, shape: type[R]) -> R | None:
        """Reads one record; None if it was deleted since LIST, or was written by a version with another shape."""
        try:
            return shape.model_validate_json(self._store.get(key))
        except (NotFound, ValidationError):
            return None


def heartbeats(store: Store, keys: RunKeys) -> list[Heartbeat]:
    return RecordReader(store, keys).heartbeats()


def done_marks(store: Store, keys: RunKeys) -> list[DoneMark]:
    return RecordReader(store, keys).done_marks()


def boots(store: Store, keys: RunKeys) -> list[Boot]:
    return RecordReader(store, keys).boots()


def _mark_of(beat: Heartbeat) -> DoneMark:
    return DoneMark(worker=beat.worker, why="done", at=beat.at, session=beat.session, counts=beat.counts)

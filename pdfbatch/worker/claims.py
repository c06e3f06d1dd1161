"""Claims: the workers of a run share its slices by blocks, and each block is read by the one worker that claimed it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime

from pdfbatch.errors import NotFound, PreconditionFailed
from pdfbatch.records import Claim, RunKeys
from pdfbatch.store import Store

_THREADS = 16


class Claims:
    """One worker's view of the claims of its run. A claim is written once and never moves."""

    def __init__(self, store: Store, keys: RunKeys, worker: int, now: Callable[[], datetime]) -> None:
        self._store = store
        self._keys = keys
        self._worker = worker
        self._now = now

    def take(self, slice_: int, block: int) -> bool:
        """Claims a block; returns whether this worker has it now, also from an earlier process.

        A claim in another slice is noted first: a process that dies in between leaves a note without a claim, but never
        a claim that nobody remembers.
        """
        if slice_ != self._worker:
            self._store.put(self._keys.takeover(self._worker, slice_, block), b"")
        return self.put(self._keys.claim(slice_, block))

    def put(self, key: str) -> bool:
        """Writes a claim under a key; returns whether it is this worker's."""
        claim = Claim(worker=self._worker, at=self._now())
        try:
            self._store.put_new(key, claim.model_dump_json().encode())
        except PreconditionFailed:
            return self._worker_of(key) == self._worker
        return True

    def own_slice(self) -> dict[int, int]:
        """Returns the worker of each claimed block of this worker's own slice."""
        keys = [entry.key for entry in self._store.list(self._keys.claims_of(self._worker))]
        with ThreadPoolExecutor(_THREADS) as threads:
            return dict(zip(map(_block_of, keys), threads.map(self._worker_of, keys), strict=True))

    def elsewhere(self) -> Iterator[tuple[int, int]]:
        """Yields the slice and number of each block of another slice that this worker has claimed."""
        prefix = self._keys.takeovers_of(self._worker)
        for entry in self._store.list(prefix):
            slice_, _, block = entry.key.removeprefix(f"{prefix}slice-").partition("-")
            with suppress(NotFound):
                if self._worker_of(self._keys.claim(int(slice_), int(block))) == self._worker:
                    yield int(slice_), int(block)

    def everywhere(self) -> dict[int, Set[int]]:
        """Returns the claimed blocks of every slice, with one LIST."""
        found = defaultdict[int, set[int]](set)
        prefix = f"{self._keys.claims}slice-"
        for entry in self._store.list(self._keys.claims):
            found[int(entry.key.removeprefix(prefix).partition("/")[0])].add(_block_of(entry.key))
        return dict(found)

    def _worker_of(self, key: str) -> int:
        return Claim.model_validate_json(self._store.get(key)).worker


def _block_of(key: str) -> int:
    return int(key.rpartition("/")[2].removesuffix(".json"))

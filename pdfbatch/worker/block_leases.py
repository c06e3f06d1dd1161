"""Leases: a block of a pool is read by the one worker that holds its lease, whatever the queue says.

A lease is one object, written conditionally. Its holder renews it. One that was given back, or not renewed for its
time, may be taken over. A holder that was stopped for longer than that finds out before it publishes anything: by its
own clock the lease has run out, and renewing it fails if somebody else has it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import ValidationError

from pdfbatch.errors import NotFound, PreconditionFailed
from pdfbatch.records import Holder, Lease, RunKeys
from pdfbatch.runs.arrivals import AnyBlock
from pdfbatch.store import Store

SURE = 0.8
"""The share of a lease's time during which its holder need not ask: the rest allows for slow writes and for clocks that
differ."""


class LeaseTerms(NamedTuple):
    """The terms of one process's leases: `seconds` each, by `clock` for others and by `monotonic` for itself."""

    worker: int
    session: str
    seconds: float
    clock: Callable[[], datetime]
    monotonic: Callable[[], float]


class HeldLease:
    """A lease of this process; threads may share it."""

    def __init__(
        self, store: Store, key: str, terms: LeaseTerms, lease: Lease, etag: str, since: float, *, was_held: bool
    ) -> None:
        self._store = store
        self._key = key
        self._terms = terms
        self._lease = lease
        self._etag = etag
        self._since = since
        """When it was last renewed."""
        self._lock = threading.Lock()
        self.is_lost = False
        self.was_held = was_held
        """Whether it had another holder, or another process of this worker, before."""

    @property
    def losses(self) -> int:
        return self._lease.losses

    @property
    def holders(self) -> list[Holder]:
        """Its holders so far, this worker included."""
        return self._lease.holders

    @property
    def age(self) -> float:
        """Seconds since it was last renewed."""
        return self._terms.monotonic() - self._since

    def note_left(self, left: int) -> None:
        """Notes how many documents are left. If they are fewer than the last holder found, its loss does not count."""
        with self._lock:
            before = self._lease.left
            losses = 0 if before is not None and left < before else self._lease.losses
            self._write(self._lease.model_copy(update={"left": left, "losses": losses}))

    def is_sure(self) -> bool:
        """Whether this process holds it for certain, without asking."""
        return not self.is_lost and self.age <= SURE * self._terms.seconds

    def is_mine(self) -> bool:
        """Whether this process still holds it; renews it if it may have run out."""
        if not self.is_lost and not self.is_sure():
            self.renew()
        return not self.is_lost

    def renew(self) -> None:
        """Renews it, or finds out that it is lost.

        Raises:
            PdfbatchError: the store could not be asked.
        """
        with self._lock:
            began, now = self._terms.monotonic(), self._terms.clock()
            until = now + timedelta(seconds=self._terms.seconds)
            if not self.is_lost and self._write(self._lease.model_copy(update={"at": now, "until": until})):
                self._since = began

    def give_back(self) -> None:
        """Lets anybody take it at once."""
        with self._lock:
            now = self._terms.clock()
            if not self.is_lost:
                self._write(self._lease.model_copy(update={"at": now, "until": now}))
            self.is_lost = True

    def _write(self, lease: Lease) -> bool:
        try:
            self._etag = self._store.put_if(self._key, _data(lease), self._etag)
        except PreconditionFailed:
            self.is_lost = True
            return False
        self._lease = lease
        return True


class BlockLeases:
    """The leases of a pool, as one process takes them."""

    def __init__(self, store: Store, keys: RunKeys, terms: LeaseTerms) -> None:
        self._store = store
        self._keys = keys
        self._terms = terms

    def take(self, block: AnyBlock, segment: int) -> HeldLease | None:
        """Takes a block's lease; None if another process holds it. `segment`: the number of this worker's next ledger
        segment."""
        key = self._keys.lease(block.name)
        entry = self._store.head(key)
        before = self._read(key) if entry else None
        began, now = self._terms.monotonic(), self._terms.clock()
        if before is not None and before.until > now:
            return None
        lease = self._following(before, segment, now)
        try:
            etag = (
                self._store.put_if(key, _data(lease), entry.etag) if entry else self._store.put_new(key, _data(lease))
            )
        except PreconditionFailed:
            return None
        return HeldLease(self._store, key, self._terms, lease, etag, began, was_held=entry is not None)

    def is_free(self, block: AnyBlock) -> bool:
        """Whether nobody holds it."""
        lease = self._read(self._keys.lease(block.name))
        return lease is None or lease.until <= self._terms.clock()

    def was_ever_held(self, block: AnyBlock) -> bool:
        return self._store.head(self._keys.lease(block.name)) is not None

    def _following(self, before: Lease | None, segment: int, now: datetime) -> Lease:
        worker = self._terms.worker
        holders = before.holders if before else []
        if all(holder.worker != worker for holder in holders):
            holders = [*holders, Holder(worker=worker, segment=segment)]
        return Lease(
            worker=worker,
            session=self._terms.session,
            at=now,
            until=now + timedelta(seconds=self._terms.seconds),
            losses=before.losses + (not before.is_given_back) if before else 0,
            left=before.left if before else None,
            holders=holders,
        )

    def _read(self, key: str) -> Lease | None:
        try:
            return Lease.model_validate_json(self._store.get(key))
        except (NotFound, ValidationError):
            return None


def _data(lease: Lease) -> bytes:
    return lease.model_dump_json().encode()

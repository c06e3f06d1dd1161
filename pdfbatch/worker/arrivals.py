"""What a pool that watches its input makes of a message about a document: read it, come back later, or nothing.

A message is only a hint. What is to be read follows from the store: the document as it is now in the input, the frozen
manifest, earlier runs, and the arrivals so far. So an event may come twice, late or out of order, and one that never
comes is made up for by listing the input now and then.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final, Literal, NamedTuple

from pydantic import ValidationError

from pdfbatch.errors import NotFound, PreconditionFailed
from pdfbatch.records import (
    Arrival,
    ArrivalId,
    Arrived,
    BlockId,
    Manifest,
    RunKeys,
    SweepRecord,
    arrived_of,
    objects_in,
    output_key,
    place_of,
)
from pdfbatch.runs import ledger
from pdfbatch.runs.arrivals import (
    add_arrival,
    arrival_ids,
    arrivals_at,
    finished_arrivals,
    load_arrivals,
    relative_key,
    versions_read,
)
from pdfbatch.runs.key_table import KeyTable, Row
from pdfbatch.runs.slices import documents_of
from pdfbatch.store import Entry, Store
from pdfbatch.worker.block_leases import BlockLeases, LeaseTerms

LATER: Final = "later"
"""Another worker reads an earlier version, or another document with the same Markdown."""
_UNREAD: Final = "unread"
"""Nobody has taken the block of the manifest with it yet, so whoever does will read the current version."""
_LOOK_SECONDS = 60.0
"""How often a worker looks at most whether another has swept."""
_OWNER = "\0"
"""Begins the rows of the table that say which document a Markdown belongs to."""
_IN_MANIFEST, _EARLIER = "2", "1"

_log = logging.getLogger(__name__)


class _Known(NamedTuple):
    """A document that the run, or an earlier one, had before anything arrived."""

    key: str
    etag: str
    attempt: int
    slice: int = -1
    block: int = -1

    @property
    def id(self) -> BlockId | None:
        """The block of the frozen manifest with it; None for a document of an earlier run."""
        return BlockId(self.slice, self.block) if self.slice >= 0 else None


class _Version(NamedTuple):
    """The last version of a document that was read."""

    etag: str
    attempt: int


class Arrivals:
    """The arrivals of a run, as one worker sees them. Its methods may be called in different threads."""

    def __init__(
        self, manifest: Manifest, source: Store, output: Store, leases: BlockLeases, terms: LeaseTerms, seconds: float
    ) -> None:
        """`seconds`: how often one of the workers lists the input."""
        self._manifest = manifest
        self._source = source
        self._output = output
        self._leases = leases
        self._terms = terms
        self._seconds = seconds
        self._keys = RunKeys(manifest.run)
        self._takes = manifest.chosen.taker()
        self._lock = threading.Lock()
        self._table: KeyTable[_Known] | None = None
        self._arrived: dict[ArrivalId, tuple[str, str]] = {}
        """Key and ETag of those that a sweep has loaded."""
        self._announced: set[tuple[str, str]] = set()
        """Key and ETag of those that a sweep has sent a message for."""
        self._next_look = 0.0

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────

    def keys_in(self, body: str) -> list[str]:
        """Returns the documents that a message is about; none for one that is not about documents of this run."""
        arrived = arrived_of(body)
        if arrived is not None:
            return [arrived.arrived] if arrived.run == self._manifest.run else []
        found = (relative_key(self._manifest, bucket, key) for bucket, key in objects_in(body))
        return [key for key in dict.fromkeys(found) if key and self._takes(key)]

    def message_about(self, key: str) -> str:
        return Arrived(run=self._manifest.run, arrived=key).model_dump_json()

    def to_read(self, key: str) -> Arrival | Literal["later"] | None:
        """Returns the arrival to read now; None if there is nothing to do about the document."""
        while True:
            before = arrivals_at(self._output, self._keys, place_of(key))
            last = before[-1] if before else None
            if last is not None and versions_read(self._output, self._keys, last.id) is None:
                return last if last.key == key else LATER
            version = self._last_version(key, before)
            if isinstance(version, str):
                return LATER if version == LATER else None
            entry = self._source.head(key)  # asked last: it is at least as new as what was read
            if entry is None or (version is not None and version.etag == entry.etag):
                return None
            arrival = self._following(entry, version, before)
            if arrival is None or add_arrival(self._output, self._keys, arrival):
                return arrival

    def _last_version(self, key: str, before: Iterable[Arrival]) -> _Version | Literal["later", "unread"] | None:
        """Returns the version that was read last; None: the document is new."""
        mine = [arrival for arrival in before if arrival.key == key]
        if mine:
            read = versions_read(self._output, self._keys, mine[-1].id) or {}
            return _Version(read.get(key, mine[-1].etag), mine[-1].attempt)
        known = self._known(key)
        if known is None or known.id is None:
            return None if known is None else _Version(known.etag, known.attempt)
        versions = versions_read(self._output, self._keys, known.id)
        if versions is not None:
            return _Version(versions.get(key, known.etag), known.attempt)
        return LATER if self._leases.was_ever_held(known.id) else _UNREAD

    def _following(self, entry: Entry, version: _Version | None, before: list[Arrival]) -> Arrival | None:
        """Makes the next record; None where the Markdown was not written by a run."""
        owner = before[0].key if before else self._owner_of(entry.key)
        markdown = self._output.head(output_key(entry.key))
        if owner is None and version is None and markdown is not None:
            _log.warning("%s is left out: its Markdown was not written by a run", entry.key)
            return None
        twin = owner if owner not in (None, entry.key) else ""
        return Arrival(
            key=entry.key,
            size=entry.size,
            etag=entry.etag,
            output_etag=markdown.etag if markdown is not None and not twin else None,
            attempt=version.attempt + 1 if version else 1,
            twin=twin or "",
            number=len(before) + 1,
            at=self._terms.clock(),
        )

    # ── what was known before ────────────────────────────────────────────────────────────────────────────────────

    def _known(self, key: str) -> _Known | None:
        with self._lock:
            if self._table is None:
                self._table = KeyTable(self._rows(), _Known)
            return self._table.get(key)

    def _owner_of(self, key: str) -> str | None:
        """Returns the document whose Markdown has the place of this one's; None: there is none."""
        known = self._known(_OWNER + output_key(key))
        return known.key if known else None

    def _rows(self) -> Iterator[Row]:
        for slice_, ends in enumerate(self._manifest.pool_blocks):
            documents, begin = documents_of(self._output, self._manifest, slice_), 0
            for block, end in enumerate(ends):
                for entry in documents[begin:end]:
                    for each in (entry, *entry.copies):
                        yield each.key, _IN_MANIFEST, (each.key, each.etag, each.attempt, slice_, block)
                        if not each.twin:
                            yield _OWNER + output_key(each.key), _IN_MANIFEST, (each.key, each.etag, each.attempt)
                begin = end
        for key, past in ledger.history(self._output).items():
            yield key, _EARLIER, (key, past.etag, past.attempt)
            if past.outcome != "failed":
                yield _OWNER + output_key(key), _EARLIER, (key, past.etag, past.attempt)

    # ── sweeps ───────────────────────────────────────────────────────────────────────────────────────────────────

    def is_sweep_due(self) -> bool:
        """Whether this worker is to list the input now; if so, no other does."""
        if self._terms.monotonic() < self._next_look:
            return False
        self._next_look = self._terms.monotonic() + min(_LOOK_SECONDS, self._seconds)
        entry, now = self._output.head(self._keys.sweep), self._terms.clock()
        last = self._last_sweep() if entry else None
        if last is not None and now - last.at < timedelta(seconds=self._seconds):
            return False
        data = SweepRecord(worker=self._terms.worker, at=now).model_dump_json().encode()
        try:
            if entry is None:
                self._output.put_new(self._keys.sweep, data)
            else:
                self._output.put_if(self._keys.sweep, data, entry.etag)
        except PreconditionFailed:
            return False
        return True

    def _last_sweep(self) -> SweepRecord | None:
        try:
            return SweepRecord.model_validate_json(self._output.get(self._keys.sweep))
        except (NotFound, ValidationError):
            return None

    def missed(self) -> Iterator[str]:
        """Yields the documents whose message never came or was lost: those that nothing is known about, and arrivals
        that nobody reads. Some of them may need nothing."""
        unfinished = [each for each in self._load_arrivals() if self._leases.is_free(each)]
        yield from (self._arrived[each][0] for each in unfinished)
        arrived = self._versions_arrived()
        for entry in self._source.list():
            seen = entry.key, entry.etag
            if self._takes(entry.key) and seen not in self._announced and not self._is_known(entry, arrived):
                self._announced.add(seen)
                yield entry.key

    def _load_arrivals(self) -> list[ArrivalId]:
        """Loads the arrivals that are new here; returns those that are not finished."""
        ids = set(arrival_ids(self._output, self._keys))
        new = sorted(ids - self._arrived.keys())
        self._arrived |= {each.id: (each.key, each.etag) for each in load_arrivals(self._output, self._keys, new)}
        left = ids - finished_arrivals(self._output, self._keys)
        return sorted(left & self._arrived.keys())

    def _versions_arrived(self) -> Mapping[str, str]:
        return {key: etag for _, (key, etag) in sorted(self._arrived.items())}

    def _is_known(self, entry: Entry, arrived: Mapping[str, str]) -> bool:
        if entry.key in arrived:
            return arrived[entry.key] == entry.etag
        known = self._known(entry.key)
        return known is not None and known.etag == entry.etag

"""Which shards a destination has, and which of them are still right."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from pydantic import ValidationError

from pdfbatch.errors import PdfbatchError, PreconditionFailed, UsageError
from pdfbatch.export.catalogue import Item
from pdfbatch.records import EXPORT_KEY, STATE_PREFIX, ExportOptions, ExportRecord, Shard
from pdfbatch.runs.in_order import in_order
from pdfbatch.runs.key_table import KeyTable
from pdfbatch.store import Store

LISTS = ".pdfbatch/export/"
"""Where a destination of single files keeps lists of them, so that they can be removed when their documents go."""
_SHAPE = b"1"
"""Changes when the rows of any format change: all shards are then written again."""
_NAME = re.compile(r"part-\d{5}-[0-9a-f]{16}(?:-\d+)?\.[a-z.]+$")


class ShardDigest:
    """Digest of the records of a shard's documents."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(_SHAPE)
        self.documents = 0

    def add(self, item: Item) -> None:
        self._hash.update(hashlib.sha256(item.record).digest())
        self.documents += 1

    def text(self) -> str:
        return self._hash.hexdigest()[:16]


def shard_name(number: int, digest: str) -> str:
    """Returns a shard's name: it has no other content than that of the records in the digest."""
    return f"{number:05}-{digest}"


class Journal:
    """The record at the destination, of which only one process writes the next version."""

    def __init__(self, dest: Store, record: ExportRecord, etag: str) -> None:
        self._dest = dest
        self.record = record
        self._etag = etag

    def save(self, record: ExportRecord) -> None:
        """Writes the next version.

        Raises:
            PdfbatchError: another process has written one.
        """
        data = record.model_dump_json(indent=1).encode("utf-8", "surrogatepass")
        try:
            self._etag = self._dest.put_if(EXPORT_KEY, data, self._etag)
        except PreconditionFailed as error:
            raise PdfbatchError(
                f"Another process exports to {self._dest.url} at the same time.",
                "Wait until it has ended, then run the same command: it does what is left.",
            ) from error
        self.record = record


def open_journal(dest: Store, wanted: ExportRecord) -> Journal:
    """Returns the journal of the export at a destination, a new one if it is empty.

    Raises:
        UsageError: it holds something else, or an export with other options.
    """
    entry = dest.head(EXPORT_KEY)
    if entry is None:
        if next(_others(dest), None) is not None:
            raise UsageError(
                f"{dest.url} is not empty, and what it holds is no export.", "Choose an empty folder or prefix."
            )
        data = wanted.model_dump_json(indent=1).encode("utf-8", "surrogatepass")
        return Journal(dest, wanted, dest.put_new(EXPORT_KEY, data))
    try:
        known = ExportRecord.model_validate_json(dest.get(EXPORT_KEY))
    except ValidationError as error:
        raise PdfbatchError(
            f"The record of the export is damaged ({dest.url}{EXPORT_KEY}).",
            "Choose an empty folder or prefix, or empty this one.",
        ) from error
    _check_same(dest, known, wanted)
    return Journal(dest, known, entry.etag)


def _check_same(dest: Store, known: ExportRecord, wanted: ExportRecord) -> None:
    if known.output != wanted.output:
        raise UsageError(f"{dest.url} holds an export of {known.output}.", "Choose another destination.")
    other = [
        f"{name} {getattr(known.options, name)!r}"
        for name in ExportOptions.model_fields
        if getattr(known.options, name) != getattr(wanted.options, name)
    ]
    if other:
        raise UsageError(
            f"{dest.url} holds an export with other options: {', '.join(other)}.",
            "Choose another destination, or use the same options to continue it.",
        )


class Standing(NamedTuple):
    """What is left to do."""

    kept: Sequence[Shard]
    """The first shards, which are right."""
    documents: int
    """Of all items."""


def standing(dest: Store, shards: Sequence[Shard], items: Iterable[Item]) -> Standing:
    """Compares shards with the items, which are read to their end."""
    rest = iter(items)
    kept: list[Shard] = []
    seen, has_changed = 0, False
    for shard in _whole(dest, shards):
        digest = ShardDigest()
        for item in islice(rest, shard.documents):
            digest.add(item)
        seen += digest.documents
        if digest.documents < shard.documents or digest.text() != shard.digest:
            has_changed = True
            break
        kept.append(shard)
    left = sum(1 for _ in rest)
    if kept and left and not has_changed and not kept[-1].is_full:
        kept.pop()
    return Standing(kept, seen + left)


def _whole(dest: Store, shards: Sequence[Shard]) -> Iterator[Shard]:
    """Yields the first shards, up to one that has lost a file."""
    sizes = in_order(lambda shard: [_size(dest, key) for key in shard.files], shards)
    for shard, found in zip(shards, sizes, strict=True):
        if found != list(shard.files.values()):
            return
        yield shard


def _size(dest: Store, key: str) -> int | None:
    entry = dest.head(key)
    return entry.size if entry else None


def remove_left_over(dest: Store, record: ExportRecord) -> int:
    """Removes shards that the record does not name: of earlier records, or of a process that was killed. Returns the
    number of files removed."""
    named = {key for shard in record.shards for key in shard.files}
    old = [entry.key for entry in dest.list() if _NAME.search(entry.key) and entry.key not in named]
    lists = [key for key in old if key.startswith(LISTS)]
    listed = list(_gone(dest, lists, [key for key in named if key.startswith(LISTS)])) if lists else []
    dest.delete([*listed, *old])
    return len(listed) + len(old) - len(lists)


def _gone(dest: Store, old: Iterable[str], new: Iterable[str]) -> Iterator[str]:
    """Yields the files that are only in old lists."""
    present = KeyTable(((key, "", ()) for key in _listed(dest, new)), str)
    return (key for key in sorted(set(_listed(dest, old))) if key not in present)


def _listed(dest: Store, lists: Iterable[str]) -> Iterator[str]:
    for data in in_order(dest.get, lists):
        yield from map(json.loads, data.splitlines())


def _others(dest: Store) -> Iterator[str]:
    return (entry.key for entry in dest.list() if not entry.key.startswith(STATE_PREFIX))

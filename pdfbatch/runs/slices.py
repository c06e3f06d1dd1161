"""The frozen documents of a run: one object per slice, gzip-compressed JSON lines, written at launch and never changed.

A worker reads only its own slice. A line is the array of a `SourceDocument`'s fields, without trailing defaults.
"""

from __future__ import annotations

import gzip
import heapq
import json
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, overload

from pdfbatch.errors import NotFound, PdfbatchError
from pdfbatch.records import CURRENT_RUN_KEY, Manifest, RunKeys, SourceDocument
from pdfbatch.runs.in_order import in_order
from pdfbatch.store import Store

_THREADS = 16
_DEFAULTS = SourceDocument("", 0, "")
_COPIES = SourceDocument._fields.index("copies")


class Frozen(NamedTuple):
    """A run before it is saved: its manifest, and the documents of each worker in its order."""

    manifest: Manifest
    slices: Sequence[Sequence[SourceDocument]]


class DocumentLines(Sequence[SourceDocument]):
    """The documents of a slice, parsed only when they are used: a slice may have a million.

    Raises:
        ValueError: a line is damaged; `len` counts without parsing.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._begins = array("Q", [0])
        at = data.find(b"\n")
        while at >= 0:
            self._begins.append(at + 1)
            at = data.find(b"\n", at + 1)

    def __len__(self) -> int:
        return len(self._begins) - 1

    @overload
    def __getitem__(self, index: int) -> SourceDocument: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[SourceDocument]: ...
    def __getitem__(self, index: int | slice) -> SourceDocument | Sequence[SourceDocument]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        return _document(json.loads(self._data[self._begins[number] : self._begins[number + 1]]))


def save(store: Store, frozen: Frozen) -> None:
    """Writes the documents of every slice."""

    def write(worker: int) -> None:
        save_slice(store, frozen.manifest.run, worker, frozen.slices[worker])

    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(write, range(len(frozen.slices))))


def save_slice(store: Store, run: str, worker: int, documents: Iterable[SourceDocument]) -> None:
    store.put(RunKeys(run).slice_documents(worker), _packed(documents))


def delete(store: Store, manifest: Manifest) -> None:
    keys = RunKeys(manifest.run)
    store.delete([keys.slice_documents(worker) for worker in range(manifest.total_workers)])


def documents_of(store: Store, manifest: Manifest, worker: int) -> Sequence[SourceDocument]:
    """Returns the documents of a worker's slice, in its order.

    Raises:
        PdfbatchError: they are missing or damaged.
    """
    key = RunKeys(manifest.run).slice_documents(worker)
    try:
        found = DocumentLines(_unpacked(store.get(key)))
        if found:
            found[len(found) - 1]  # a damaged file has a damaged end
    except NotFound:
        return _inline(store, manifest)[worker :: manifest.total_workers]
    except (OSError, EOFError, zlib.error, ValueError, TypeError, RecursionError) as error:
        raise _damaged(store, key) from error
    return found


def keys_of(store: Store, manifest: Manifest) -> Iterator[str]:
    """Yields the key of every document of a run, in order; reads the slices while it goes."""
    slices = in_order(lambda worker: _keys(documents_of(store, manifest, worker)), range(manifest.total_workers))
    yield from heapq.merge(*slices, key=lambda key: key.encode())


def _keys(documents: Iterable[SourceDocument]) -> list[str]:
    found = (
        key
        for document in documents
        if document.part <= 1
        for key in (document.key, *(copy.key for copy in document.copies))
    )
    return sorted(found, key=lambda key: key.encode())


def _inline(store: Store, manifest: Manifest) -> list[SourceDocument]:
    """Returns the documents inside a manifest of version 1, in their order."""
    key = RunKeys(manifest.run).manifest
    try:
        return [_document(line) for line in json.loads(gzip.decompress(store.get(key)))["documents"]]
    except (NotFound, OSError, EOFError, zlib.error, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(store, RunKeys(manifest.run).slices) from error


def _damaged(store: Store, key: str) -> PdfbatchError:
    return PdfbatchError(
        f"The documents of the run are missing or damaged ({store.url}{key}).",
        f"Delete {store.url}{CURRENT_RUN_KEY} and start again: a new run is made, finished documents are kept.",
    )


def _packed(documents: Iterable[SourceDocument]) -> bytes:
    lines = (json.dumps(_line(document), ensure_ascii=False, separators=(",", ":")) + "\n" for document in documents)
    # mtime=0: the same documents give the same bytes.
    return gzip.compress("".join(lines).encode(), 6, mtime=0)


def _unpacked(data: bytes) -> bytes:
    if not data:
        raise ValueError("an empty file")
    return gzip.decompress(data)


def _line(document: SourceDocument) -> list[Any]:
    fields: list[Any] = list(document)
    fields[_COPIES] = [_line(copy) for copy in document.copies]
    used = max(number for number, value in enumerate(document) if number < 3 or value != _DEFAULTS[number])
    return fields[: used + 1]


def _document(line: Sequence[Any]) -> SourceDocument:
    document = SourceDocument(*line)
    if not isinstance(document.key, str):
        raise TypeError("a document's key is not text")
    return document._replace(copies=tuple(map(_document, document.copies))) if document.copies else document

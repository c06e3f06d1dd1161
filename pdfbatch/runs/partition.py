"""Divides the documents of a run into slices. Pure."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import ceil
from typing import NamedTuple

from pdfbatch.errors import UsageError
from pdfbatch.records import SourceDocument, output_key

BYTES_A_DOCUMENT = 65536.0
"""What opening and publishing a document counts for; none takes no time."""
BYTES_A_PAGE = 50_000.0
"""What a page counts for if the number of pages is known; an estimate."""
LONG_BYTES = 2**20
"""Smaller documents are never split into parts."""
PART_BYTES = 2**17
"""No part is smaller than this."""
BLOCK_DOCUMENTS = 1000
"""The most entries of a block."""
POOL_BLOCK_PAGES = (10, 300)
"""About how many pages a block of a pool has, at least and at most."""
WORTH_MOVING = 0.9
"""Documents leave their modulo slices if the longest slice then has at most this share of its work."""


class Slice(NamedTuple):
    """The slice of `worker` (from 0) out of `total`: documents number worker, worker + total, worker + 2·total, …"""

    worker: int
    total: int

    @classmethod
    def checked(cls, worker: int, total: int) -> "Slice":
        if total < 1:
            raise UsageError(f"There must be at least one worker, not {total}.", "Use --total-workers 1 or more.")
        if not 0 <= worker < total:
            raise UsageError(
                f"Worker {worker} is out of range: with {total} workers the ids are 0 to {total - 1}.",
                f"Use a --worker-id between 0 and {total - 1}.",
            )
        return cls(worker, total)


def slice_of(documents: Sequence[SourceDocument], part: Slice) -> Sequence[SourceDocument]:
    return documents[part.worker :: part.total]


def work_of(document: SourceDocument) -> float:
    """Returns the work that an entry of a manifest makes, in bytes of an average document: by its pages if they are
    known, else by its size."""
    whole = document.pages * BYTES_A_PAGE if document.pages else document.size
    return whole / document.parts + BYTES_A_DOCUMENT


def in_parts(documents: Iterable[SourceDocument], workers: int) -> list[SourceDocument]:
    """Splits documents that are too long for one of several workers: longer than half of an even share.

    A part is a share of the pages, so the number of pages need not be known.
    """
    entries = list(documents)
    share = sum(map(work_of, entries)) / workers
    return list(chain.from_iterable(_parts(entry, share / 2) for entry in entries)) if workers > 1 else entries


def _parts(document: SourceDocument, most: float) -> list[SourceDocument]:
    work = work_of(document)
    if work <= most or work < LONG_BYTES or document.twin or document.is_read:
        return [document]
    parts = ceil(work / max(most, PART_BYTES))
    return [document._replace(part=part, parts=parts) for part in range(1, parts + 1)]


def divided(entries: Sequence[SourceDocument], workers: int) -> list[list[SourceDocument]]:
    """Divides entries into modulo slices; if these are very uneven, gives each entry to the slice with the least work
    so far instead. The same entries always give the same slices."""
    modulo = [list(entries[worker::workers]) for worker in range(workers)]
    balanced = _balanced(entries, workers)
    return balanced if _longest(balanced) <= WORTH_MOVING * _longest(modulo) else modulo


def _balanced(entries: Iterable[SourceDocument], workers: int) -> list[list[SourceDocument]]:
    slices: list[list[SourceDocument]] = [[] for _ in range(workers)]
    by_work = [(0.0, worker) for worker in range(workers)]
    for entry in entries:
        work, worker = by_work[0]
        slices[worker].append(entry)
        heapq.heapreplace(by_work, (work + work_of(entry), worker))
    return slices


def _longest(slices: Iterable[Iterable[SourceDocument]]) -> float:
    return max(sum(map(work_of, entries)) for entries in slices)


def blocks(entries: int) -> list[range]:
    """Divides the entries of a slice into the blocks that workers claim. Each holds an eighth of what is left, so that
    the last ones are small and several workers end at about the same time."""
    found, begin = list[range](), 0
    while begin < entries:
        end = begin + min(BLOCK_DOCUMENTS, max(1, (entries - begin) // 8))
        found.append(range(begin, end))
        begin = end
    return found


def pool_blocks(entries: Iterable[SourceDocument]) -> list[int]:
    """Divides a slice of a pool into blocks; returns how many entries come before the end of each. As in `blocks`, each
    is about an eighth of the work that is left, but within `POOL_BLOCK_PAGES`: a block costs some requests, and one
    that is lost is read again."""
    works = list(map(work_of, entries))
    least, most = (pages * BYTES_A_PAGE for pages in POOL_BLOCK_PAGES)
    left, block, begin, ends = sum(works), 0.0, 0, list[int]()
    for number, work in enumerate(works):
        share = min(most, max(least, left / 8))
        if number > begin and (block + work > share or number - begin == BLOCK_DOCUMENTS):
            ends.append(number)
            left, block, begin = left - block, 0.0, number
        block += work
    return [*ends, len(works)] if works else []


def documents_in(slices: Sequence[Sequence[SourceDocument]]) -> list[int]:
    """Returns the number of documents of each slice."""
    return [sum(entry.documents for entry in entries) for entries in slices]


def share_of_pages(numbers: Sequence[int], part: int, parts: int) -> Sequence[int]:
    """Returns the page numbers of a part, from 1, of several: consecutive, and as even as possible."""
    return numbers[len(numbers) * (part - 1) // parts : len(numbers) * part // parts]


def is_left(document: SourceDocument, outputs: Mapping[str, str]) -> bool:
    """Whether a document of a manifest is still to be done: it has no Markdown, or still the one from when the manifest
    was frozen. A twin never has Markdown of its own.

    `outputs` maps output keys to their current ETags.
    """
    return document.twin != "" or outputs.get(output_key(document.key)) in (None, document.output_etag)

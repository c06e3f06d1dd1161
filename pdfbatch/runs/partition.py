"""Divides a frozen manifest into modulo slices. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pdfbatch.errors import UsageError
from pdfbatch.records import Chosen, SourceDocument, output_key


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


def document_keys(keys: Iterable[str], chosen: Chosen = Chosen()) -> list[str]:  # noqa: B008  # frozen
    """Returns the keys of documents, sorted as S3 sorts them (by UTF-8 bytes)."""
    return sorted(filter(chosen.taker(), keys), key=lambda key: key.encode("utf-8", "surrogateescape"))


def is_left(document: SourceDocument, outputs: Mapping[str, str]) -> bool:
    """Whether a document of a manifest is still to be done: it has no Markdown, or still the one from when the manifest
    was frozen. A twin never has Markdown of its own.

    `outputs` maps output keys to their current ETags.
    """
    return document.twin != "" or outputs.get(output_key(document.key)) in (None, document.output_etag)

"""The records by which the workers of a run share work: claims of blocks, and finished parts of long documents."""

from __future__ import annotations

from pydantic import Field

from pdfbatch.records.base import Record
from pdfbatch.records.page import PageResult
from pdfbatch.records.run import Outcome
from pdfbatch.records.stamp import Stamp


class Claim(Record):
    """`claims/slice-I/NNNNNN.json`: the worker that reads a block of a slice; also `parts/DIGEST/assembly.json`: the
    worker that assembles a document from its parts. Written once, never changed."""

    worker: int
    at: Stamp


class FinishedPart(Record):
    """`parts/DIGEST/NNNN.json`: a finished part of a long document. Its read pages are in checkpoints."""

    version: int = 1
    key: str
    etag: str
    digest: str = ""
    part: int = Field(ge=1)
    parts: int = Field(ge=1)
    outcome: Outcome
    """The outcome of the part's pages."""
    unread: list[PageResult] = []
    """Its pages that could not be read."""

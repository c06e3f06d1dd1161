"""The record that `export` keeps at its destination: what is written, so that a second run does nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from pdfbatch.records.base import Record

EXPORT_KEY = ".pdfbatch/export.json"
"""Relative to the destination."""

ExportFormat = Literal["parquet", "dolma", "docling", "chunks", "pages", "markdown"]
Compression = Literal["zstd", "gzip", "none"]
MOST_SHARD_MB = 500


class Exportable(StrEnum):
    """Outcomes with Markdown."""

    OK = "ok"
    PARTIAL = "partial"


class ExportOptions(Record):
    """What an export contains. A destination holds one export: it cannot be continued with other options."""

    format: ExportFormat
    run: str = ""
    """Only documents whose newest outcome is of this run; "": of all runs."""
    only: list[Exportable] = [Exportable.OK, Exportable.PARTIAL]
    compression: Compression = "zstd"
    """Of JSON lines."""
    tokens: int = Field(default=512, ge=16)
    """The most tokens of a chunk."""
    dpi: int = Field(default=200, ge=50, le=600)
    """Resolution of pictures of pages."""
    front_matter: bool = False
    sha256: bool = False
    """Whether the inputs are read for their SHA-256."""
    shard_mb: float = Field(default=256, gt=0, le=MOST_SHARD_MB)
    """The most million bytes of a file."""


class Shard(Record):
    """Some neighbouring documents, and the files that hold them."""

    digest: str
    """Of the records of its documents: if they have changed, it is written again."""
    documents: int
    rows: int
    is_full: bool
    """Whether the next document did not fit; if not, documents that come later are added to it."""
    files: dict[str, int]
    """Size by key."""
    lacking: dict[str, int] = {}
    """Number of documents that are in it, but without something, by what they lack."""


class ExportRecord(Record):
    """`.pdfbatch/export.json` in the destination."""

    version: Literal[1] = 1
    output: str
    options: ExportOptions
    dollars_per_page: dict[str, float] = {}
    """By run, as it was when the export began; runs without a known or final cost are left out."""
    shards: list[Shard] = []
    is_complete: bool = False
    left_out: dict[str, int] = {}
    """Number of documents that are not in it, by reason."""

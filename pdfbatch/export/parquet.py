"""Parquet files: zstd, an index of pages, chunks by content (so that a store that deduplicates finds the same rows of
two versions), row groups of at most 64 MB. The same rows always give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pdfbatch.export.files import Part, Row

GROUP_BYTES = 64_000_000
GROUP_ROWS = 10_000
_CHUNKS = {"min_chunk_size": 256 * 1024, "max_chunk_size": 1024 * 1024, "norm_level": 0}
_ROW_OVERHEAD = 512
_FOOTER_BYTES = 30_000
"""What the end of the file holds for each row group."""


class ParquetFile:
    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._raw = path.open("wb")
        self._schema = schema
        self._writer = pq.ParquetWriter(
            self._raw, schema, compression="zstd", write_page_index=True, use_content_defined_chunking=_CHUNKS
        )
        self._rows: list[Mapping[str, Any]] = []
        self._pending = 0
        self._groups = self._written = 0

    @property
    def size(self) -> int:
        return self._written + self._pending + _FOOTER_BYTES * (self._groups + 1)

    def write(self, row: Row) -> None:
        if self._rows and (self._pending + row.weight > GROUP_BYTES or len(self._rows) >= GROUP_ROWS):
            self._flush()
        self._rows.append(row.value)
        self._pending += row.weight

    def close(self) -> None:
        self._flush()
        self._writer.close()
        self._raw.close()

    def abandon(self) -> None:
        self._raw.close()

    def _flush(self) -> None:
        if self._rows:
            self._groups += 1
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._rows, self._schema))
        self._written = self._raw.tell()
        self._rows, self._pending = [], 0


def parquet_part(schema: pa.Schema) -> Part:
    return Part("part-{}.parquet", partial(ParquetFile, schema=schema))


def parquet_row(fields: Mapping[str, Any], large: int) -> Row:
    """Returns a row whose large values have so many bytes."""
    return Row(fields, large + _ROW_OVERHEAD)

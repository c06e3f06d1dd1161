"""JSON lines, compressed: the same rows always give the same bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from pdfbatch.export.files import Part, Row
from pdfbatch.records import Compression

_ENDINGS: dict[Compression, str] = {"zstd": ".zst", "gzip": ".gz", "none": ""}
_HELD_BACK = 2**20
"""A compressor keeps at most so much of what it was given."""


class LinesFile:
    def __init__(self, path: Path, compression: Compression) -> None:
        self._raw = path.open("wb")
        self._file = _compressed(self._raw, compression)
        self._is_plain = compression == "none"
        self._given = 0

    @property
    def size(self) -> int:
        return self._raw.tell() + (0 if self._is_plain else min(self._given, _HELD_BACK))

    def write(self, row: Row) -> None:
        self._file.write(row.value)
        self._given += row.weight

    def close(self) -> None:
        self._file.close()
        self._raw.close()

    def abandon(self) -> None:
        with suppress(OSError):  # the disk may be full
            self._file.close()
        self._raw.close()


def lines_part(stem: str, compression: Compression) -> Part:
    """Returns the part of files `stem`, with the ending of JSON lines."""
    return Part(f"{stem}.jsonl{_ENDINGS[compression]}", partial(LinesFile, compression=compression))


def json_row(fields: Mapping[str, Any]) -> Row:
    """Returns a line. A lone surrogate, which UTF-8 cannot encode, becomes a question mark."""
    line = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
    return Row(line, len(line))


def _compressed(raw: IO[bytes], compression: Compression) -> IO[bytes]:
    if compression == "none":
        return raw
    if compression == "gzip":
        return gzip.GzipFile("", "wb", 6, raw, mtime=0)  # type: ignore[return-value]
    import zstandard

    return zstandard.ZstdCompressor().stream_writer(raw, closefd=False)

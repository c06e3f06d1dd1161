"""Publishes a file that a command or a processor made for a document."""

from __future__ import annotations

from pathlib import Path

from pdfbatch.errors import PreconditionFailed, StoreError
from pdfbatch.store import Store


def put_file(output: Store, key: str, path: Path, *, may_replace: bool) -> None:
    """Writes a file if there is none of that name. One with other content is replaced only if `may_replace`: on the
    first try for a document, nobody knows whose file that is.

    Raises:
        StoreError: another file is there, or the store failed.
    """
    try:
        output.put_new_file(key, path)
    except PreconditionFailed:
        data = path.read_bytes()
        if output.get(key) == data:
            return
        if not may_replace:
            raise StoreError(
                f"{output.url}{key} already exists with other content.",
                "Move it, choose another output, or replace it: `pdfbatch retry-failures`.",
            ) from None
        output.put(key, data)

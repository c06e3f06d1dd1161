"""What a child does for a page: read it, and note when."""

from __future__ import annotations

import time
from pathlib import Path

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.tasks import read_page
from pdfbatch.records import ReadOptions


def read(log: Path, path: str, number: int, options: ReadOptions, attempt: int) -> PageRead:
    began = time.time()
    try:
        return read_page(path, number, options, attempt)
    finally:
        with log.open("a") as lines:
            lines.write(f"{began} {time.time()}\n")

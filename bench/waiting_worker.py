"""A worker of a run whose pages only take time: python -m bench.waiting_worker IN OUT SECONDS WORKERS WORKER SHARES"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from functools import partial

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.sandbox.server import OPENING
from pdfbatch.engines.base import ChildEngine
from pdfbatch.records import Machine, PageResult, ReadOptions
from pdfbatch.runs.begin import Request, begin
from pdfbatch.runs.partition import Slice
from pdfbatch.store import open_store
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.stop import Stop


def read(seconds: float, path: str, number: int, options: ReadOptions, attempt: int) -> PageRead:
    time.sleep(seconds)
    return PageRead(PageResult(number=number, detail=f"page {number}"))


def main(source: str, output: str, seconds: str, workers: str, worker: str, shares: str) -> None:
    places = open_store(source), open_store(output, create=True)
    reads = ChildEngine("waiting", partial(read, float(seconds)), OPENING)
    part = Slice(int(worker), int(workers))
    begun = begin(*places, Request(part, reads.name, ReadOptions()), _now)
    manifest = begun.manifest if int(shares) else begun.manifest.model_copy(update={"entries": []})
    on = Machine(instance=f"i-{worker}", booted="2026-01-01T00:00:00Z")
    job = SliceConfig(manifest, begun.documents, part.worker, *places, reads, 1, 1.0, _now, on)
    SliceRun(job, Stop()).run()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main(*sys.argv[1:])

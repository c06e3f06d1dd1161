"""A worker that reads as engine `cpu` and notes when: python -m bench.timed_worker IN OUT LOG PROCESSES

LOG gets a line for each page: the times when its child began and ended it, in seconds since 1970.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pdfbatch.documents.sandbox.server import READING, warm_up


def main(source: str, output: str, log: str, processes: str) -> None:
    warm_up(READING)  # first, as the program does, see pdfbatch/cli/start.py
    from pdfbatch.cli.app import program

    program(["local-run"])  # a user's worker has it loaded
    from pdfbatch.engines.base import ChildEngine
    from pdfbatch.records import ReadOptions
    from pdfbatch.runs.begin import Request, begin
    from pdfbatch.runs.partition import Slice
    from pdfbatch.store import open_store
    from pdfbatch.worker.loop import SliceRun
    from pdfbatch.worker.slice_config import SliceConfig
    from pdfbatch.worker.stop import Stop

    from .read import read

    reads = ChildEngine("timed", partial(read, Path(log)), places=[Path(log).parent])
    places = open_store(source), open_store(output, create=True)
    begun = begin(*places, Request(Slice(0, 1), reads.name, ReadOptions()), _now)
    job = SliceConfig(begun.manifest, begun.documents, 0, *places, reads, int(processes), 1.0, _now)
    SliceRun(job, Stop()).run()


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A slice in a process of its own, for tests that kill it: python -m tests.worker.slice_process IN OUT TASK [OF WORKER]

Its children start with the tasks loaded and what opens a file; with PDFBATCH_TEST_LOADS=all as those of a worker do.
Ends with 0 when the slice is done, 130 when it was stopped. With PDFBATCH_INSTANCE it is a machine of a fleet; where
the environment names a metadata service, it is asked ten times a second.
"""

import os
import sys
from contextlib import ExitStack

from pdfbatch.config import metadata_endpoint
from pdfbatch.documents.sandbox.server import READING
from pdfbatch.records import Machine, ReadOptions
from pdfbatch.runs.partition import Slice
from pdfbatch.store import open_store
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.spot import SpotWatch
from pdfbatch.worker.stop import Stop, on_signals
from tests.worker import page_tasks
from tests.worker.begun import begin_at, now


def main() -> int:
    return work(*sys.argv[1:])


def work(pdfs: str, out: str, task: str, total: str = "1", worker: str = "0") -> int:
    preload = READING if os.environ.get("PDFBATCH_TEST_LOADS") == "all" else "tests.worker.loaded_opening"
    engine = page_tasks.engine(getattr(page_tasks, task), preload)
    part = Slice(int(worker), int(total))
    source, output = open_store(pdfs), open_store(out)
    begun = begin_at(source, output, engine.name, ReadOptions(), part)
    if begun.how == "nothing":
        return 0
    stop = Stop()
    instance = os.environ.get("PDFBATCH_INSTANCE")
    machine = Machine(instance=instance, booted="2026-01-01T00:00:00Z") if instance else None
    run = SliceRun(
        SliceConfig(begun.manifest, begun.documents, part.worker, source, output, engine, 2, 1.0, now, machine), stop
    )
    with ExitStack() as watches:
        watches.enter_context(on_signals(stop, run.kill_children))
        if endpoint := metadata_endpoint(os.environ):
            watches.enter_context(SpotWatch(endpoint, run.noticed, run.save_pages, 0.1))
        mark = run.run()
    return 0 if mark.why == "done" else 130


if __name__ == "__main__":
    sys.exit(main())

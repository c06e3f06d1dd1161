"""A slice with a sink in a process of its own, to be killed: python -m tests.delivery.slice_process IN OUT URL

It looks at the ledger twenty times a second. Ends with 0 when the slice is done.
"""

import os
import sys

from pdfbatch.cli.console import now
from pdfbatch.delivery.background import Deliveries
from pdfbatch.delivery.courier import Route
from pdfbatch.delivery.sink_secrets import SinkSecrets
from pdfbatch.delivery.sinks import open_sink
from pdfbatch.records import ReadOptions, SinkAddress
from pdfbatch.runs.partition import Slice
from pdfbatch.store import open_store
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.stop import Stop
from tests.worker import page_tasks
from tests.worker.begun import begin_at


def main(pdfs: str, out: str, url: str) -> int:
    engine = page_tasks.engine(page_tasks.note_slowly, "tests.worker.loaded_opening")
    source, output = open_store(pdfs), open_store(out)
    address = SinkAddress.read(url)
    begun = begin_at(source, output, engine.name, ReadOptions(), Slice(0, 1))
    if begun.how == "nothing":
        return 0
    sink = open_sink(address, SinkSecrets.taken_from(os.environ), now)
    route = Route(open_store(out), begun.manifest, address, sink, now)
    config = SliceConfig(begun.manifest, begun.documents, 0, source, output, engine, 2, 1.0, now)
    with Deliveries([route], 0, seconds=0.05) as sending:
        mark = SliceRun(config, Stop()).run()
        sending.finish(20)
    return 0 if mark.why == "done" else 130


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

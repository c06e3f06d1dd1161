"""What a worker is given to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from pdfbatch.documents.sandbox.passwords import Passwords
from pdfbatch.engines import Engine
from pdfbatch.processors.registry import ReadyProcessor
from pdfbatch.records import Machine, Manifest, SourceDocument
from pdfbatch.store import Store
from pdfbatch.worker.meter import Meter
from pdfbatch.worker.pool_workload import PoolQueues


class SliceConfig(NamedTuple):
    """A slice to run, and everything it needs from outside."""

    manifest: Manifest
    documents: Sequence[SourceDocument]
    """The documents of the slice."""
    worker: int
    source: Store
    output: Store
    engine: Engine
    processes: int
    heartbeat_seconds: float
    clock: Callable[[], datetime]
    machine: Machine | None = None
    """The fleet's instance that this is; None on your own machine."""
    meter: Meter | None = None
    """Counts the slice's cost, if the run has a cap."""
    passwords: Passwords = Passwords()
    """Passwords of encrypted documents."""
    queues: PoolQueues | None = None
    """Of a pool; None in a run with slices of the workers' own."""
    max_cost: float | None = None
    """Dollars that this slice's requests to an endpoint may cost; None: no cap."""
    processors: Sequence[ReadyProcessor] = ()
    """Those of the manifest, as they are installed here."""

"""All runs on an output, oldest first, for `pdfbatch runs`."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import STATE_PREFIX, RunKeys, Stamp
from pdfbatch.runs import manifest
from pdfbatch.runs.in_order import in_order
from pdfbatch.runs.progress import DocumentCounts, read_status
from pdfbatch.store import Store


class PastRun(BaseModel):
    model_config = ConfigDict(frozen=True)
    run: str
    created: Stamp | None = None
    state: str
    """As in `status`; `damaged`: its manifest cannot be read."""
    documents: DocumentCounts = DocumentCounts()
    dollars: float | None = None
    """None: no fleet, or unknown."""


class PastRuns(BaseModel):
    model_config = ConfigDict(frozen=True)
    output: str
    current: str | None
    """The run that commands use without --run."""
    runs: list[PastRun]


def read_runs(store: Store, now: datetime) -> PastRuns:
    """Reads all runs: for each run what `status` reads."""
    runs = [_past(store, run, now) for run in run_ids(store)]
    return PastRuns(output=store.url, current=manifest.current(store), runs=runs)


def run_ids(store: Store) -> list[str]:
    """Returns the ids of all runs, oldest first: the folders with a manifest."""
    names = [folder[len(STATE_PREFIX) : -1] for folder in store.folders(STATE_PREFIX)]
    manifests = in_order(lambda run: store.head(RunKeys(run).manifest), names)
    return [run for run, entry in zip(names, manifests, strict=True) if entry is not None]


def _past(store: Store, run: str, now: datetime) -> PastRun:
    try:
        frozen = manifest.load(store, run)
        status = read_status(store, frozen, now)
    except PdfbatchError:
        return PastRun(run=run, state="damaged")
    return PastRun(
        run=run, created=frozen.created, state=status.state, documents=status.documents, dollars=status.dollars
    )

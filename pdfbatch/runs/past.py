"""All runs on an output, oldest first, for `pdfbatch runs`."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from pdfbatch.errors import PdfbatchError
from pdfbatch.records import STATE_PREFIX, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.progress import DocumentCounts, read_status
from pdfbatch.store import Store


class PastRun(BaseModel):
    model_config = ConfigDict(frozen=True)
    run: str
    created: str = ""
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
    """Reads all runs: one LIST of the state, and for each run what `status` reads."""
    runs = [_past(store, run, now) for run in run_ids(store)]
    return PastRuns(output=store.url, current=manifest.current(store), runs=runs)


def run_ids(store: Store) -> list[str]:
    """Returns the ids of all runs, oldest first, with one LIST."""
    return sorted(run for entry in store.list(STATE_PREFIX) if (run := _run_of(entry.key)))


def _run_of(key: str) -> str:
    """Returns the run whose manifest has this key; "" for any other key."""
    run = key.removeprefix(STATE_PREFIX).partition("/")[0]
    return run if key == RunKeys(run).manifest else ""


def _past(store: Store, run: str, now: datetime) -> PastRun:
    try:
        frozen = manifest.load(store, run)
        status = read_status(store, frozen, now)
    except PdfbatchError:
        return PastRun(run=run, state="damaged")
    return PastRun(
        run=run, created=frozen.created, state=status.state, documents=status.documents, dollars=status.dollars
    )

"""Completes the status of a run with what AWS says about its jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pdfbatch.cli.console import now, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from pdfbatch.records import FleetRecord
    from pdfbatch.runs.progress import RunStatus
    from pdfbatch.store import Store

S = TypeVar("S", bound="RunStatus")


def with_jobs(read: Callable[[], S], store: Store, run: str) -> Callable[[], S]:
    """Completes what `read` returns with what AWS says about the run's jobs, if it has any."""
    from pdfbatch.runs.manifest import load_fleet

    record = load_fleet(store, run)
    if record is not None and record.way == "sagemaker" and record.ended is None:
        return _asking_sagemaker(read, store, record)
    if record is None or record.way != "batch":
        return read
    from pdfbatch.fleet.batch.children import asking_batch
    from pdfbatch.fleet.clients import Clients

    return asking_batch(read, record, Clients(record.region))


def _asking_sagemaker(read: Callable[[], S], store: Store, record: FleetRecord) -> Callable[[], S]:
    """Asks, while no worker seems to be at work, whether the job has ended, and says so once: only AWS knows."""
    from pdfbatch.fleet.clients import Clients
    from pdfbatch.fleet.sagemaker.ended import note_ended

    clients = Clients(record.region)

    def asked() -> S:
        found = read()
        if found.state not in ("waiting", "stale", "interrupted"):
            return found
        state = note_ended(clients, store, record.run, now())
        if state is None:
            return found
        if state.status != "Completed":
            said = " ".join([state.why, *state.message.splitlines()]).strip()
            say(f"SageMaker job {state.name}: {state.status}{f' ({said})' if said else ''}; launch again to resume")
        return read()

    return asked

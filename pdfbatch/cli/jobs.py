"""Completes the status of a run with what AWS says about its jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from pdfbatch.runs.progress import RunStatus
    from pdfbatch.store import Store

S = TypeVar("S", bound="RunStatus")


def with_jobs(read: Callable[[], S], store: Store, run: str) -> Callable[[], S]:
    """Completes what `read` returns with what AWS says about the run's jobs, if it has any."""
    from pdfbatch.runs.manifest import load_fleet

    record = load_fleet(store, run)
    if record is None or record.way != "batch":
        return read
    from pdfbatch.fleet.batch.children import asking_batch
    from pdfbatch.fleet.clients import Clients

    return asking_batch(read, record, Clients(record.region))

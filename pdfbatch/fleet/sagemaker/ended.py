"""Notes in a run's record that its SageMaker job has ended. The store does not show it: nobody writes a mark for a host
that was killed, or that never started.

A job that SageMaker stops at its time limit is `Stopped`, without a reason. What is left, the next launch takes.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from pdfbatch.errors import AccessDenied, PdfbatchError
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.sagemaker import jobs
from pdfbatch.fleet.sagemaker.jobs import JobState
from pdfbatch.records import FleetRecord
from pdfbatch.runs import manifest
from pdfbatch.store import Store


def ended_job(clients: Clients, record: FleetRecord) -> JobState | None:
    """Asks how the job of a run has ended; None: it has not, or AWS does not say."""
    try:
        state = jobs.state_of(clients, record.job or Names(record.stack).processing_job(record.run))
    except PdfbatchError:
        return None
    return None if state is None or state.is_living else state


def note_ended(clients: Clients, output: Store, run: str | None, now: datetime) -> JobState | None:
    """Notes the end of a run's job, if it is one on SageMaker that has ended; returns how."""
    record = manifest.load_fleet(output, run) if run else None
    if record is None or record.way != "sagemaker" or record.ended is not None:
        return None
    state = ended_job(clients, record)
    if state is not None:
        with suppress(AccessDenied):  # whoever reads the output may not be allowed to write it
            manifest.save_fleet(output, record.model_copy(update={"ended": state.ended or now}))
    return state

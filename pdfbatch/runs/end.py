"""Whether a whole run has ended: no worker will resume its slice."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pdfbatch.records import FINAL_ENDINGS, DoneMark, Manifest, RunKeys
from pdfbatch.runs.liveness import is_alive
from pdfbatch.runs.manifest import load_fleet
from pdfbatch.runs.pool import pool_of, workers_of
from pdfbatch.runs.record_reader import RecordReader
from pdfbatch.store import Store


def marks_of_ended(
    output: Store, manifest: Manifest, now: datetime, reader: RecordReader | None = None
) -> list[DoneMark] | None:
    """Returns the done marks of a run whose workers have all ended; None if one has not. A `reader` that is given again
    reads only what is new.

    After the deadline of a fleet a slice may have no instance to write its mark: then a stale heartbeat is enough.
    """
    reader = reader or RecordReader(output, RunKeys(manifest.run))
    marks = reader.done_marks()
    left = _left(workers_of(manifest, pool_of(output, manifest)), marks)
    if left:
        fleet = load_fleet(output, manifest.run)
        if fleet is None or now < fleet.deadline:
            return None
        mark_of = {mark.worker: mark for mark in marks}
        if any(beat.worker in left and is_alive(beat, mark_of.get(beat.worker), now) for beat in reader.heartbeats()):
            return None
    return marks


def _left(workers: int, marks: Iterable[DoneMark]) -> set[int]:
    return set(range(workers)) - {mark.worker for mark in marks if mark.why in FINAL_ENDINGS}

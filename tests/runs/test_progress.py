from datetime import UTC, datetime, timedelta

import pytest

from pdfbatch.records import Counts, DoneMark, Ending, Heartbeat, Manifest, SourceDocument
from pdfbatch.runs.progress import eta_seconds, summarise, timestamp, weight

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def manifest(documents: int = 10, workers: int = 2, skipped: int = 0) -> Manifest:
    found = [SourceDocument(f"{number}.pdf", 1, "e") for number in range(documents)]
    return Manifest(
        run="r",
        created="",
        input="in/",
        output="out/",
        total_workers=workers,
        engine="cpu",
        skipped=skipped,
        documents=found,
    )


def beat(worker: int, counts: Counts, age: float = 5.0) -> Heartbeat:
    at = timestamp(NOW - timedelta(seconds=age))
    started = timestamp(NOW - timedelta(hours=1))
    return Heartbeat(worker=worker, state="running", counts=counts, started=started, at=at, seconds=3595.0)


def mark(worker: int, why: Ending = "done", age: float = 1.0) -> DoneMark:
    return DoneMark(worker=worker, why=why, at=timestamp(NOW - timedelta(seconds=age)), counts=Counts())


def test_a_worker_that_never_spoke_waits_with_its_share_of_the_documents() -> None:
    status = summarise(manifest(documents=5), [], [], NOW)
    assert [(worker.state, worker.total) for worker in status.workers] == [("waiting", 3), ("waiting", 2)]
    assert status.state == "waiting"


def test_documents_of_all_workers_add_up_and_those_skipped_at_the_freeze_count_as_done() -> None:
    beats = [beat(0, Counts(total=5, ok=2, failed=1)), beat(1, Counts(total=5, partial=1, ok=1))]
    documents = summarise(manifest(skipped=4), beats, [], NOW).documents
    assert (documents.total, documents.done, documents.ok, documents.partial, documents.failed) == (14, 9, 3, 1, 1)
    assert documents.skipped == 4


def test_a_silent_worker_is_stale_and_so_is_its_run() -> None:
    status = summarise(manifest(workers=1), [beat(0, Counts(total=10), age=61)], [], NOW)
    assert status.workers[0].stale
    assert status.state == "stale"


def test_a_worker_that_ended_is_not_stale_however_old_its_last_beat() -> None:
    status = summarise(manifest(workers=1), [beat(0, Counts(total=10, ok=10), age=999)], [mark(0, age=998)], NOW)
    assert not status.workers[0].stale
    assert status.state == "done"


def test_a_done_mark_of_an_earlier_life_does_not_end_a_worker_that_started_again() -> None:
    status = summarise(manifest(workers=1), [beat(0, Counts(total=10))], [mark(0, "interrupted", age=7200)], NOW)
    assert status.state == "running"


def test_one_running_worker_keeps_the_run_running() -> None:
    beats = [beat(0, Counts(total=5, ok=5)), beat(1, Counts(total=5, ok=1))]
    assert summarise(manifest(), beats, [mark(0)], NOW).state == "running"


@pytest.mark.parametrize(
    ("left", "done", "seconds", "eta"),
    [(5.0, 5.0, 50.0, 50.0), (2.0, 8.0, 40.0, 10.0), (10.0, 0.0, 50.0, None), (0.0, 0.0, 1.0, 0.0)],
)
def test_the_eta_goes_by_the_pace_of_this_process(left: float, done: float, seconds: float, eta: float | None) -> None:
    assert eta_seconds(left, done, seconds) == eta


def test_a_long_document_weighs_more_than_an_empty_one_and_none_weighs_nothing() -> None:
    assert weight(10_000_000) > 50 * weight(0) > 0

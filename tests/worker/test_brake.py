"""The brake: a worker stops and reports why if its first documents all fail for a reason not caused by them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.records import Outcome, ReadOptions, Reason, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.manifest import save_fleet
from pdfbatch.runs.partition import Slice
from pdfbatch.runs.slices import documents_of
from pdfbatch.store import open_store
from pdfbatch.worker.brake import Brake
from pdfbatch.worker.completion import complete
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.stop import Stop
from samples.many import many_pdfs
from tests.runs.fleets import fleet
from tests.worker import page_tasks
from tests.worker.begun import begin_at, now
from tests.worker.conftest import RunSlice
from tests.worker.page_tasks import engine

ENVIRONMENTAL = [
    Reason.ENGINE_ERROR,
    Reason.STORE_ERROR,
    Reason.OUT_OF_MEMORY,
    Reason.CRASHED,
    Reason.COMMAND_FAILED,
]
AT = "2026-11-25T19:45:00Z"


def failed(reason: Reason, detail: str = "") -> Outcome:
    return made("failed", reason=reason, detail=detail)


def made(kind: str, **more: object) -> Outcome:
    known = {"key": "a.pdf", "outcome": kind, "pages": 2, "engine": "null", "seconds": 1.0, "etag": "e"}
    return Outcome.model_validate(known | {"attempt": 1, "worker": 0, "at": AT} | more)


def stops_after(outcomes: list[Outcome], limit: int = 3) -> int | None:
    brake = Brake(limit)
    return next((number for number, each in enumerate(outcomes, 1) if brake.after(each)), None)


@pytest.mark.parametrize("reason", list(Reason))
def test_only_reasons_that_are_not_the_documents_own_stop_a_worker(reason: Reason) -> None:
    assert stops_after([failed(reason)] * 9) == (3 if reason in ENVIRONMENTAL else None)


@pytest.mark.parametrize(
    ("outcomes", "stop"),
    [
        ([failed(Reason.CRASHED)] * 2 + [failed(Reason.ENGINE_ERROR)] * 3, 5),
        ([failed(Reason.CRASHED), failed(Reason.ENCRYPTED)] * 3, 5),
        ([made("ok")] + [failed(Reason.CRASHED)] * 9, None),
        ([made("partial", reason="crashed", failed_pages=[(1, "crashed")])] + [failed(Reason.CRASHED)] * 9, None),
        ([failed(Reason.CRASHED)] * 2 + [made("ok")] + [failed(Reason.CRASHED)] * 9, None),
    ],
    ids=["another reason counts anew", "a document's own fault is passed over", "one read", "one page read", "later"],
)
def test_the_brake_counts_from_the_start_until_a_page_is_read(outcomes: list[Outcome], stop: int | None) -> None:
    assert stops_after(outcomes) == stop


@given(st.lists(st.sampled_from(list(Reason)), max_size=50))
def test_a_limit_of_zero_never_stops(reasons: list[Reason]) -> None:
    assert stops_after([failed(reason) for reason in reasons], limit=0) is None


def test_the_sentence_names_the_count_the_reason_and_the_last_error() -> None:
    brake = Brake(1)
    assert brake.after(failed(Reason.ENGINE_ERROR, "no\nCUDA device.")) == (
        "The first 1 documents failed, all with engine_error; the last error: no CUDA device."
    )


def test_a_manifest_of_an_older_version_has_the_default_brake() -> None:
    assert ReadOptions.model_validate({"dpi": 200}).failures_in_a_row == 20


def test_a_worker_whose_engine_always_fails_stops_and_leaves_the_rest(pdfs: Path, run_slice: RunSlice) -> None:
    many_pdfs(pdfs, 40)
    mark = run_slice(engine(page_tasks.raise_always), failures_in_a_row=5)
    assert mark.why == "failing" and "engine_error" in mark.detail
    assert 5 <= mark.counts.failed < 20, "what was under way ends, the rest is left"


def test_five_workers_whose_engine_always_fails_stop_and_the_mail_says_why(pdfs: Path, out: Path) -> None:
    many_pdfs(pdfs, 100)
    source, output = open_store(str(pdfs)), open_store(str(out))
    options = ReadOptions(failures_in_a_row=4)
    begun = begin_at(source, output, "null", options, Slice(0, 5))
    save_fleet(output, fleet(hours=10_000).model_copy(update={"run": begun.manifest.run}))
    sent: list[tuple[str, str]] = []
    for worker in range(5):
        documents, reader = documents_of(output, begun.manifest, worker), engine(page_tasks.raise_always)
        job = SliceConfig(begun.manifest, documents, worker, source, output, reader, 1, 1.0, now)
        mark = SliceRun(job, Stop()).run()
        assert mark.why == "failing" and mark.counts.failed <= 4 + 4, "no more than were under way"
        complete(output, begun.manifest, lambda *mail: sent.append(mail), now, lambda _: None)
    assert manifest.current(output) == begun.manifest.run
    assert output.get(RunKeys(begun.manifest.run).done_mark(4))
    [(_, message)] = sent
    for worker in range(5):
        assert f"worker {worker} stopped: The first 4 documents failed, all with engine_error" in message

"""The report over all runs of an output: newest outcomes, summed costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdfbatch.records import CURRENT_RUN_KEY, CurrentRun, Reason, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.report import read_report
from pdfbatch.runs.slices import Frozen, documents_of
from pdfbatch.runs.whole import read_output_status, read_whole
from pdfbatch.store import Store, open_store
from tests.runs.fleets import RUN, minute
from tests.runs.test_report import launch, smooth, tell

EARLIER = "20250101T000000.000Z-0000"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One fleet's run, current, in which a document failed."""
    store = open_store(str(tmp_path / "out"), create=True)
    launch(store, smooth())
    store.put(CURRENT_RUN_KEY, CurrentRun(run=RUN).model_dump_json().encode())
    tell(store, RUN, ("0.pdf", "ok", None), ("1.pdf", "failed", Reason.CORRUPT))
    return store


def add_earlier_run(store: Store) -> None:
    """The same run once more, a year before, with a document more."""
    for entry in list(store.list(RunKeys(RUN).prefix)):
        if "/ledger/" not in entry.key and entry.key != RunKeys(RUN).manifest:
            store.put(entry.key.replace(RUN, EARLIER), store.get(entry.key).replace(RUN.encode(), EARLIER.encode()))
    known = manifest.load(store, RUN)
    documents = [documents_of(store, known, worker) for worker in range(known.total_workers)]
    manifest.save(store, Frozen(known.model_copy(update={"run": EARLIER}), documents))
    tell(store, EARLIER, ("0.pdf", "failed", Reason.TIMEOUT), ("gone.pdf", "ok", None))


def test_a_single_run_is_reported_as_itself(store: Store) -> None:
    assert read_whole(store, manifest.load(store, RUN), minute(90)) == read_report(store, RUN, minute(90))


def test_costs_of_all_runs_are_added_up_and_the_newest_outcomes_counted(store: Store) -> None:
    add_earlier_run(store)
    one, whole = read_report(store, RUN, minute(90)), read_whole(store, manifest.load(store, RUN), minute(90))
    assert (whole.runs, whole.run, whole.state) == (2, RUN, one.state)
    assert one.dollars and whole.dollars == pytest.approx(2 * one.dollars, abs=1e-3)
    assert one.waste and whole.waste and whole.waste.dollars == pytest.approx(2 * one.waste.dollars, abs=1e-3)
    assert (whole.machines, whole.machine_hours) == (2 * one.machines, pytest.approx(2 * one.machine_hours, abs=1e-3))
    documents = whole.documents
    assert (documents.total, documents.done, documents.ok, documents.failed) == (101, 3, 2, 1)
    assert whole.reasons == {"corrupt": 1}


def test_an_earlier_run_whose_manifest_is_damaged_is_left_out_of_the_costs(store: Store) -> None:
    add_earlier_run(store)
    store.put(RunKeys(EARLIER).manifest, b"damaged")
    whole = read_whole(store, manifest.load(store, RUN), minute(90))
    assert whole.dollars == read_report(store, RUN, minute(90)).dollars


def test_the_status_counts_the_documents_of_all_runs(store: Store) -> None:
    add_earlier_run(store)
    found = read_output_status(store, manifest.load(store, RUN), minute(90))
    assert found.runs == 2 and found.all_documents is not None
    assert (found.all_documents.total, found.all_documents.ok) == (101, 2)

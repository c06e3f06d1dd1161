"""A run's report: its result, its cost, the waste, and what a retry fixed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from pdfbatch import views
from pdfbatch.errors import NotFound
from pdfbatch.records import Counts, Heartbeat, Manifest, Outcome, OutcomeKind, Reason, RunKeys, SourceDocument
from pdfbatch.runs import manifest
from pdfbatch.runs.ledger import LedgerWriter
from pdfbatch.runs.report import Report, Spent, read_report
from pdfbatch.store import Store, open_store
from tests.frozen import frozen
from tests.runs.fleets import LAUNCH, RUN, Story, fleet, minute
from tests.test_views import text


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "out"), create=True)


def freeze(store: Store, workers: int = 1, retry_of: str | None = None, documents: int = 100) -> Manifest:
    found = [SourceDocument(f"{number}.pdf", 1, "e") for number in range(documents)]
    run = frozen(found, workers, run=RUN, created=minute(-1), engine="dolphin", retry_of=retry_of)
    manifest.save(store, run)
    return run.manifest


def launch(store: Store, *stories: Story, ended: float | None = None) -> None:
    freeze(store, len(stories))
    store.put(RunKeys(RUN).fleet, fleet(ended=ended).model_dump_json().encode())
    for story in stories:
        story.write(store)


def spent(minutes: float, dollars_an_hour: float = 1.0) -> Spent:
    return Spent(hours=round(minutes / 60, 4), dollars=round(minutes / 60 * dollars_an_hour, 4))


def smooth() -> Story:
    """Two minutes of boot, an hour of work, a minute to end itself."""
    return Story().boots_at(3).beats(4, 64, "done", done=100).marks(64, "done")


def bumpy() -> Story:
    """One machine taken with notice, one without, one on which no worker spoke, and one in zone b that ends it."""
    story = Story().boots_at(1).beats(2, 11, "interrupted", notice=10, done=20).marks(11, "interrupted")
    story.boots_at(21).beats(23, 30, done=40)
    story.boots_at(41).boots_at(51, zone="us-east-1b")
    return story.beats(55, 100, "done", done=100).marks(100, "done")


def test_a_smooth_run_wastes_its_boot_and_its_last_minute(store: Store) -> None:
    launch(store, smooth())
    report = read_report(store, RUN, minute(90))
    assert report.waste is not None
    assert (report.waste.boot, report.waste.interruptions, report.waste.idle) == (spent(2), spent(0), spent(1))
    assert (report.state, report.machines, report.interrupted) == ("done", 1, 0)
    assert (report.machine_hours, report.dollars) == (1.05, 1.05)
    assert report.dollars_per_1000_pages == 1.05
    assert report.pages_per_machine_hour == round(1000 / 1.05, 1)
    assert (report.began, report.ended, report.seconds) == (minute(0), minute(64), 64 * 60)


def test_a_run_with_interruptions_reports_their_cost(store: Store) -> None:
    launch(store, bumpy())
    report = read_report(store, RUN, minute(300))
    assert report.waste is not None
    assert (report.machines, report.interrupted) == (4, 2)
    # 0–12 min with notice at 10; 20–40, silent from 30; 40–50 without a word; 50–101 at two dollars.
    assert report.machine_hours == pytest.approx((12 + 20 + 10 + 51) / 60, abs=1e-3)
    assert report.dollars == pytest.approx((12 + 20 + 10 + 2 * 51) / 60, abs=1e-3)
    assert report.waste.interruptions == spent(2 + 10)
    assert report.waste.boot == Spent(hours=round(20 / 60, 4), dollars=round((2 + 3 + 10 + 2 * 5) / 60, 4))
    assert report.waste.idle == spent(1, 2.0)


def test_an_unfinished_run_has_no_end_and_its_running_instance_wastes_nothing(store: Store) -> None:
    launch(store, Story().boots_at(3).beats(4, 30, done=50))
    report = read_report(store, RUN, minute(30.2))
    assert report.waste is not None
    assert (report.state, report.ended, report.seconds) == ("running", None, round(30.2 * 60, 3))
    assert (report.waste.interruptions, report.waste.idle, report.interrupted) == (spent(0), spent(0), 0)


def test_a_worker_that_gave_up_was_only_boots(store: Store) -> None:
    launch(store, Story().boots_at(2).boots_at(12).marks(13, "gave_up", "No image."))
    report = read_report(store, RUN, minute(90))
    assert report.waste is not None
    assert report.waste.boot == spent(report.machine_hours * 60)
    assert (report.state, report.dollars_per_1000_pages, report.pages_per_machine_hour) == ("failed", None, 0.0)


def test_a_report_says_why_workers_stopped(store: Store) -> None:
    launch(store, smooth(), Story(1).boots_at(3).beats(6, 20).marks(20, "over_budget", "About $9.50 is spent."))
    report = read_report(store, RUN, minute(60))
    assert (report.state, report.stopped) == ("over_budget", ["worker 1: About $9.50 is spent."])
    assert "worker 1: About $9.50 is spent." in text(views.report_screen(report), 120)


def test_a_run_taken_down_counts_until_then(store: Store) -> None:
    launch(store, Story().boots_at(3).beats(4, 30, done=50), ended=40)
    report = read_report(store, RUN, minute(90))
    assert report.waste is not None
    assert (report.state, report.machine_hours, report.ended) == ("ended", round(38 / 60, 4), minute(30))
    assert report.waste.interruptions == spent(10)


def test_nothing_is_wasted_twice_and_never_more_than_was_paid(store: Store) -> None:
    launch(store, smooth(), bumpy(), Story(2).boots_at(3))
    for at in range(0, 130, 3):
        report = read_report(store, RUN, minute(at))
        assert report.waste is not None
        parts = [report.waste.boot, report.waste.interruptions, report.waste.idle]
        assert sum(part.hours for part in parts) <= report.machine_hours + 1e-3
        assert sum(part.dollars or 0 for part in parts) <= (report.dollars or 0) + 1e-3


def test_a_run_on_your_own_machine_has_no_known_cost(store: Store) -> None:
    freeze(store)
    at = LAUNCH + timedelta(minutes=30)
    counts = Counts(total=100, ok=99, failed=1, pages_read=900, pages_here=300, reasons={"corrupt": 1})
    beat = Heartbeat(worker=0, state="done", counts=counts, started=minute(0), at=at, seconds=1800)
    store.put(RunKeys(RUN).heartbeat(0), beat.model_dump_json().encode())
    report = read_report(store, RUN, minute(60))
    assert (report.dollars, report.waste, report.machines, report.retried) == (None, None, 0, None)
    assert (report.machine_hours, report.pages_per_machine_hour) == (0.5, 600.0), "600 pages are of processes before"
    assert (report.reasons, report.pages.read, report.documents.failed) == ({"corrupt": 1}, 900, 1)
    assert report.began == minute(-1)


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_report_shows_what_spot_saved_against_on_demand(store: Store) -> None:
    launch(store, bumpy())
    assert read_report(store, RUN, minute(300)).saved_dollars is None, "no on-demand price is known"
    priced = fleet().model_copy(update={"on_demand_prices": {"g4dn.xlarge": 4.0}})
    store.put(RunKeys(RUN).fleet, priced.model_dump_json().encode())
    report = read_report(store, RUN, minute(300))
    assert report.saved_dollars is not None and report.dollars is not None
    assert report.saved_dollars == pytest.approx(4.0 * report.machine_hours - report.dollars, abs=0.001)
    other = priced.model_copy(update={"on_demand_prices": {"g5.xlarge": 4.0}})
    store.put(RunKeys(RUN).fleet, other.model_dump_json().encode())
    assert read_report(store, RUN, minute(300)).saved_dollars is None


def test_a_report_adds_up_the_cost_of_waste(store: Store) -> None:
    launch(store, bumpy())
    waste = read_report(store, RUN, minute(300)).waste
    assert waste is not None and waste.interruptions.dollars and waste.boot.dollars and waste.idle.dollars
    assert waste.dollars == round(waste.boot.dollars + waste.interruptions.dollars + waste.idle.dollars, 4)
    assert waste.model_dump()["dollars"] == waste.dollars, "report --json has it"


def test_the_bill_stands_still_when_the_run_is_done_even_if_an_instance_never_spoke(store: Store) -> None:
    story = Story().boots_at(3).beats(4, 64, done=100).boots_at(60)
    story.beats(4, 65, "done", done=100, machine=0).marks(65, "done")
    launch(store, story)
    soon, later = read_report(store, RUN, minute(70)), read_report(store, RUN, minute(110))
    assert soon.state == "done" and soon.machines == 2
    assert soon.dollars == later.dollars and soon.machine_hours == later.machine_hours


def test_a_run_that_was_ended_before_any_worker_spoke_has_an_end_and_a_bill_that_stands_still(store: Store) -> None:
    launch(store, Story().boots_at(3), ended=10)
    soon, later = read_report(store, RUN, minute(20)), read_report(store, RUN, minute(90))
    assert (soon.state, soon.ended, soon.seconds) == ("ended", minute(10), 600)
    assert soon == later


# ── retries ──────────────────────────────────────────────────────────────────────────────────────────────────────


def tell(store: Store, run: str, *lines: tuple[str, OutcomeKind, Reason | None]) -> None:
    writer = LedgerWriter(store, RunKeys(run), 0, 1)
    for key, outcome, reason in lines:
        writer.add(Outcome(key=key, outcome=outcome, reason=reason))
    writer.flush()


def test_a_retry_reports_what_it_fixed_and_what_stays_broken(store: Store) -> None:
    freeze(store, retry_of="20260101T000000.000Z-0000", documents=4)
    tell(store, "20260101T000000.000Z-0000", ("3.pdf", "ok", None))
    tell(
        store,
        RUN,
        ("0.pdf", "ok", None),
        ("1.pdf", "failed", Reason.CORRUPT),
        ("2.pdf", "partial", Reason.TIMEOUT),
    )
    retried = read_report(store, RUN, minute(1)).retried
    assert retried is not None
    assert retried.of == "20260101T000000.000Z-0000"
    assert (retried.fixed, retried.broken, retried.not_yet) == (1, 2, 1)
    assert (retried.fixed_keys, retried.broken_keys) == (["0.pdf"], ["1.pdf", "2.pdf"])
    assert retried.reasons == {"corrupt": 1, "timeout": 1}


def test_of_many_that_stay_broken_the_first_are_named(store: Store) -> None:
    freeze(store, retry_of="r", documents=50)
    tell(store, RUN, *((f"{number}.pdf", "failed", Reason.CORRUPT) for number in range(50)))
    retried = read_report(store, RUN, minute(1)).retried
    assert retried is not None
    assert (retried.broken, len(retried.broken_keys)) == (50, 20)


def test_a_report_of_no_run_says_so(store: Store) -> None:
    with pytest.raises(NotFound):
        read_report(store, "20260101T120000.000Z-none", minute(1))


def test_a_report_is_one_json_document_that_reads_back(store: Store) -> None:
    launch(store, bumpy())
    report = read_report(store, RUN, minute(300))
    assert Report.model_validate_json(report.model_dump_json()) == report

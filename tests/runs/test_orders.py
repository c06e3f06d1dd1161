"""An execution of an order: its first host freezes what is left, once, and the others wait for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pdfbatch.errors import NotFound, PdfbatchError
from pdfbatch.records import CURRENT_RUN_KEY, Manifest, ReadOptions, RunKeys
from pdfbatch.records.order import RunOrder, claim_key, start_key
from pdfbatch.runs import manifest
from pdfbatch.runs.orders import begin_order, load_order, save_order, wait_for_order
from pdfbatch.runs.slices import keys_of
from pdfbatch.store import Store, open_store
from tests.runs.fleets import fleet

NAME, JOB = "nightly", "pdfbatch-nightly-d32c5kddcf5bb8c3"
NOW = datetime(2026, 11, 28, 2, tzinfo=UTC)


def clock() -> datetime:
    return NOW


@pytest.fixture
def source(tmp_path: Path) -> Store:
    store = open_store(str(tmp_path / "in"), create=True)
    for number in range(5):
        store.put(f"{number}.pdf", b"%PDF-1.4 " + b"x" * number)
    return store


@pytest.fixture
def output(tmp_path: Path, source: Store) -> Store:
    """An output with an order."""
    store = open_store(str(tmp_path / "out"), create=True)
    ordered = Manifest(
        run="20260101T000000.000Z-0000",
        created=NOW - timedelta(days=9),
        input=source.url,
        output=store.url,
        total_workers=9,
        engine="null",
        image="image@sha256:1",
        options=ReadOptions(dpi=300),
        skipped=7,
        slices=[1] * 9,
    )
    save_order(store, NAME, RunOrder(manifest=ordered, fleet=fleet(hours=3)))
    return store


def begin(source: Store, output: Store, job: str = JOB) -> str:
    return begin_order(source, output, NAME, job, 2, clock).run


def no_sleep(_seconds: float) -> None:
    raise AssertionError("there was nothing to wait for")


def test_the_run_has_what_was_ordered_and_the_documents_of_today(source: Store, output: Store) -> None:
    run = begin(source, output)
    frozen = manifest.load(output, run)
    assert manifest.current(output) == run and run.startswith("20261128T020000")
    assert (frozen.total_workers, frozen.documents, frozen.skipped, frozen.created) == (2, 5, 0, NOW)
    assert (frozen.image, frozen.options.dpi) == ("image@sha256:1", 300)
    assert list(keys_of(output, frozen)) == [f"{number}.pdf" for number in range(5)]


def test_the_times_of_the_record_are_counted_from_the_start(source: Store, output: Store) -> None:
    record = manifest.load_fleet(output, begin(source, output))
    assert record is not None and record.launched == NOW
    assert record.expiry == NOW + timedelta(hours=3) and record.deadline == NOW + timedelta(hours=2, minutes=50)


def test_the_other_hosts_wait_for_the_first(source: Store, output: Store) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            begin(source, output)

    assert wait_for_order(output, NAME, JOB, sleep).run == manifest.current(output)
    assert len(waits) == 3
    assert wait_for_order(output, NAME, JOB, no_sleep).run == manifest.current(output)


def test_a_first_host_that_never_comes_is_not_waited_for_for_ever(output: Store) -> None:
    with pytest.raises(PdfbatchError, match="first host of pdfbatch-nightly") as error:
        wait_for_order(output, NAME, JOB, lambda _seconds: None, seconds=60)
    assert error.value.hint


def test_what_stops_the_first_host_is_told_to_the_others(source: Store, output: Store) -> None:
    begin(source, output)  # it is running: no heartbeat and no end yet
    with pytest.raises(PdfbatchError, match="is still running"):
        begin(source, output, "the-next-day")
    with pytest.raises(PdfbatchError, match="is still running"):
        wait_for_order(output, NAME, "the-next-day", no_sleep)


def test_an_order_that_is_missing_says_how_to_make_it(source: Store, output: Store) -> None:
    with pytest.raises(NotFound) as error:
        begin_order(source, output, "other", JOB, 2, clock)
    assert "pdfbatch schedule" in error.value.hint
    output.put(".pdfbatch/orders/nightly.json", b"{")
    with pytest.raises(PdfbatchError, match="damaged"):
        load_order(output, NAME)


def test_nothing_left_to_do_makes_no_run(source: Store, output: Store) -> None:
    for number in range(5):
        output.put(f"{number}.md", b"by hand\n")
    assert begin(source, output) == "" and wait_for_order(output, NAME, JOB, no_sleep).run == ""
    assert manifest.current(output) is None


def test_a_first_host_that_starts_twice_freezes_once(source: Store, output: Store) -> None:
    run = begin(source, output)
    source.put("later.pdf", b"%PDF-1.4 later")
    assert begin(source, output) == run
    assert manifest.load(output, run).documents == 5


def _lost(*keys: Callable[[RunKeys], str]) -> Callable[[Store, str], None]:
    def lose(output: Store, run: str) -> None:
        output.delete([start_key(NAME, JOB), *(key(RunKeys(run)) for key in keys)])

    return lose


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(_lost(), id="before it told the others"),
        pytest.param(_lost(lambda keys: keys.fleet), id="before the record"),
        pytest.param(_lost(lambda keys: keys.fleet, lambda _: CURRENT_RUN_KEY), id="before the run was current"),
        pytest.param(
            _lost(lambda keys: keys.fleet, lambda _: CURRENT_RUN_KEY, lambda keys: keys.manifest),
            id="before the manifest",
        ),
    ],
)
def test_a_first_host_that_died_on_the_way_is_continued(
    source: Store, output: Store, lose: Callable[[Store, str], None]
) -> None:
    run = begin(source, output)
    lose(output, run)
    assert begin(source, output) == run == manifest.current(output)
    assert manifest.load_fleet(output, run) is not None and manifest.load(output, run).documents == 5
    assert wait_for_order(output, NAME, JOB, no_sleep).run == run


def test_two_executions_have_two_claims(source: Store, output: Store) -> None:
    begin(source, output)
    with pytest.raises(PdfbatchError):
        begin(source, output, "other")
    assert output.get(claim_key(NAME, JOB)) != output.get(claim_key(NAME, "other"))

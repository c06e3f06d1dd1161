"""`scale`: workers are added to a running pool and taken away, by the simulated AWS."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet.names import TAG_WORKER
from pdfbatch.fleet.scale import RunningPool, Scaled, running_pool, scale, scaled
from pdfbatch.fleet.values import LaunchRequest
from pdfbatch.records import Counts, DoneMark, Heartbeat, Pool, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.runs.lease import is_anyone_alive
from pdfbatch.runs.pool import all_blocks, pool_of
from pdfbatch.runs.progress import read_status
from pdfbatch.views.fleet import scale_question, scaled_screen
from tests.fleet.conftest import Account
from tests.fleet.launching import Bench

POOL = Pool(run="r", region="us-east-1", queue="q", dead_letters="d", workers=[0, 1], used=2)


@pytest.mark.parametrize(
    ("workers", "used", "count", "started", "expected"),
    [
        ([0, 1], 2, 5, {0, 1}, ([0, 1, 2, 3, 4], 5)),
        ([0, 1, 2, 3, 4], 5, 1, {0, 1, 2, 3, 4}, ([0], 5)),
        ([0], 5, 3, {0}, ([0, 5, 6], 7)),  # ids are never used again
        ([0, 1, 2], 3, 2, {1, 2}, ([1, 2], 3)),  # one without an instance goes first
        ([0, 1], 2, 2, set[int](), ([0, 1], 2)),
    ],
)
def test_added_workers_have_new_ids_and_idle_ones_go_first(
    workers: list[int], used: int, count: int, started: set[int], expected: tuple[list[int], int]
) -> None:
    pool = scaled(POOL.model_copy(update={"workers": workers, "used": used}), count, started)
    assert (pool.workers, pool.used) == expected


class Running:
    """A pool of two workers that was launched, in a bench."""

    def __init__(self, account: Account) -> None:
        self.bench = Bench(account)
        self.run = self.bench.launch(LaunchRequest(is_pool=True, workers=2)).run
        self.manifest = manifest.load(self.bench.output, self.run)
        self.keys = RunKeys(self.run)

    def there(self) -> RunningPool:
        return running_pool(self.bench.output, self.manifest, self.bench.now())

    def scale(self, count: int) -> Scaled:
        return scale(self.there(), count, self.bench.outside())

    def fleets(self) -> set[str]:
        return {each.tags[TAG_WORKER] for each in self.bench.left().fleets}

    def beats(self, worker: int) -> None:
        """A worker of the pool has started."""
        now = self.bench.now()
        beat = Heartbeat(worker=worker, state="running", counts=Counts(), started=now, at=now)
        self.bench.output.put(self.keys.heartbeat(worker), beat.model_dump_json().encode())


@pytest.fixture
def running(account: Account) -> Running:
    return Running(account)


def test_from_two_to_five_to_one(running: Running) -> None:
    more = running.scale(5)
    assert (more.workers, more.added, more.removed) == ([0, 1, 2, 3, 4], [2, 3, 4], [])
    assert running.fleets() == {"0", "1", "2", "3", "4"}
    for worker in (0, 1, 2, 3):
        running.beats(worker)
    fewer = running.scale(1)
    assert (fewer.workers, fewer.removed) == ([0], [1, 2, 3, 4])
    assert running.fleets() == {"0", "1", "2", "3"}, "4 had not started; the others end by themselves"
    mark = DoneMark.model_validate_json(running.bench.output.get(running.keys.done_mark(4)))
    assert mark.why == "retired"
    again = running.scale(2)
    assert again.added == [5] and running.fleets() == {"0", "1", "2", "3", "5"}


def test_an_added_worker_has_user_data_tags_and_limits_like_the_others(running: Running) -> None:
    running.scale(3)
    calls = running.bench.account.calls("CreateFleet")
    first, added = (json.dumps(calls[number]["parameters"]) for number in (0, 2))
    assert calls[0]["parameters"]["ValidUntil"] == calls[2]["parameters"]["ValidUntil"]
    assert first.count("MaxPrice") == added.count("MaxPrice") and running.run in added


def test_status_and_the_end_of_the_run_count_added_workers(running: Running) -> None:
    running.scale(3)
    output, now = running.bench.output, running.bench.now()
    assert [worker.id for worker in read_status(output, running.manifest, now).workers] == [0, 1, 2]
    for worker in (0, 1):
        mark = DoneMark(worker=worker, why="done", at=now)
        output.put(running.keys.done_mark(worker), mark.model_dump_json().encode())
    assert is_anyone_alive(output, running.manifest, now)
    output.put(running.keys.done_mark(2), DoneMark(worker=2, why="retired", at=now).model_dump_json().encode())
    assert not is_anyone_alive(output, running.manifest, now)


def test_a_worker_that_cannot_be_launched_is_not_part_of_the_pool(running: Running) -> None:
    refused = {"action": "CreateFleet", "code": "InvalidParameterValue", "message": "no", "status": 400, "nth": 2}
    running.bench.account.order("faults", [refused])
    result = running.scale(4)
    assert list(result.missing) == [3] and result.added == [2] and result.workers == [0, 1, 2]
    pool = pool_of(running.bench.output, running.manifest)
    assert pool is not None and pool.workers == [0, 1, 2] and pool.used == 4
    console = Console(width=100, file=StringIO(), color_system=None)
    console.print(scaled_screen(result))
    assert isinstance(console.file, StringIO) and "not launched worker 3" in console.file.getvalue()


def test_only_a_pool_that_is_running_can_be_scaled(running: Running, account: Account) -> None:
    for block in all_blocks(running.manifest):
        running.bench.output.put(running.keys.finished_block(block.name), b"")
    with pytest.raises(PdfbatchError, match="is over"):
        running.there()


def test_a_run_with_slices_cannot_be_scaled(account: Account) -> None:
    bench = Bench(account)
    run = bench.launch(LaunchRequest(workers=1)).run
    with pytest.raises(PdfbatchError, match="not a pool") as caught:
        running_pool(bench.output, manifest.load(bench.output, run), bench.now())
    assert "launch --pool" in caught.value.hint


def test_the_question_names_the_most_it_can_cost(running: Running) -> None:
    there = running.there()
    dollars = there.dollars_of(3, there.record.launched)
    assert dollars == pytest.approx(3 * there.record.price_ceiling * there.plan.max_hours, rel=0.01)
    assert scale_question(3, dollars) == f"Add 3 workers, for at most ${dollars:,.2f} more?"
    assert scale_question(-2, 0.0) == "Take 2 workers away?"

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pdfbatch.records import Counts, DoneMark, Ending, Heartbeat, Manifest, RunKeys, SourceDocument
from pdfbatch.runs.liveness import has_ended
from pdfbatch.runs.partition import work_of
from pdfbatch.runs.progress import Records, RunState, eta_seconds, read_status, status_reader, summarise
from pdfbatch.runs.record_reader import RecordReader
from pdfbatch.store import Entry, Store, open_store
from pdfbatch.store.local import LocalStore
from tests.frozen import manifest_of
from tests.runs.fleets import RUN, Story, fleet, minute

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def manifest(documents: int = 10, workers: int = 2, skipped: int = 0) -> Manifest:
    return manifest_of(documents, workers, skipped=skipped)


def beat(worker: int, counts: Counts, age: float = 5.0) -> Heartbeat:
    at = NOW - timedelta(seconds=age)
    started = NOW - timedelta(hours=1)
    return Heartbeat(worker=worker, state="running", counts=counts, started=started, at=at, seconds=3595.0)


def mark(worker: int, why: Ending = "done", age: float = 1.0) -> DoneMark:
    return DoneMark(worker=worker, why=why, at=NOW - timedelta(seconds=age), counts=Counts())


def test_a_worker_that_never_spoke_waits_with_its_share_of_the_documents() -> None:
    status = summarise(manifest(documents=5), Records([], []), NOW)
    assert [(worker.state, worker.total) for worker in status.workers] == [("waiting", 3), ("waiting", 2)]
    assert status.state == "waiting"


def test_a_run_waits_for_no_worker_whose_slice_is_empty() -> None:
    status = summarise(manifest(documents=1), Records([beat(0, Counts(total=1, ok=1))], [mark(0)]), NOW)
    assert [worker.state for worker in status.workers] == ["done", "done"]
    assert status.state == "done"


def test_documents_of_all_workers_add_up_and_those_skipped_at_the_freeze_count_as_done() -> None:
    beats = [beat(0, Counts(total=5, ok=2, failed=1)), beat(1, Counts(total=5, partial=1, ok=1))]
    documents = summarise(manifest(skipped=4), Records(beats, []), NOW).documents
    assert (documents.total, documents.done, documents.ok, documents.partial, documents.failed) == (14, 9, 3, 1, 1)
    assert documents.skipped == 4


def test_a_silent_worker_is_stale_and_so_is_its_run() -> None:
    status = summarise(manifest(workers=1), Records([beat(0, Counts(total=10), age=61)], []), NOW)
    assert status.workers[0].stale
    assert status.state == "stale"


def test_a_worker_that_ended_is_not_stale_however_old_its_last_beat() -> None:
    status = summarise(
        manifest(workers=1), Records([beat(0, Counts(total=10, ok=10), age=999)], [mark(0, age=998)]), NOW
    )
    assert not status.workers[0].stale
    assert status.state == "done"


def test_a_done_mark_of_an_earlier_life_does_not_end_a_worker_that_started_again() -> None:
    status = summarise(
        manifest(workers=1), Records([beat(0, Counts(total=10))], [mark(0, "interrupted", age=7200)]), NOW
    )
    assert status.state == "running"


def test_one_running_worker_keeps_the_run_running() -> None:
    beats = [beat(0, Counts(total=5, ok=5)), beat(1, Counts(total=5, ok=1))]
    assert summarise(manifest(), Records(beats, [mark(0)]), NOW).state == "running"


@pytest.mark.parametrize(
    ("left", "done", "seconds", "eta"),
    [(5.0, 5.0, 50.0, 50.0), (2.0, 8.0, 40.0, 10.0), (10.0, 0.0, 50.0, None), (0.0, 0.0, 1.0, 0.0)],
)
def test_the_eta_goes_by_the_pace_of_this_process(left: float, done: float, seconds: float, eta: float | None) -> None:
    assert eta_seconds(left, done, seconds) == eta


def test_a_long_document_weighs_more_than_an_empty_one_and_none_weighs_nothing() -> None:
    assert work_of(SourceDocument("a.pdf", 10_000_000, "e")) > 50 * work_of(SourceDocument("a.pdf", 0, "e")) > 0


def test_a_done_mark_as_a_shell_writes_it_is_of_the_life_that_began_in_the_same_second() -> None:
    at = NOW - timedelta(seconds=90)
    beat_of_it = beat(0, Counts(total=10), age=90).model_copy(update={"started": f"{at:%Y-%m-%dT%H:%M:%S}.000Z"})
    shell = mark(0).model_copy(update={"at": f"{at:%Y-%m-%dT%H:%M:%SZ}"})
    assert summarise(manifest(workers=1), Records([beat_of_it], [shell]), NOW).state == "done"


# ── a fleet ──────────────────────────────────────────────────────────────────────────────────────────────────────


class CountingStore(LocalStore):
    """Counts what is asked of it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gets: list[str] = []
        self.lists: list[str] = []

    def get(self, key: str) -> bytes:
        self.gets.append(key)
        return super().get(key)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        self.lists.append(prefix)
        return super().list(prefix)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = open_store(str(tmp_path / "out"), create=True)
    found.put(RunKeys(RUN).fleet, fleet().model_dump_json().encode())
    return found


def fleet_manifest(workers: int) -> Manifest:
    return manifest(documents=300, workers=workers).model_copy(update={"run": RUN})


def working(worker: int) -> Story:
    return Story(worker).boots_at(3).beats(6, 20, done=40)


def done(worker: int) -> Story:
    return Story(worker).boots_at(3).beats(6, 20, "done", done=100).marks(20, "done")


def given_up(worker: int) -> Story:
    return Story(worker).boots_at(3).marks(4, "gave_up", "The image cannot be pulled.")


def test_a_fleet_is_read_from_its_store_with_its_instances_and_dollars(store: Store) -> None:
    second = (
        Story(1).boots_at(3).beats(6, 11, notice=10, done=30).boots_at(15, zone="us-east-1b").beats(18, 20, done=35)
    )
    for story in (working(0), second, given_up(2)):
        story.write(store)
    status = read_status(store, fleet_manifest(3), minute(20))
    assert [(one.state, one.respawns, one.instance, one.zone) for one in status.workers] == [
        ("running", 0, "i-0", "us-east-1a"),
        ("running", 1, "i-1", "us-east-1b"),
        ("failed", 0, "i-0", "us-east-1a"),
    ]
    assert [one.dollars for one in status.workers] == [0.3, round((10 + 2 * 6) / 60, 4), 0.05]
    assert status.workers[2].detail == "The image cannot be pulled."
    assert status.dollars == pytest.approx(0.7167)
    assert status.worst_dollars == 3 * 3.0 * 2
    assert (status.launched, status.expires, status.seconds) == (minute(0), minute(120), 1200)
    assert status.documents.done == 75
    assert status.state == "running"


def test_a_poll_reads_a_few_small_things_per_worker_and_never_lists_the_outputs(store: Store, tmp_path: Path) -> None:
    for worker in range(40):
        done(worker).write(store)
    counting = CountingStore(tmp_path / "out")
    read_status(counting, fleet_manifest(40), minute(20))
    keys = RunKeys(RUN)
    assert sorted(counting.lists) == sorted([keys.workers, keys.done, keys.boots, keys.events])
    assert len(counting.gets) == 40 + 1, "a last heartbeat says what the done mark says"


def test_a_screen_that_is_updated_reads_only_what_has_changed(store: Store, tmp_path: Path) -> None:
    stories = [working(worker) for worker in range(40)]
    for story in stories:
        story.write(store)
    counting = CountingStore(tmp_path / "out")
    read = status_reader(counting, fleet_manifest(40), lambda: minute(21))
    assert read().documents.ok == 40 * 40
    counting.gets.clear()
    stories[7].beats(6, 21, done=45).write(store)
    stories[8].beats(6, 21, "interrupted", done=41).marks(21, "interrupted").write(store)
    assert read().documents.ok == 40 * 40 + 5 + 1
    keys = RunKeys(RUN)
    assert sorted(counting.gets) == sorted([keys.fleet, keys.heartbeat(7), keys.heartbeat(8), keys.done_mark(8)])


@pytest.mark.parametrize("tell", [working, done, given_up])
def test_a_status_is_the_same_if_all_done_marks_are_read(store: Store, tell: Callable[[int], Story]) -> None:
    tell(0).write(store)
    reader = RecordReader(store, RunKeys(RUN))
    all_read = Records(reader.heartbeats(), reader.done_marks(), fleet(), reader.boots())
    assert summarise(fleet_manifest(1), all_read, minute(30)) == read_status(store, fleet_manifest(1), minute(30))


def test_a_notice_is_shown_only_for_the_instance_that_got_it(store: Store) -> None:
    noticed = Story().boots_at(3).beats(6, 21, notice=20)
    noticed.write(store)
    assert read_status(store, fleet_manifest(1), minute(21)).workers[0].notice == minute(20)
    noticed.boots_at(25).write(store)
    assert read_status(store, fleet_manifest(1), minute(26)).workers[0].notice is None


def test_a_replacement_that_looks_where_it_stands_does_not_make_the_work_vanish(store: Store) -> None:
    story = Story().boots_at(3).beats(6, 21, "interrupted", notice=20, done=40).marks(21, "interrupted")
    story.boots_at(25).beats(28, 28, "starting").write(store)
    status = read_status(store, fleet_manifest(1), minute(28))
    assert (status.workers[0].state, status.workers[0].done, status.documents.ok) == ("starting", 40, 40)


def test_a_silent_worker_has_no_pace_and_no_eta_any_more(store: Store) -> None:
    working(0).write(store)
    worker = read_status(store, fleet_manifest(1), minute(30)).workers[0]
    assert (worker.state, worker.stale, worker.pages_per_second, worker.eta_seconds) == ("waiting", True, 0.0, None)


RUNS: dict[str, tuple[list[Story], float, RunState]] = {
    "nothing has booted": ([], 1, "waiting"),
    "one boots": ([Story().boots_at(3)], 4, "running"),
    "one works, one is done": ([working(0), done(1)], 20, "running"),
    "one works, one gave up": ([working(0), given_up(1)], 20, "running"),
    "one failed and is tried again, one is done": ([working(0).marks(20, "failed"), done(1)], 20.5, "waiting"),
    "all are done": ([done(0), done(1)], 25, "done"),
    "all are done, the expiry has passed": ([done(0), done(1)], 500, "done"),
    "one gave up, one is done": ([given_up(0), done(1)], 25, "failed"),
    "one hit the deadline, one is done": ([working(0).marks(20, "deadline"), done(1)], 25, "expired"),
    "the money is spent": ([working(0).marks(20, "over_budget"), done(1)], 25, "over_budget"),
    "one is out of money, one works": ([working(0).marks(20, "over_budget"), working(1)], 20.5, "running"),
    "the fleet expired": ([working(0), working(1)], 120, "expired"),
    "one is silent": ([working(0), done(1)], 22, "stale"),
    "one is being taken": (
        [working(0).beats(6, 20.5, notice=20).marks(20.5, "interrupted"), done(1)],
        21,
        "interrupted",
    ),
}


@pytest.mark.parametrize("what", RUNS)
def test_the_state_of_a_fleets_run(store: Store, what: str) -> None:
    stories, at, state = RUNS[what]
    for story in stories:
        story.write(store)
    assert read_status(store, fleet_manifest(2), minute(at)).state == state


def test_a_run_taken_down_is_ended_and_its_clock_stands(store: Store) -> None:
    working(0).write(store)
    store.put(RunKeys(RUN).fleet, fleet(ended=30).model_dump_json().encode())
    status = read_status(store, fleet_manifest(2), minute(500))
    assert (status.state, status.seconds) == ("ended", 1200)
    assert [worker.state for worker in status.workers] == ["ended", "ended"]


def test_a_run_on_your_own_machine_shows_nothing_about_a_fleet(tmp_path: Path) -> None:
    own = open_store(str(tmp_path / "own"), create=True)
    status = json.loads(read_status(own, fleet_manifest(1), minute(1)).model_dump_json())
    assert {status[name] for name in ("dollars", "worst_dollars", "launched", "expires")} == {None}


@pytest.mark.parametrize("jump", [timedelta(hours=-2), timedelta(hours=2)])
def test_a_clock_that_jumped_between_two_processes_ends_neither(jump: timedelta) -> None:
    earlier = mark(0, "interrupted").model_copy(update={"session": "a"})
    running = beat(0, Counts(total=10), age=1).model_copy(update={"session": "b", "started": NOW + jump, "at": NOW})
    assert not has_ended(running, earlier)
    assert has_ended(running, earlier.model_copy(update={"session": "b", "at": NOW + 2 * jump}))

"""A worker that is done joins its run again as long as another slice is not done; only then may the next run begin."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pdfbatch.records import Counts, DoneMark, Heartbeat, ReadOptions, RunKeys
from pdfbatch.records.run import Ending
from pdfbatch.runs.begin import Begun, Request, begin
from pdfbatch.runs.partition import LONG_BYTES, Slice
from pdfbatch.store import Store, open_store
from tests.program import Program

AT = datetime(2026, 1, 1, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
JUST_NOW = LATER - timedelta(seconds=5)
Left = Callable[[Store, str, int], None]


def beats(output: Store, run: str, worker: int, at: datetime = AT, session: str = "s") -> None:
    beat = Heartbeat(worker=worker, state="running", counts=Counts(), started=AT, at=at, session=session)
    output.put(RunKeys(run).heartbeat(worker), beat.model_dump_json().encode())


def ends(output: Store, run: str, worker: int, why: Ending) -> None:
    beats(output, run, worker)
    mark = DoneMark(worker=worker, why=why, at=AT, session="s", counts=Counts())
    output.put(RunKeys(run).done_mark(worker), mark.model_dump_json().encode())


def never_started(output: Store, run: str, worker: int) -> None:
    pass


def runs(output: Store, run: str, worker: int) -> None:
    beats(output, run, worker, JUST_NOW)


def was_killed(output: Store, run: str, worker: int) -> None:
    beats(output, run, worker)


def was_interrupted(output: Store, run: str, worker: int) -> None:
    ends(output, run, worker, "interrupted")


def runs_again(output: Store, run: str, worker: int) -> None:
    ends(output, run, worker, "interrupted")
    beats(output, run, worker, JUST_NOW, "another")


def is_done(output: Store, run: str, worker: int) -> None:
    ends(output, run, worker, "done")


def begin_as(folder: Path, worker: int, workers: int, at: datetime, options: ReadOptions = ReadOptions()) -> Begun:  # noqa: B008  # frozen
    source, output = open_store(str(folder / "in")), open_store(str(folder / "out"))
    return begin(source, output, Request(Slice(worker, workers), "null", options), lambda: at)


def run_with_a_slice_done(folder: Path, other: Left, documents: int = 2) -> tuple[str, Store]:
    """Begins a run of two slices; the worker of the first is done, and the other slice is left so."""
    (folder / "in").mkdir()
    for number in range(documents):
        (folder / "in" / f"{number}.pdf").write_bytes(b"")
    run, output = begin_as(folder, 0, 2, AT).manifest.run, open_store(str(folder / "out"))
    is_done(output, run, 0)
    other(output, run, 1)
    return run, output


@pytest.mark.parametrize(
    ("other", "how", "idle"),
    [
        (never_started, "finished", [1]),
        (was_killed, "finished", [1]),
        (was_interrupted, "finished", [1]),
        (runs, "finished", []),
        (runs_again, "finished", []),
        (is_done, "new", []),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_worker_that_is_done_starts_no_other_run_while_a_slice_is_not(
    tmp_path: Path, other: Left, how: str, idle: list[int]
) -> None:
    run, _ = run_with_a_slice_done(tmp_path, other)
    again = begin_as(tmp_path, 0, 2, LATER)
    assert (again.how, list(again.idle)) == (how, idle)
    assert (again.manifest.run == run) == (how == "finished")


def test_a_slice_without_documents_needs_no_worker(tmp_path: Path) -> None:
    run, _ = run_with_a_slice_done(tmp_path, never_started, documents=1)
    assert begin_as(tmp_path, 0, 2, LATER).manifest.run != run


def test_a_slice_with_parts_of_a_document_alone_needs_one(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "long.pdf").write_bytes(bytes(2 * LONG_BYTES))
    first = begin_as(tmp_path, 0, 2, AT).manifest
    assert first.slices == [1, 0] and first.entries == [2, 2]
    is_done(open_store(str(tmp_path / "out")), first.run, 0)
    again = begin_as(tmp_path, 0, 2, LATER)
    assert (again.manifest.run, again.how, list(again.idle)) == (first.run, "finished", [1])


@pytest.mark.parametrize(("workers", "options"), [(3, ReadOptions()), (2, ReadOptions(pages="1"))])
def test_another_request_gives_up_a_slice_that_nobody_works_on(
    tmp_path: Path, workers: int, options: ReadOptions
) -> None:
    run_with_a_slice_done(tmp_path, was_killed)
    assert begin_as(tmp_path, 0, workers, LATER, options).how == "new"


def test_the_command_names_the_slices_to_start(tmp_path: Path, pdfbatch: Program) -> None:
    run_with_a_slice_done(tmp_path, was_killed)
    command = ["local-run", tmp_path / "in", tmp_path / "out", "--engine", "null", "--total-workers", 2]
    ended = pdfbatch(*command, "--worker-id", 0)
    assert ended.returncode == 0
    assert (
        "slice 0 of this run is done; 1 slice is not done and not running: run the same command with --worker-id 1"
        in ended.stderr
    )
    assert "resuming run" in pdfbatch(*command, "--worker-id", 1).stderr.lower()

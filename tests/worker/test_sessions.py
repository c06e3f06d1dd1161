"""A slice on several instances: sessions, strikes, pages of an earlier run, and a drain that does not wait."""

import json
import socket
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pdfbatch.engines.base import PageTask
from pdfbatch.errors import PdfbatchError, StoreError
from pdfbatch.records import Counts, DoneMark, Heartbeat, Machine, RunKeys, SourceDocument, WorkerSession
from pdfbatch.runs.sessions import sessions_of
from pdfbatch.store import LocalStore, Store, open_store
from pdfbatch.worker.checkpoint import EVERY_PAGES
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.spot import Notice
from pdfbatch.worker.stop import Stop
from samples.many import long_pdf, many_pdfs
from tests.frozen import frozen
from tests.worker import page_tasks
from tests.worker.begun import now
from tests.worker.page_tasks import engine, pages_read
from tests.worker.waiting import wait_until

PAGES = 76
NOTICE = Notice("terminate", datetime(2026, 11, 25, 19, 45, tzinfo=UTC))


def machine(name: str) -> Machine:
    return Machine(instance=name, type="g4dn.xlarge", zone="us-east-1a", booted="2026-11-25T19:00:00Z")


def beat(name: str | None, minute: int, pages: int, past: list[WorkerSession], notice: str | None = None) -> Heartbeat:
    return Heartbeat(
        worker=0,
        state="running",
        counts=Counts(pages_here=pages),
        started=f"2026-11-25T19:{minute:02}:00Z",
        at=f"2026-11-25T19:{minute + 5:02}:00Z",
        machine=machine(name) if name else None,
        past=past,
        notice=notice,
    )


def test_a_predecessor_becomes_a_life_behind_the_older_ones() -> None:
    first = sessions_of(beat("a", 1, 10, [], notice="2026-11-25T19:05:00Z"))
    assert first == [
        WorkerSession(
            machine=machine("a"),
            started="2026-11-25T19:01:00Z",
            until="2026-11-25T19:06:00Z",
            pages=10,
            notice="2026-11-25T19:05:00Z",
        )
    ]
    assert [(life.machine.instance, life.pages) for life in sessions_of(beat("b", 20, 3, first))] == [
        ("a", 10),
        ("b", 3),
    ]


def test_a_worker_restarted_on_its_instance_continues_its_session() -> None:
    older = sessions_of(beat("a", 1, 10, []))
    twice = sessions_of(beat("b", 20, 4, sessions_of(beat("b", 10, 3, older))))
    assert [(life.machine.instance, life.pages) for life in twice] == [("a", 10), ("b", 7)]
    assert (twice[1].started, twice[1].until) == (
        datetime(2026, 11, 25, 19, 10, tzinfo=UTC),
        datetime(2026, 11, 25, 19, 25, tzinfo=UTC),
    )


def test_your_own_machine_adds_no_session_and_keeps_earlier_ones() -> None:
    older = sessions_of(beat("a", 1, 10, []))
    assert sessions_of(beat(None, 20, 4, older)) == older


# ── whole slices ─────────────────────────────────────────────────────────────────────────────────────────────────


class Bench:
    """A frozen run over a folder of PDFs, and slices of it on any machine."""

    def __init__(self, pdfs: Path, out: Path) -> None:
        self.source, self.output = open_store(str(pdfs)), open_store(str(out), create=True)
        documents = [SourceDocument(entry.key, entry.size, entry.etag) for entry in self.source.list()]
        self.frozen = frozen(documents, input=self.source.url, output=self.output.url, engine="note")

    def slice(self, task: PageTask, on: str | None, stop: Stop | None = None, output: Store | None = None) -> SliceRun:
        at = machine(on) if on else None
        where = output or self.output
        documents = self.frozen.slices[0]
        job = SliceConfig(self.frozen.manifest, documents, 0, self.source, where, engine(task), 2, 1.0, now, at)
        return SliceRun(job, stop or Stop())

    def beat(self) -> Heartbeat:
        return Heartbeat.model_validate_json(self.output.get(RunKeys("r").heartbeat(0)))


@pytest.fixture
def bench(pdfs: Path, out: Path) -> Callable[[], Bench]:
    """Call when the PDFs are there."""
    return lambda: Bench(pdfs, out)


def at_once(run: SliceRun, when: Callable[[], object], what: Callable[[], None]) -> DoneMark:
    """Runs a slice, and `what` in another thread as soon as something is so."""
    watch = threading.Thread(target=lambda: (wait_until(when), what()))
    watch.start()
    mark = run.run()
    watch.join()
    return mark


def test_three_instances_on_one_slice_are_recorded_with_their_pages(pdfs: Path, bench: Callable[[], Bench]) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    many = bench()
    for name, pages in (("a", 10), ("b", 30)):
        run = many.slice(page_tasks.note_slowly, name)
        mark = at_once(run, lambda pages=pages: len(pages_read(pdf)) >= pages, lambda run=run: run.noticed(NOTICE))  # type: ignore[misc]
        assert (mark.why, many.beat().state) == ("interrupted", "interrupted")
        assert many.beat().notice is not None
    assert many.slice(page_tasks.note_slowly, "c").run().why == "done"
    last = many.beat()
    assert [life.machine.instance for life in last.past] == ["a", "b"]
    assert all(life.notice is not None and life.started < life.until for life in last.past)
    assert sum(life.pages for life in last.past) + last.counts.pages_here == PAGES
    assert (last.machine, last.notice) == (machine("c"), None)


def test_an_instance_that_stored_a_result_does_not_count_as_broken(pdfs: Path, bench: Callable[[], Bench]) -> None:
    many_pdfs(pdfs, 2)
    keys, some = RunKeys("r"), bench()
    mine, others = keys.strikes_of(0) + "20261125T194500Z_i-1", keys.strikes_of(1) + "20261125T194500Z_i-2"
    for key in (mine, others):
        some.output.put(key, b"")
    stop = Stop()
    stop.ask("interrupted")
    some.slice(page_tasks.note, "a", stop).run()
    assert some.output.head(mine) is not None, "nothing was done yet"
    some.slice(page_tasks.note, None, Stop()).run()
    assert some.output.head(mine) is not None, "a person's own machine has no strikes"


@pytest.mark.parametrize("task", [page_tasks.note, page_tasks.raise_error])
def test_one_page_or_document_clears_the_strikes(pdfs: Path, bench: Callable[[], Bench], task: PageTask) -> None:
    long_pdf(pdfs / "a.pdf", 3)
    keys, some = RunKeys("r"), bench()
    mine, others = keys.strikes_of(0) + "20261125T194500Z_i-1", keys.strikes_of(1) + "20261125T194500Z_i-2"
    for key in (mine, others):
        some.output.put(key, b"")
    some.slice(task, "a").run()
    assert (some.output.head(mine), some.output.head(others) is not None) == (None, True)


def test_one_page_of_an_unfinished_document_clears_them_too(pdfs: Path, bench: Callable[[], Bench]) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    some = bench()
    some.output.put(RunKeys("r").strikes_of(0) + "20261125T194500Z_i-1", b"")
    run = some.slice(page_tasks.note_slowly, "a")
    mark = at_once(run, lambda: len(pages_read(pdf)) >= 5, lambda: run.noticed(NOTICE))
    assert (mark.counts.done, mark.counts.pages_here > 0) == (0, True)
    assert not list(some.output.list(RunKeys("r").strikes_of(0)))


class Undeletable(LocalStore):
    """A folder in which nothing can be removed."""

    def delete(self, keys: Iterable[str]) -> None:
        raise StoreError("Cannot delete.", "Try later.")


def test_strikes_that_cannot_be_removed_fail_nothing(pdfs: Path, out: Path, bench: Callable[[], Bench]) -> None:
    many_pdfs(pdfs, 2)
    some = bench()
    some.output.put(RunKeys("r").strikes_of(0) + "20261125T194500Z_i-1", b"")
    assert some.slice(page_tasks.note, "a", output=Undeletable(out)).run().why == "done"


def test_pages_that_the_run_before_read_are_taken_from_its_checkpoints(
    pdfs: Path, out: Path, bench: Callable[[], Bench]
) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    first = bench()
    run = first.slice(page_tasks.note_slowly, "a")
    at_once(run, lambda: len(pages_read(pdf)) >= 10, lambda: run.noticed(NOTICE))
    assert list(out.glob(".pdfbatch/r/checkpoints/*/*.json"))

    first.frozen = first.frozen._replace(manifest=first.frozen.manifest.model_copy(update={"run": "s", "follows": "r"}))
    mark = first.slice(page_tasks.note, "b").run()
    assert (mark.counts.ok, mark.counts.pages_resumed + mark.counts.pages_here) == (1, PAGES)
    assert mark.counts.pages_resumed >= 10
    assert sorted(pages_read(pdf)) == list(range(1, PAGES + 1))
    assert not list(out.glob(".pdfbatch/*/checkpoints/*/*.json")), "those of both runs go with the document"


def test_pages_of_another_version_of_the_pdf_are_not_taken(pdfs: Path, bench: Callable[[], Bench]) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    first = bench()
    run = first.slice(page_tasks.note_slowly, "a")
    at_once(run, lambda: len(pages_read(pdf)) >= 10, lambda: run.noticed(NOTICE))
    long_pdf(pdf, PAGES - 1)
    first.frozen = first.frozen._replace(manifest=first.frozen.manifest.model_copy(update={"run": "s", "follows": "r"}))
    assert first.slice(page_tasks.note, "b").run().counts.pages_resumed == 0


class Stalling(LocalStore):
    """A folder from which one PDF never comes, as over a slow line."""

    released = threading.Event()

    def fetch(self, key: str, to: Path) -> Path:
        if key == "slow.pdf":
            self.released.wait()
        return super().fetch(key, to)


def test_a_drain_does_not_wait_for_a_download(pdfs: Path, bench: Callable[[], Bench]) -> None:
    many_pdfs(pdfs, 3)
    long_pdf(pdfs / "slow.pdf", 2)
    some = bench()
    some.source = Stalling(pdfs)
    run = some.slice(page_tasks.note, "a")
    mark = at_once(run, lambda: run.heartbeat().counts.ok == 3, lambda: run.noticed(NOTICE))
    some.source.released.set()
    assert (mark.why, mark.counts.ok) == ("interrupted", 3)


def test_calls_after_the_end_of_the_work_do_no_harm(pdfs: Path, bench: Callable[[], Bench]) -> None:
    many_pdfs(pdfs, 1)
    run = bench().slice(page_tasks.note, "a")
    run.save_pages()
    assert run.run().why == "done"
    run.save_pages()
    run.noticed(NOTICE)


def test_a_heartbeat_of_an_older_version_can_be_taken_over(pdfs: Path, bench: Callable[[], Bench]) -> None:
    many_pdfs(pdfs, 1)
    some = bench()
    old = json.loads(beat(None, 1, 0, []).model_dump_json())
    for name in ("machine", "notice", "past"):
        del old[name]
    some.output.put(RunKeys("r").heartbeat(0), json.dumps(old).encode())
    some.slice(page_tasks.note, "a").run()
    assert some.beat().past == []


def test_a_container_restarted_on_its_instance_resumes_its_slice_at_once(
    pdfs: Path, bench: Callable[[], Bench]
) -> None:
    """In a new container, so that nobody can see that the process of the last beat, some seconds old, is dead."""
    many_pdfs(pdfs, 2)
    some = bench()
    fresh = now()
    last = {"started": fresh, "at": fresh, "host": socket.gethostname(), "born": "x:1:2", "pid": 1}
    dead = beat("a", 1, 3, []).model_copy(update=last)
    some.output.put(RunKeys("r").heartbeat(0), dead.model_dump_json().encode())
    with pytest.raises(PdfbatchError, match="already running here"):
        some.slice(page_tasks.note, "b").run()
    assert some.slice(page_tasks.note, "a").run().why == "done"


def test_pages_that_are_read_and_lost_again_clear_no_strikes(pdfs: Path, bench: Callable[[], Bench]) -> None:
    pdf = long_pdf(pdfs / "long.pdf", PAGES)
    some, strike = bench(), RunKeys("r").strikes_of(0) + "20261125T194500Z_i-1"
    some.output.put(strike, b"")
    run = some.slice(page_tasks.note_slowly, "a")

    def look() -> None:
        seen.append(some.output.head(strike) is not None and len(pages_read(pdf)) < EVERY_PAGES)
        run.noticed(NOTICE)

    seen: list[bool] = []
    at_once(run, lambda: len(pages_read(pdf)) >= 5, look)
    assert seen == [True], "nothing was saved yet"
    assert some.output.head(strike) is None, "the drain saved it"

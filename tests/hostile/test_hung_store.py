"""A store that stops to answer: a stop ends all the same, and what was saved before is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdfbatch.engines.null import NullEngine
from pdfbatch.records import ReadOptions
from pdfbatch.store import LocalStore, open_store
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.stop import Stop
from samples.many import long_pdf
from tests.worker import page_tasks
from tests.worker.begun import begin_at, now
from tests.worker.page_tasks import engine, pages_read
from tests.worker.waiting import wait_until


class Hung(LocalStore):
    """A folder on a disk that hangs, once `hangs` is set: no access returns before `released`."""

    hangs = threading.Event()
    released = threading.Event()

    def put(self, key: str, data: bytes) -> str:
        self._hang()
        return super().put(key, data)

    def put_new(self, key: str, data: bytes) -> str:
        self._hang()
        return super().put_new(key, data)

    def _hang(self) -> None:
        if self.hangs.is_set():
            self.released.wait()


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[Hung]:
    store = Hung(tmp_path / "out")
    yield store
    store.released.set()


@pytest.mark.slow
@pytest.mark.waits
def test_a_stop_ends_though_the_store_does_not_answer(tmp_path: Path, hung: Hung, loaded_children: None) -> None:
    (tmp_path / "in").mkdir()
    pdf = long_pdf(tmp_path / "in" / "a.pdf", 60)
    source, stop, task = open_store(str(tmp_path / "in")), Stop(), engine(page_tasks.note_slowly)
    begun = begin_at(source, hung, task.name, ReadOptions())
    run = SliceRun(SliceConfig(begun.manifest, begun.documents, 0, source, hung, task, 1, 0.2, now), stop)
    ended = threading.Thread(target=run.run, daemon=True)
    ended.start()
    while len(pages_read(pdf)) < 40:
        time.sleep(0.02)
    hung.hangs.set()
    stop.ask("interrupted")
    ended.join(110)  # less than the 120 seconds after a Spot notice
    assert not ended.is_alive() and run.store_hangs
    hung.released.set()
    again = open_store(str(hung.root))
    assert not list(again.root.glob("*.md"))


class HungAtTheEnd(Hung):
    """Hangs at the done mark, and asks the worker to stop then."""

    hangs = threading.Event()
    released = threading.Event()
    stop = Stop()

    def put(self, key: str, data: bytes) -> str:
        if "/done/" in key:
            self.hangs.set()
            self.stop.ask("interrupted")
        return super().put(key, data)


@pytest.mark.slow
@pytest.mark.waits
def test_a_worker_whose_done_mark_could_not_be_written_is_not_done(tmp_path: Path, loaded_children: None) -> None:
    """Its instance would be ended, and nobody would finish the run."""
    (tmp_path / "in").mkdir()
    long_pdf(tmp_path / "in" / "a.pdf", 1)
    source, output = open_store(str(tmp_path / "in")), HungAtTheEnd(tmp_path / "out")
    begun = begin_at(source, output, "null", ReadOptions())
    job = SliceConfig(begun.manifest, begun.documents, 0, source, output, NullEngine(), 1, 5.0, now)
    assert SliceRun(job, output.stop).run().why == "interrupted"
    output.released.set()
    again = SliceConfig(
        begun.manifest, begun.documents, 0, source, LocalStore(tmp_path / "out"), NullEngine(), 1, 5.0, now
    )
    assert SliceRun(again, Stop()).run().why == "done"


def test_a_stop_saves_the_pages_before_it_waits_for_those_being_read_and_each_of_those_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    long_pdf(folder / "long.pdf", 3)
    arguments = [str(folder), str(tmp_path / "out"), "hang_or_wait"]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.worker.slice_process", *arguments], start_new_session=True
    ) as process:
        try:
            wait_until((folder / "waits").exists)
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: saved_pages(tmp_path / "out") == {1})
            (folder / "go").touch()
            wait_until(lambda: saved_pages(tmp_path / "out") == {1, 3})
            assert process.poll() is None, "page 2 still hangs, and is waited for"
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def saved_pages(out: Path) -> set[int]:
    """The numbers of the pages in checkpoints."""
    files = out.glob(".pdfbatch/*/checkpoints/*/*.json")
    return {page["number"] for file in files for page in json.loads(file.read_text())["pages"]}


def test_children_that_ignore_a_signal_are_killed_at_once(tmp_path: Path) -> None:
    """Twelve killed tries would take 36 seconds if each waited 3 seconds for SIGTERM to be heard."""
    from pdfbatch.documents.sandbox.children import Children

    with Children(1, 512, preload="tests.worker.loaded") as children:
        began = time.monotonic()
        for _ in range(12):
            assert isinstance(children.submit(0.1, deaf).exception(), TimeoutError)
        assert time.monotonic() - began < 30


def deaf() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)

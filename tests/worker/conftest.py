"""A small bench for the loop: a folder of PDFs, an engine, and one call that runs a slice over it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pdfbatch.engines import Engine
from pdfbatch.records import DoneMark, ReadOptions
from pdfbatch.runs.partition import Slice
from pdfbatch.store import open_store
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.stop import Stop
from tests.chaos.nursery import Born, Loaded, Nursery
from tests.worker.begun import ALL, begin_at, now

RunSlice = Callable[..., DoneMark]
Start = Callable[[Path, Path, str], Born]
"""Starts slice_process.py with IN, OUT and TASK."""


@pytest.fixture(scope="session", autouse=True)
def all_loaded(loaded_children: None) -> None:
    """Nearly every test here reads pages in children of its own process."""


@pytest.fixture(scope="session")
def loaded_slice(no_account: None) -> Iterator[Loaded]:
    with Loaded("tests.worker.slice_process") as loaded:
        yield loaded


@pytest.fixture
def start(loaded_slice: Loaded) -> Iterator[Start]:
    """Forks a process that has slice_process.py loaded, which saves the imports; it leads a session of its own."""
    with Nursery(loaded_slice.address) as nursery:
        yield lambda pdfs, out, task: nursery.start([str(pdfs), str(out), task], os.environ, out.parent / "log")


@pytest.fixture
def pdfs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def run_slice(pdfs: Path, out: Path) -> RunSlice:
    def run(engine: Engine, *, stop: Stop | None = None, part: Slice = ALL, **options: float) -> DoneMark:
        source, output = open_store(str(pdfs)), open_store(str(out))
        begun = begin_at(source, output, engine.name, ReadOptions.model_validate(options), part)
        job = SliceConfig(begun.manifest, begun.documents, part.worker, source, output, engine, 2, 1.0, now)
        return SliceRun(job, stop or Stop()).run()

    return run

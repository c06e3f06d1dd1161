"""A small bench for the loop: a folder of PDFs, an engine, and one call that runs a slice over it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pdfbatch.engines import Engine
from pdfbatch.records import DoneMark, ReadOptions
from pdfbatch.runs.partition import Slice
from pdfbatch.store import open_store
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.stop import Stop
from tests.worker.begun import ALL, begin_at, now

RunSlice = Callable[..., DoneMark]


@pytest.fixture(scope="session", autouse=True)
def all_loaded(loaded_children: None) -> None:
    """Nearly every test here reads pages in children of its own process."""


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

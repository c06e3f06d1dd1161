"""kill -9 at random moments, again and again: nothing is lost or done twice."""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from pdfbatch.runs import ledger
from pdfbatch.runs.verify import verify
from pdfbatch.store import open_store
from samples.many import long_pdf, many_pdfs
from tests.chaos.nursery import Born
from tests.worker.conftest import Start
from tests.worker.page_tasks import pages_read

KILLS = 20
SEED = 20260101


def markdown(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.md")}


def make_pdfs(folder: Path) -> list[Path]:
    folder.mkdir()
    many_pdfs(folder, 195)
    for number in range(4):
        long_pdf(folder / f"long-{number}.pdf", 76)
    (folder / "zero.pdf").write_bytes(b"")
    return sorted(folder.rglob("*.pdf"))


@pytest.mark.slow
def test_twenty_kills_leave_what_an_undisturbed_run_makes_and_convert_no_finished_document_again(
    tmp_path: Path, start: Start
) -> None:
    calm, wild = tmp_path / "calm", tmp_path / "wild"
    make_pdfs(calm)
    files = make_pdfs(wild)
    undisturbed = start(calm, tmp_path / "calm-out", "note_slowly")

    chance = random.Random(SEED)
    out = tmp_path / "wild-out"
    finished: set[Path] = set()
    reads_when_finished: dict[Path, int] = {}
    for _ in range(KILLS):
        process = start(wild, out, "note_slowly")
        if chance.random() < 0.8:  # the others are killed while they start
            wait_for_reading(files, process)
        time.sleep(chance.uniform(0, 0.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pdf in set(files) - finished:
            if (out / pdf.relative_to(wild).with_suffix(".md")).exists():
                finished.add(pdf)
                reads_when_finished[pdf] = len(pages_read(pdf))
    assert finished, "every kill came before the first document: this run proves nothing"
    assert len(finished) < len(files) - 1, "the last kills had nothing to disturb"
    assert start(wild, out, "note_slowly").wait(120) == 0
    assert undisturbed.wait(120) == 0

    assert markdown(out) == markdown(tmp_path / "calm-out")
    assert {pdf: len(pages_read(pdf)) for pdf in finished} == reads_when_finished
    store = open_store(str(out))
    lines = [line for _, line in ledger.outcomes(store, ledger.segments(store))]
    assert Counter(line.key for line in lines).keys() == {str(pdf.relative_to(wild)) for pdf in files}
    assert verify(store).sound
    assert not list((out / ".pdfbatch").glob("*/checkpoints/**/*.json"))
    tree = [path for path in out.rglob("*") if path.is_file() and path.parent != out / ".pdfbatch" / "tmp"]
    assert {path.suffix for path in tree} == {".md", ".json", ".jsonl", ".gz"}, "a half-written file was left"


def wait_for_reading(files: list[Path], process: Born) -> None:
    """Until the process has read its first page."""
    before = bytes_noted(files)
    while bytes_noted(files) == before and process.poll() is None:
        time.sleep(0.02)


def bytes_noted(files: list[Path]) -> int:
    """How much has been noted of all pages read: looked at often, so that it must cost the machine little."""
    folders = {pdf.parent for pdf in files}
    return sum(note.stat().st_size for folder in folders for note in os.scandir(folder) if note.name.endswith(".read"))

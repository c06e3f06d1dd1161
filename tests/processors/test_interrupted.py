"""Workers that are killed or stopped while processors run, and workers that share a document."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pdfbatch.processors.registry import processors_named, ready
from pdfbatch.records import Counts, DoneMark, ProcessorSpec, ReadOptions, RunKeys
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.partition import LONG_BYTES, Slice
from pdfbatch.runs.slices import documents_of
from pdfbatch.runs.verify import verify
from pdfbatch.store import Store, open_store
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.stop import Stop
from samples.many import long_pdf
from tests.processors.test_processing import tree
from tests.program import Program, of_worker
from tests.runs.fleets import fleet
from tests.worker import page_tasks
from tests.worker.begun import begin_at, now
from tests.worker.page_tasks import engine, pages_read

SLOW = ["--also", "tests.processors.own:Slow", "--also", "tests.processors.own:Whole"]
DOCUMENTS, PAGES, KILLS = 5, 12, 3


def start(pdfs: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pdfbatch.cli", "local-run", str(pdfs), str(out), "--engine", "null", "-q", *SLOW]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_kills_at_random_moments_leave_what_an_undisturbed_run_makes(tmp_path: Path, pdfbatch: Program) -> None:
    pdfs, out, calm = tmp_path / "in", tmp_path / "out", tmp_path / "calm"
    pdfs.mkdir()
    for number in range(DOCUMENTS):
        long_pdf(pdfs / f"{number}.pdf", PAGES, lines=1)
    words = (pdfs, "--engine", "null")
    assert pdfbatch("local-run", *words, "--output", out, "--limit", 2).returncode == 0, "two only lack processors"
    chance, cut_short = random.Random(16), 0
    for number in range(KILLS):
        process, made = start(pdfs, out), len(list(out.rglob("*.txt")))
        while process.poll() is None and len(list(out.rglob("*.txt"))) <= made + 2:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.3))
        cut_short += process.poll() is None
        os.killpg(process.pid, signal.SIGKILL if number % 2 else signal.SIGTERM)
        process.wait()
    assert cut_short >= 2, "too few were killed at work: this run proves nothing"
    for place in (out, calm):
        assert pdfbatch("local-run", *words, "--output", place, *SLOW).returncode == 0
    assert tree(out) == tree(calm)
    store = open_store(str(out))
    history = ledger.history(store)
    assert {final.processors for final in history.values()} == {("Slow", "Whole")} and len(history) == DOCUMENTS
    assert verify(store).sound and verify(store).orphans == []


def shared(source: Store, output: Store, also: list[ProcessorSpec]) -> list[Counts]:
    """A run by two workers, one after the other."""
    options = ReadOptions(also=also)
    frozen = begin_at(source, output, engine(page_tasks.note).name, options, Slice(0, 2)).manifest
    assert frozen.entries == [2, 2], "the long document has parts"
    return [
        SliceRun(
            SliceConfig(
                *(frozen, documents_of(output, frozen, worker), worker, source, output, engine(page_tasks.note), 2),
                *(1.0, now),
                processors=ready(also),
            ),
            Stop(),
        )
        .run()
        .counts
        for worker in (0, 1)
    ]


def test_a_document_that_several_workers_read_is_processed_once_with_all_its_pages(tmp_path: Path) -> None:
    pdfs = tmp_path / "in"
    pdfs.mkdir()
    long_pdf(pdfs / "long.pdf", 10, lines=1)
    with (pdfs / "long.pdf").open("ab") as file:
        file.write(b"%" + b"." * 2 * LONG_BYTES + b"\n")
    source, output = open_store(str(pdfs)), open_store(str(tmp_path / "out"))
    counts = shared(source, output, processors_named(["tests.processors.own:Notes"]))
    assert sum(each.ok for each in counts) == 1
    assert sorted(pages_read(pdfs / "long.pdf")) == list(range(1, 11))
    notes = [(tmp_path / "out" / "long" / "Notes" / "pages" / f"{n}.txt").read_text() for n in range(1, 11)]
    assert notes == [f"long.pdf {n} of 10: long.pdf page {n}.\n" for n in range(1, 11)]


def test_a_worker_whose_image_lacks_a_processor_ends_at_once_and_says_so(
    tmp_path: Path, bucket: str, s3_endpoint: str, pdfbatch: Program
) -> None:
    source, output = open_store(f"s3://{bucket}/in/"), open_store(f"s3://{bucket}/out/")
    source.put("a.pdf", long_pdf(tmp_path / "a.pdf", 1).read_bytes())
    begun = begin_at(source, output, "null", ReadOptions(also=[ProcessorSpec(name="words", version="3")]))
    manifest.save_fleet(output, fleet(hours=1_000_000).model_copy(update={"run": begun.manifest.run}))
    ended = pdfbatch("worker", **of_worker(bucket, begun.manifest.run))
    assert ended.returncode == 4 and "needs the processor 'words' in version 3" in ended.stderr
    mark = DoneMark.model_validate_json(output.get(RunKeys(begun.manifest.run).done_mark(0)))
    assert mark.why == "failing" and "'words' in version 3" in mark.detail
    status = json.loads(pdfbatch("status", f"s3://{bucket}/out/", "--json").stdout)
    assert (status["state"], status["workers"][0]["state"]) == ("failed", "failed")
    assert "'words' in version 3" in pdfbatch("status", f"s3://{bucket}/out/").stdout


def test_a_worker_in_an_image_that_has_it_processes_what_it_reads(
    tmp_path: Path, bucket: str, s3_endpoint: str, pdfbatch: Program
) -> None:
    source, output = open_store(f"s3://{bucket}/in/"), open_store(f"s3://{bucket}/out/")
    source.put("a.pdf", long_pdf(tmp_path / "a.pdf", 2).read_bytes())
    begun = begin_at(source, output, "null", ReadOptions(also=processors_named(["images:dpi=30,format=png"])))
    assert pdfbatch("worker", **of_worker(bucket, begun.manifest.run)).returncode == 0
    assert output.get("a/images/page-0002.png").startswith(b"\x89PNG")

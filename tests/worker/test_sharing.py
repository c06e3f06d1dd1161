"""How the workers of a run share its work: claimed blocks, parts of long documents, and documents read only once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines.base import PageTask
from pdfbatch.records import Counts, Label, Machine, Manifest, Outcome, ReadOptions, RunKeys, SourceDocument
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.begin import Request, begin_retry
from pdfbatch.runs.partition import LONG_BYTES, Slice
from pdfbatch.runs.progress import read_status
from pdfbatch.runs.report import read_report
from pdfbatch.runs.slices import documents_of
from pdfbatch.runs.verify import verify
from pdfbatch.runs.whole import read_whole
from pdfbatch.store import LocalStore, Store, open_store
from pdfbatch.worker.checkpoint import Checkpoints
from pdfbatch.worker.claims import Claims
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.parts import Parts
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.stop import Stop
from samples.many import long_pdf, many_pdfs
from tests.worker import page_tasks
from tests.worker.begun import begin_at, now
from tests.worker.page_tasks import engine, pages_read
from tests.worker.waiting import wait_until

SEVEN = datetime(2026, 11, 25, 19, tzinfo=UTC)
INSTANCE = Machine(instance="i-1", type="g4dn.xlarge", zone="us-east-1a", booted=SEVEN)


class Shared:
    """A run by several workers over a folder, which are run one after the other."""

    def __init__(self, pdfs: Path, out: Path, workers: int, task: PageTask = page_tasks.note) -> None:
        self.source, self.output, self.task = open_store(str(pdfs)), open_store(str(out)), task
        self.manifest: Manifest = begin_at(
            self.source, self.output, engine(task).name, ReadOptions(), Slice(0, workers)
        ).manifest
        self.keys = RunKeys(self.manifest.run)

    def documents(self, worker: int) -> Sequence[SourceDocument]:
        return documents_of(self.output, self.manifest, worker)

    def work(self, worker: int, on: Machine | None = None, stop: Stop | None = None) -> Counts:
        documents, reader = self.documents(worker), engine(self.task)
        job = SliceConfig(self.manifest, documents, worker, self.source, self.output, reader, 2, 1.0, now, on)
        return SliceRun(job, stop or Stop()).run().counts

    def claims(self, worker: int) -> Claims:
        return Claims(self.output, self.keys, worker, lambda: SEVEN)


def outcomes(store: Store) -> dict[str, Outcome]:
    lines = [line for _, line in ledger.outcomes(store, ledger.segments(store))]
    assert len({line.key for line in lines}) == len(lines), "every document has one outcome"
    return {line.key: line for line in lines}


def published(out: Path) -> dict[str, bytes]:
    """Everything under the output but the run's state."""
    files = (path for path in out.rglob("*") if path.is_file() and ".pdfbatch" not in path.parts)
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def padded(pdf: Path, size: int = 2 * LONG_BYTES) -> Path:
    """Makes a PDF as large as one with many pages."""
    with pdf.open("ab") as file:
        file.write(b"%" + b"." * size + b"\n")
    return pdf


# ── blocks ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fleets_worker_that_is_done_early_takes_over_what_nobody_has_claimed(pdfs: Path, out: Path) -> None:
    many_pdfs(pdfs, 12)
    run = Shared(pdfs, out, 3)
    assert run.claims(1).take(1, 0), "the other worker is reading its first block"
    first = run.work(0, INSTANCE)
    assert (first.total, first.ok) == (11, 11)
    second = run.work(1, INSTANCE)
    assert (second.total, second.ok) == (1, 1)
    assert run.work(2, INSTANCE).total == 0
    assert len(outcomes(run.output)) == 12 and verify(run.output).sound
    status = read_status(run.output, run.manifest, now())
    assert (status.documents.total, status.documents.done, status.pages.read) == (12, 12, 12)


def test_on_your_own_machine_nothing_is_taken_from_a_worker_that_is_not_running(pdfs: Path, out: Path) -> None:
    many_pdfs(pdfs, 6)
    run = Shared(pdfs, out, 2)
    assert run.work(0).ok == 3
    assert len(outcomes(run.output)) == 3
    assert run.work(1).ok == 3


def test_a_worker_that_restarts_finishes_the_blocks_that_it_took_over(pdfs: Path, out: Path) -> None:
    many_pdfs(pdfs, 6)
    run = Shared(pdfs, out, 2)
    assert run.claims(0).take(1, 2), "an earlier process of worker 0 died after it had claimed a block"
    run.output.put(run.keys.takeover(0, 1, 0), b"")  # or before it could
    assert run.work(0).ok == 4
    assert run.work(1).ok == 2
    assert len(outcomes(run.output)) == 6 and verify(run.output).sound


def test_two_workers_that_claim_a_block_at_once_have_one_winner(tmp_path: Path) -> None:
    output = LocalStore(tmp_path)
    claims = [Claims(output, RunKeys("r"), worker, lambda: SEVEN) for worker in range(3)]
    assert [each.take(1, 0) for each in claims] == [True, False, False]
    assert [each.take(1, 0) for each in claims] == [True, False, False], "a restart has what it had"
    assert claims[1].own_slice() == {0: 0}
    assert list(claims[0].elsewhere()) == [(1, 0)] and list(claims[2].elsewhere()) == []
    assert claims[2].everywhere() == {1: {0}}


# ── parts of long documents ──────────────────────────────────────────────────────────────────────────────────────


def alone(pdfs: Path, out: Path) -> dict[str, bytes]:
    """What one worker publishes of the same folder."""
    run = Shared(pdfs, out, 1)
    run.work(0)
    for log in pdfs.rglob("*.read"):
        log.unlink()
    return published(out)


def test_a_long_document_is_read_in_parts_and_published_as_if_by_one_worker(
    pdfs: Path, out: Path, tmp_path: Path
) -> None:
    long = padded(long_pdf(pdfs / "long.pdf", 23))
    long_pdf(pdfs / "short.pdf", 2)
    expected = alone(pdfs, tmp_path / "alone")
    run = Shared(pdfs, out, 3)
    assert [len(run.documents(worker)) for worker in range(3)] == [3, 2, 2]
    counts = [run.work(worker) for worker in range(3)]
    assert published(out) == expected
    assert sorted(pages_read(long)) == list(range(1, 24)), "every page once"
    assert sum(each.ok for each in counts) == sum(each.total for each in counts) == 2
    assert sum(each.pages_read for each in counts) == 25
    assert outcomes(run.output)["long.pdf"].parts == 6
    assert verify(run.output).sound
    report = read_report(run.output, run.manifest.run, now())
    assert (report.documents.ok, report.pages.read) == (2, 25)


def test_parts_of_requested_pages_are_shares_of_these(pdfs: Path, out: Path) -> None:
    padded(long_pdf(pdfs / "long.pdf", 30))
    source, output = open_store(str(pdfs)), open_store(str(out))
    options = ReadOptions(pages="1-3,20-24")
    run = begin_at(source, output, "note", options, Slice(0, 2)).manifest
    for worker in range(2):
        documents = documents_of(output, run, worker)
        job = SliceConfig(run, documents, worker, source, output, engine(page_tasks.note), 1, 1.0, now)
        SliceRun(job, Stop()).run()
    assert sorted(pages_read(pdfs / "long.pdf")) == [1, 2, 3, 20, 21, 22, 23, 24]
    assert outcomes(output)["long.pdf"].pages == 8


def test_a_document_with_fewer_pages_than_parts_is_published_too(pdfs: Path, out: Path) -> None:
    padded(long_pdf(pdfs / "heavy.pdf", 1))
    run = Shared(pdfs, out, 4)
    assert [run.work(worker).ok for worker in range(4)] == [0, 0, 0, 1]
    assert outcomes(run.output)["heavy.pdf"].pages == 1 and verify(run.output).sound


class Overtaken(LocalStore):
    """An output in which something happens right after worker 0 has listed the claims of its slice."""

    def __init__(self, root: Path, meanwhile: Callable[[], object]) -> None:
        super().__init__(root)
        self.meanwhile = meanwhile

    def list(self, prefix: str = "", locked: Callable[[str], object] | None = None, *, deep: bool = True) -> Any:
        found = list(super().list(prefix, locked, deep=deep))
        if prefix.endswith("/claims/slice-0/"):
            meanwhile, self.meanwhile = self.meanwhile, lambda: None
            meanwhile()
        return iter(found)


def test_pages_of_a_part_that_another_worker_finished_first_are_counted_by_that_one_alone(
    pdfs: Path, out: Path
) -> None:
    padded(long_pdf(pdfs / "a.pdf", 12, lines=1))
    run = Shared(pdfs, out, 3)
    assert run.claims(2).take(2, 0), "the third worker is still reading, so nobody has assembled the document"
    run.output = Overtaken(out, lambda: counted.append(run.work(1, INSTANCE)))
    counted: list[Counts] = []
    counted.append(run.work(0, INSTANCE))
    counted.append(run.work(2, INSTANCE))
    status = read_status(run.output, run.manifest, now())
    assert sum(each.pages_read for each in counted) == 12
    assert (status.pages.read, status.documents.done) == (12, 1)


def test_a_page_that_cannot_be_read_is_tried_by_its_part_alone(pdfs: Path, out: Path) -> None:
    padded(long_pdf(pdfs / "long.pdf", 8))
    run = Shared(pdfs, out, 2, page_tasks.raise_error)
    counts = [run.work(worker) for worker in range(2)]
    line = outcomes(run.output)["long.pdf"]
    assert (line.outcome, line.failed_pages) == ("partial", [(page_tasks.BAD_PAGE, "engine_error")])
    assert sum(each.partial for each in counts) == 1
    assert sum(each.pages_failed for each in counts) == 1
    assert sorted(pages_read(pdfs / "long.pdf")) == [1, *range(3, 9)]


@pytest.mark.parametrize("data", [b"", b"no PDF"])
def test_a_long_document_that_cannot_be_opened_fails_once(pdfs: Path, out: Path, data: bytes) -> None:
    (pdfs / "bad.pdf").write_bytes(data or b"%PDF-1.7 but nothing else")
    padded(pdfs / "bad.pdf")
    run = Shared(pdfs, out, 2)
    counts = [run.work(worker) for worker in range(2)]
    assert sum(each.failed for each in counts) == 1 and outcomes(run.output)["bad.pdf"].outcome == "failed"


def test_a_long_document_that_changes_between_its_parts_is_read_in_its_last_version(pdfs: Path, out: Path) -> None:
    long = padded(long_pdf(pdfs / "long.pdf", 8))
    run = Shared(pdfs, out, 2)
    run.work(0)
    padded(long_pdf(long, 6))
    assert run.work(1).ok == 1
    text = (out / "long.md").read_text()
    assert text.count("<!-- page") == 6 and outcomes(run.output)["long.pdf"].pages == 6


def test_a_stopped_part_is_resumed_and_a_finished_one_is_not_read_again(pdfs: Path, out: Path) -> None:
    long = padded(long_pdf(pdfs / "long.pdf", 40))
    run = Shared(pdfs, out, 2, page_tasks.note_slowly)
    stop = Stop()

    def stop_at_work() -> None:
        wait_until(lambda: len(pages_read(long)) >= 3)
        stop.ask("interrupted")

    watcher = Thread(target=stop_at_work)
    watcher.start()
    assert run.work(0, stop=stop).ok == 0
    watcher.join()
    finished = [run.work(1), run.work(0)]
    assert sum(each.ok for each in finished) == 1
    assert sum(each.pages_read for each in finished) == 40, "pages of an earlier process count as well"
    assert sorted(pages_read(long)) == list(range(1, 41))
    assert verify(run.output).sound


def test_a_document_whose_assembly_died_is_assembled_by_the_same_worker_later(pdfs: Path, out: Path) -> None:
    long = padded(long_pdf(pdfs / "long.pdf", 8))
    run = Shared(pdfs, out, 2)
    assert run.claims(0).put(run.keys.assembly("long.pdf")), "it died before it had published anything"
    assert run.work(1).ok == 0
    assert run.work(0).ok == 1
    assert sorted(pages_read(long)) == list(range(1, 9)) and len(outcomes(run.output)) == 1
    (out / f"{run.keys.ledger_segment(0, 1)}").unlink()  # it died after it had published everything
    assert run.work(0).ok == 1
    assert sorted(pages_read(long)) == list(range(1, 9)) and len(outcomes(run.output)) == 1


def test_of_two_last_parts_that_end_at_once_one_leads_to_the_assembly(tmp_path: Path) -> None:
    output, keys = LocalStore(tmp_path), RunKeys("r")
    parts = Parts(output, keys, Checkpoints(output, keys), Claims(output, keys, 0, lambda: SEVEN))
    document = SourceDocument("long.pdf", 1, "e", parts=2)
    for number in (1, 2):
        output.put(keys.part("long.pdf", number), b"{}")
    assert [parts.is_to_assemble(document) for _ in range(2)] == [True, False]


def long_copies(pdfs: Path) -> list[Path]:
    first = padded(long_pdf(pdfs / "a.pdf", 8))
    return [first, *(Path(shutil.copy(first, pdfs / name)) for name in ("b.pdf", "c.pdf"))]


def test_copies_of_a_long_document_are_published_when_it_is_assembled(pdfs: Path, out: Path) -> None:
    found = long_copies(pdfs)
    run = Shared(pdfs, out, 2)
    assert sum(run.work(worker).ok for worker in range(2)) == 3
    assert [sorted(pages_read(path)) for path in found] == [list(range(1, 9)), [], []]
    assert len(outcomes(run.output)) == 3 and verify(run.output).sound


def test_a_copy_of_a_long_document_that_changed_is_read_once_not_by_every_part(pdfs: Path, out: Path) -> None:
    _, second, _ = long_copies(pdfs)
    run = Shared(pdfs, out, 2)
    padded(long_pdf(second, 3))
    assert sum(run.work(worker).ok for worker in range(2)) == 3
    assert sorted(pages_read(second)) == [1, 2, 3]
    assert len(outcomes(run.output)) == 3


def test_an_assembly_that_died_between_copies_is_continued(pdfs: Path, out: Path) -> None:
    long_copies(pdfs)
    run = Shared(pdfs, out, 2)
    run.work(0)
    run.work(1)
    assembler = next(line.worker for line in outcomes(run.output).values())
    for segment in out.glob(f"{run.keys.ledger_of(assembler)}*"):
        segment.unlink()
    (out / "c.md").unlink()
    assert run.work(assembler).ok == 3
    assert len(outcomes(run.output)) == 3 and verify(run.output).sound


# ── equal documents ──────────────────────────────────────────────────────────────────────────────────────────────


def figure(path: str, number: int, options: ReadOptions, attempt: int = 0) -> PageRead:
    """A page with a figure."""
    page, _ = page_tasks.note(path, number, options, attempt)
    element = page.elements[0].model_copy(update={"label": Label.FIGURE, "figure": f"page-{number:04}-001.png"})
    return PageRead(page.model_copy(update={"elements": [*page.elements, element]}), {element.figure: b"png"})


def copies(pdfs: Path, *names: str) -> list[Path]:
    """A PDF and its copies, beside another PDF of the same size."""
    first = long_pdf(pdfs / names[0], 2)
    other = first.read_bytes().replace(b"Sheet 1", b"Sheet 9")
    (pdfs / "other.pdf").write_bytes(other)
    return [first, *(Path(shutil.copy(first, pdfs / name)) for name in names[1:])]


def test_equal_documents_are_read_once_and_published_for_each_key(pdfs: Path, out: Path) -> None:
    (pdfs / "sub dir").mkdir()
    found = copies(pdfs, "a.pdf", "b.pdf", "sub dir/c.pdf")
    run = Shared(pdfs, out, 2, figure)
    assert sum(run.work(worker).ok for worker in range(2)) == 4
    assert [sorted(pages_read(path)) for path in found] == [[1, 2], [], []]
    lines = outcomes(run.output)
    assert {key: line.same_as for key, line in lines.items()} == {
        "a.pdf": "",
        "b.pdf": "a.pdf",
        "sub dir/c.pdf": "a.pdf",
        "other.pdf": "",
    }
    assert verify(run.output).sound, "figures too"
    assert (out / "sub dir" / "c.md").read_text() == (out / "a.md").read_text().replace("a/figures", "c/figures")
    status = read_status(run.output, run.manifest, now())
    assert (status.documents.ok, status.pages.read) == (4, 4)
    assert read_whole(run.output, run.manifest, now()).pages.read == 4


def test_copies_of_a_broken_document_fail_for_its_reason(pdfs: Path, out: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        (pdfs / name).write_bytes(b"no PDF")
    run = Shared(pdfs, out, 1)
    assert run.work(0).failed == 2
    assert {line.reason for line in outcomes(run.output).values()} == {"not_a_pdf"}


def test_a_copy_that_changed_since_the_launch_is_read_on_its_own(pdfs: Path, out: Path) -> None:
    _, second, third = copies(pdfs, "a.pdf", "b.pdf", "c.pdf")
    run = Shared(pdfs, out, 1)
    long_pdf(second, 3)
    third.unlink()
    counts = run.work(0)
    assert (counts.ok, counts.failed, counts.total) == (3, 1, 4)
    lines = outcomes(run.output)
    assert (lines["b.pdf"].pages, lines["c.pdf"].reason, lines["b.pdf"].same_as) == (3, "missing", "")


@pytest.mark.parametrize("change", [Path.unlink, lambda path: long_pdf(path, 3)])
def test_copies_of_a_document_that_changed_or_vanished_are_read_by_themselves(
    pdfs: Path, out: Path, change: object
) -> None:
    first, *rest = copies(pdfs, "a.pdf", "b.pdf", "c.pdf")
    run = Shared(pdfs, out, 1)
    change(first)  # type: ignore[operator]
    counts = run.work(0)
    assert counts.done == 4 and [len(pages_read(path)) for path in rest] == [2, 2]
    assert outcomes(run.output)["c.pdf"].outcome == "ok"


def test_a_worker_that_died_between_copies_publishes_the_rest(pdfs: Path, out: Path) -> None:
    copies(pdfs, "a.pdf", "b.pdf", "c.pdf")
    run = Shared(pdfs, out, 1)
    run.work(0)
    whole = set(published(out))
    (out / run.keys.ledger_segment(0, 1)).unlink()
    (out / "c.md").unlink()
    assert run.work(0).ok == 4
    assert set(published(out)) == whole and len(outcomes(run.output)) == 4


def test_retried_copies_are_read_once_as_well(pdfs: Path, out: Path) -> None:
    copies(pdfs, "a.pdf", "b.pdf")
    run = Shared(pdfs, out, 1, page_tasks.raise_always)
    assert run.work(0).failed == 3
    begun = begin_retry(run.source, run.output, Request(Slice(0, 1), "note", ReadOptions()), [], now)
    assert [[copy.key for copy in each.copies] for each in begun.documents] == [["b.pdf"], []]
    assert [each.attempt for each in chain(begun.documents, begun.documents[0].copies)] == [2, 2, 2]
    assert manifest.load(run.output, begun.manifest.run).documents == 3

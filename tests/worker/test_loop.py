"""One slice from its manifest to its done mark, with real children and real files."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest

from pdfbatch.engines import NullEngine
from pdfbatch.errors import StoreError
from pdfbatch.records import Outcome, ReadOptions, Reason, RunKeys, SourceDocument
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.verify import verify
from pdfbatch.store import LocalStore, open_store
from pdfbatch.worker.loop import SliceRun
from pdfbatch.worker.slice_config import SliceConfig
from pdfbatch.worker.stop import Stop
from samples.many import long_pdf, many_pdfs
from tests.frozen import frozen
from tests.worker import page_tasks
from tests.worker.begun import begin_at, now
from tests.worker.conftest import RunSlice
from tests.worker.page_tasks import engine, pages_read


def lines(out: Path) -> dict[str, Outcome]:
    store = open_store(str(out))
    return {line.key: line for _, line in ledger.outcomes(store, ledger.segments(store))}


def test_every_document_gets_its_markdown_its_ledger_line_and_its_anchors(
    pdfs: Path, out: Path, run_slice: RunSlice
) -> None:
    many_pdfs(pdfs, 7, pages=3)
    mark = run_slice(engine(page_tasks.note))
    assert (mark.why, mark.counts.ok, mark.counts.pages_read) == ("done", 7, 21)
    text = (out / "000" / "doc-00003.md").read_text()
    assert text == "".join(f"<!-- page {n} -->\n\ndoc-00003.pdf page {n}.\n" + "\n" * (n < 3) for n in (1, 2, 3))
    assert all(line.outcome == "ok" and line.pages == 3 for line in lines(out).values())
    assert verify(open_store(str(out))).sound


@pytest.mark.parametrize(
    ("task", "options", "reason"),
    [
        (page_tasks.segfault, {"max_retries": 0}, Reason.CRASHED),
        (page_tasks.segfault, {"max_retries": 1}, Reason.CRASHED),
        (page_tasks.hang, {"page_seconds": 0.5, "max_retries": 0}, Reason.TIMEOUT),
        (page_tasks.eat_memory, {"memory_mib": 512}, Reason.OUT_OF_MEMORY),
        (page_tasks.raise_error, {}, Reason.ENGINE_ERROR),
    ],
    ids=["segfault", "segfault twice", "hang", "eat memory", "raise"],
)
def test_a_page_that_ruins_its_child_costs_that_page_a_reason_and_nothing_else(
    pdfs: Path, out: Path, run_slice: RunSlice, task: object, options: dict[str, float], reason: Reason
) -> None:
    long_pdf(pdfs / "bad.pdf", 4)
    many_pdfs(pdfs, 4)
    mark = run_slice(engine(task), **options)  # type: ignore[arg-type]
    told = lines(out)
    assert (mark.counts.ok, mark.counts.partial, mark.counts.failed) == (4, 1, 0)
    assert told["bad.pdf"].failed_pages == [(2, reason)]
    assert told["bad.pdf"].reason is reason
    assert f"\n<!-- page 2: {reason} -->\n\n<!-- page 3 -->\n" in (out / "bad.md").read_text()
    assert sorted(set(pages_read(pdfs / "bad.pdf"))) == [1, 3, 4]


def test_a_child_that_died_by_bad_luck_costs_nothing(pdfs: Path, run_slice: RunSlice) -> None:
    long_pdf(pdfs / "a.pdf", 4)
    assert run_slice(engine(page_tasks.segfault_once)).counts.ok == 1
    assert sorted(pages_read(pdfs / "a.pdf")) == [1, 2, 2, 3, 4]


def test_a_document_of_which_no_page_was_read_is_failed_and_not_published(
    pdfs: Path, out: Path, run_slice: RunSlice
) -> None:
    (pdfs / "web.pdf").write_bytes(b"<html><body>not found</body></html>")
    (pdfs / "zero.pdf").write_bytes(b"")
    mark = run_slice(NullEngine())
    assert mark.counts.reasons == {"not_a_pdf": 1, "empty_file": 1}
    assert not list(out.glob("*.md"))
    failures = json.loads(next(out.glob(".pdfbatch/*/failures/worker-0-failures.json")).read_text())
    assert {row["key"] for row in failures["failures"]} == {"web.pdf", "zero.pdf"}


def test_a_pdf_that_vanishes_after_the_freeze_is_missing(pdfs: Path, out: Path, run_slice: RunSlice) -> None:
    many_pdfs(pdfs, 2)
    source, output = open_store(str(pdfs)), open_store(str(out))

    begun = begin_at(source, output, "null", ReadOptions())
    (pdfs / "000" / "doc-00001.pdf").unlink()
    job = SliceConfig(begun.manifest, begun.documents, 0, source, output, NullEngine(), 1, 1.0, now)
    SliceRun(job, Stop()).run()
    assert lines(out)["000/doc-00001.pdf"].reason is Reason.MISSING


def test_a_rerun_redoes_only_what_failed(pdfs: Path, out: Path, run_slice: RunSlice) -> None:
    many_pdfs(pdfs, 3)
    (pdfs / "zero.pdf").write_bytes(b"")
    run_slice(engine(page_tasks.note))
    mark = run_slice(engine(page_tasks.note))
    assert mark.counts.total == mark.counts.failed == 1
    assert lines(out)["zero.pdf"].attempt == 2
    assert pages_read(pdfs / "000" / "doc-00000.pdf") == [1]


def test_published_documents_without_a_ledger_line_get_one_and_are_not_converted_again(
    pdfs: Path, out: Path, run_slice: RunSlice
) -> None:
    long_pdf(pdfs / "bad.pdf", 3)
    many_pdfs(pdfs, 2)
    run_slice(engine(page_tasks.raise_error))
    output = open_store(str(out))
    keys = RunKeys(manifest.current(output) or "")
    # As if the process had been killed between its last publication and its first ledger line.
    output.delete([entry.key for entry in output.list(keys.ledger)] + [keys.done_mark(0)])
    mark = run_slice(engine(page_tasks.raise_error))
    assert (mark.counts.ok, mark.counts.partial) == (2, 1)
    assert pages_read(pdfs / "000" / "doc-00000.pdf") == [1]
    told = lines(out)["bad.pdf"]
    assert (told.pages, told.failed_pages) == (3, [(2, Reason.ENGINE_ERROR)])


def test_markdown_that_was_deleted_is_made_again_by_the_same_run(pdfs: Path, out: Path, run_slice: RunSlice) -> None:
    many_pdfs(pdfs, 2)
    run_slice(engine(page_tasks.note))
    output = open_store(str(out))
    output.delete([RunKeys(manifest.current(output) or "").done_mark(0), "000/doc-00001.md"])
    run_slice(engine(page_tasks.note))
    assert (out / "000" / "doc-00001.md").exists()
    assert pages_read(pdfs / "000" / "doc-00001.pdf") == [1, 1]
    assert pages_read(pdfs / "000" / "doc-00000.pdf") == [1]


def test_the_heartbeat_ends_last_and_reports_the_end(pdfs: Path, out: Path, run_slice: RunSlice) -> None:
    many_pdfs(pdfs, 2)
    mark = run_slice(NullEngine())
    beat = json.loads(next(out.glob(".pdfbatch/*/workers/worker-0.json")).read_text())
    assert beat["state"] == "done"
    assert datetime.fromisoformat(beat["at"]) >= mark.at


class Undeletable(LocalStore):
    """A folder in which nothing can be removed."""

    def delete(self, keys: Iterable[str]) -> None:
        raise StoreError("Cannot delete.", "Try later.")


def test_checkpoints_that_cannot_be_removed_fail_no_document(pdfs: Path, tmp_path: Path) -> None:
    long_pdf(pdfs / "long.pdf", 70)
    source, output = open_store(str(pdfs)), Undeletable(tmp_path / "out")
    one, documents = frozen([SourceDocument("long.pdf", 1, "e")], input=source.url, output=output.url, engine="note")
    mark = SliceRun(
        SliceConfig(one, documents[0], 0, source, output, engine(page_tasks.note), 1, 1.0, now), Stop()
    ).run()
    assert (mark.counts.ok, mark.counts.failed) == (1, 0)


def test_a_retried_document_whose_old_markdown_was_deleted_meanwhile_is_published_anew(pdfs: Path, out: Path) -> None:
    long_pdf(pdfs / "a.pdf", 2)
    source, output = open_store(str(pdfs)), open_store(str(out), create=True)
    one, documents = frozen(
        [SourceDocument("a.pdf", 1, "e", output_etag="gone", attempt=2)],
        input=source.url,
        output=output.url,
        engine="note",
    )
    mark = SliceRun(
        SliceConfig(one, documents[0], 0, source, output, engine(page_tasks.note), 1, 1.0, now), Stop()
    ).run()
    assert mark.counts.ok == 1
    assert "a.pdf page 2" in (out / "a.md").read_text()

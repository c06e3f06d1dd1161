"""Odd folders and names: a run continues and reports what it left out."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pdfbatch.records import ReadOptions, Reason
from pdfbatch.runs.verify import verify
from pdfbatch.store import open_store
from samples.many import many_pdfs
from tests.worker import page_tasks
from tests.worker.begun import begin_at
from tests.worker.conftest import RunSlice
from tests.worker.page_tasks import engine
from tests.worker.test_loop import lines


def test_twins_each_get_an_outcome_and_the_rest_is_converted(pdfs: Path, out: Path, run_slice: RunSlice) -> None:
    page = many_pdfs(pdfs / "many", 1)[0].read_bytes()
    for name in ("a.pdf", "b.pdf", "b.PDF", "c.Pdf", "c.pdf"):
        (pdfs / name).write_bytes(page + f"%{name}".encode())
    for _ in range(2):  # a second run tells the same
        counts = run_slice(engine(page_tasks.note)).counts
        told = lines(out)
        assert [told[key].reason for key in ("b.PDF", "c.Pdf")] == [Reason.NAME_CLASH] * 2
        assert told["b.PDF"].detail == "b.md is already made from b.pdf: rename one of the two"
        assert "b.pdf page 1" in (out / "b.md").read_text()
        verdict = verify(open_store(str(out)))
        assert verdict.sound and (verdict.ok, verdict.failed) == (4, 2)
    assert counts.failed == 2


def test_markdown_that_no_run_wrote_is_reported_with_a_fix_that_works(
    pdfs: Path, out: Path, run_slice: RunSlice
) -> None:
    page = many_pdfs(pdfs / "many", 1)[0].read_bytes()
    (pdfs / "a.pdf").write_bytes(page)
    out.mkdir()
    (out / "a.md").write_text("")
    source, output = open_store(str(pdfs)), open_store(str(out))
    run_slice(engine(page_tasks.note))
    assert list(begin_at(source, output, "note", ReadOptions()).foreign) == ["a.pdf"]
    verdict = verify(output)
    assert verdict.foreign == verdict.no_outcome == ["a.pdf"] and not verdict.sound
    (out / "a.md").unlink()
    run_slice(engine(page_tasks.note))
    assert verify(output).sound and "a.pdf page 1" in (out / "a.md").read_text()


@pytest.mark.slow
def test_a_folder_that_may_not_be_read_is_a_failure_of_its_own_and_the_rest_is_converted() -> None:
    fewer = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    if fewer and shutil.which("setpriv") is None:
        pytest.skip("root may read everything, and cannot be hindered here")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in" / "sub").mkdir(parents=True)
        many_pdfs(folder / "in", 1)
        for locked, mode in (("lost+found", 0o000), ("sub/shown", 0o444)):
            (folder / "in" / locked).mkdir()
            (folder / "in" / locked / "x.pdf").write_bytes(b"%PDF-")
            (folder / "in" / locked).chmod(mode)
        (folder / "in" / "link.pdf").symlink_to(folder / "in" / "lost+found" / "x.pdf")
        command = [sys.executable, "-m", "pdfbatch.cli", "local-run", f"{name}/in", f"{name}/out", "--engine", "null"]
        ended = subprocess.run([*fewer, *command], capture_output=True, text=True, check=False)
        for locked in ("lost+found", "sub/shown"):
            (folder / "in" / locked).chmod(0o700)
        assert ended.returncode == 3, ended.stderr
        assert "no permission to read, counted as failures: link.pdf, lost+found/*.pdf, sub/shown/x.pdf" in ended.stderr
        told = lines(folder / "out")
        assert told["lost+found/*.pdf"].outcome == told["sub/shown/x.pdf"].outcome == "failed"
        assert "Permission denied" in told["lost+found/*.pdf"].detail
        assert told["link.pdf"].outcome == "failed"
        assert [key for key, line in told.items() if line.outcome == "ok"] == ["000/doc-00000.pdf"]

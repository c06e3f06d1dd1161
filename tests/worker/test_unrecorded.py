"""A document that a dead process published before it could record it: its line is made from what it published."""

from pathlib import Path

from pdfbatch.runs.ledger import newest
from pdfbatch.store import open_store
from samples.many import many_pdfs
from tests.worker import page_tasks
from tests.worker.conftest import RunSlice
from tests.worker.page_tasks import engine


def test_its_line_says_what_read_its_pages_and_how_well(pdfs: Path, out: Path, run_slice: RunSlice) -> None:
    many_pdfs(pdfs, 2, pages=3)
    run_slice(engine(page_tasks.note))
    store = open_store(str(out))
    before = dict(newest(store).items())
    for lost in (*out.glob(".pdfbatch/*/ledger/worker-0/*"), *out.glob(".pdfbatch/*/done/*")):
        lost.unlink()
    run_slice(engine(page_tasks.note))
    after = dict(newest(store).items())
    assert set(after) == set(before)
    for key, line in after.items():
        assert "ended before it could write this line" in line.detail
        assert (line.read_by, line.scores) == (before[key].read_by, before[key].scores) == ({"note": 3}, {"1.0": 3})

"""A retry is never the same try: pages that ran late or killed their child are read plainer, and then given up."""

import time
from pathlib import Path

import pytest

from pdfbatch.documents.sandbox.children import Failure
from pdfbatch.engines.base import PageOrder
from pdfbatch.records import PageResult, ReadOptions, Reason, SourceDocument
from pdfbatch.worker.work import BUDGET_PAGES, LATE_IN_A_ROW, LOST_IN_A_ROW, PAGES_PER_CREDIT, PLAINEST, SliceWork
from samples.many import long_pdf
from tests.pages import page_of
from tests.worker import page_tasks
from tests.worker.conftest import RunSlice
from tests.worker.page_tasks import engine
from tests.worker.test_loop import lines

LATE = Failure(Reason.TIMEOUT, "late")
DIED = Failure(Reason.CRASHED, "died")


def work(pages: int = 20) -> SliceWork:
    begun = SliceWork(SourceDocument("a.pdf", 1, "e"), started=0.0)
    begun.resume(pages, [])
    return begun


def test_each_try_has_less_time() -> None:
    options = ReadOptions(page_seconds=80)
    assert [PageOrder("a.pdf", 1, attempt).seconds(options) for attempt in range(5)] == [80, 40, 20, 10, 10]


def test_a_page_that_failed_is_read_more_plainly_each_time() -> None:
    begun = work()
    assert begun.attempt(1) == 0
    begun.tries[1] += 1
    begun.note_failure(1, LATE, 0)
    assert (begun.attempt(1), begun.attempt(2)) == (1, 0)


def test_when_pages_of_a_document_run_late_in_a_row_the_others_go_plain_at_once() -> None:
    begun = work()
    for number in range(1, LATE_IN_A_ROW + 1):
        assert begun.attempt(19) == 0
        begun.note_failure(number, LATE, 0)
        begun.note_failure(number, LATE, 1)  # two tries of one page count once
    assert begun.attempt(19) == PLAINEST
    begun.note_end(page_of("read in full", 19), 0)
    assert begun.attempt(19) == 0


def test_when_pages_of_a_document_are_lost_in_a_row_the_others_are_not_tried() -> None:
    begun = work()
    for number in range(1, LOST_IN_A_ROW + 1):
        assert not begun.is_stuck
        begun.note_end(PageResult(number=number, reason=Reason.TIMEOUT), 2)
    assert begun.is_stuck and begun.untried(9).reason is Reason.TIMEOUT and begun.untried(9).detail
    begun.note_end(page_of("read", 8), 2)
    assert not begun.is_stuck


def test_a_document_has_a_budget_for_tries_that_time_out_which_its_good_pages_raise() -> None:
    begun = work(pages=100)
    for number in range(1, BUDGET_PAGES + 1):
        assert begun.attempt(99) == 0
        begun.note_failure(number, LATE, 0)
        begun.note_end(page_of("read in full", 98), 0)  # so they are not in a row
    assert begun.attempt(99) == PLAINEST and not begun.is_stuck
    for number in range(PAGES_PER_CREDIT):
        begun.results.add(page_of("read", number + 50))
    assert begun.attempt(99) == 0
    for number in range(1, BUDGET_PAGES + 3):
        begun.note_failure(number, LATE, 0)
    assert begun.is_stuck and "18 times --page-seconds" in begun.untried(99).detail


def test_a_page_says_that_it_was_read_plainly() -> None:
    begun = work()
    begun.note_failure(1, DIED, 0)
    assert begun.note_end(page_of("a", 1), 1).flags == ["read_plainly"]
    assert begun.note_end(page_of("a", 2), 0).flags == []


def test_a_picture_that_killed_its_reader_is_not_said_to_need_ocr() -> None:
    begun = work()
    begun.note_failure(1, DIED, 0)
    page = begun.note_end(PageResult(number=1, reason=Reason.NEEDS_OCR, detail="install"), 2)
    assert (page.reason, page.detail) == (Reason.CRASHED, "died")


@pytest.mark.parametrize("task", [page_tasks.hang_in_full, page_tasks.die_in_full, page_tasks.eat_memory_in_full])
def test_a_page_that_cannot_be_read_in_full_is_read_plainly(
    pdfs: Path, out: Path, run_slice: RunSlice, task: page_tasks.Task
) -> None:
    long_pdf(pdfs / "a.pdf", 3)
    counts = run_slice(engine(task), page_seconds=2, memory_mib=512).counts
    assert counts.ok == 1
    assert lines(out)["a.pdf"].flagged_pages == [(2, "read_plainly")]


@pytest.mark.slow
def test_a_document_all_of_whose_pages_hang_does_not_hold_up_the_slice(
    pdfs: Path, out: Path, run_slice: RunSlice
) -> None:
    long_pdf(pdfs / "bomb.pdf", 40)
    long_pdf(pdfs / "fine.pdf", 2)
    began = time.monotonic()
    run_slice(engine(page_tasks.hang_in_bombs), page_seconds=1)
    told = lines(out)
    assert told["bomb.pdf"].failed_pages == [(number, Reason.TIMEOUT) for number in range(1, 41)]
    assert told["fine.pdf"].outcome == "ok"
    assert time.monotonic() - began < 30, "forty pages, three tries of a second each, would take a minute for two"

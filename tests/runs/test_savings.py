"""The savings of using text layers: the arithmetic, in tables."""

from __future__ import annotations

import pytest

from pdfbatch.documents.sandbox.children import Failure
from pdfbatch.records import ModelUse, PageResult, Reason, SourceDocument
from pdfbatch.runs.savings import Savings, savings, total, use_of
from pdfbatch.worker.tally import Tally
from pdfbatch.worker.work import MadeBy, SliceWork

PAGES = [
    PageResult(number=1, read_by="dolphin", tokens=800, model_seconds=4.0),
    PageResult(number=2, read_by="mixed", model_elements=1, tokens=100, model_seconds=0.5),
    PageResult(number=3, read_by="text"),
    PageResult(number=4, read_by="text", tokens=60, model_seconds=0.3),
    PageResult(number=5, read_by="blank"),
]
USE = ModelUse(elements=1, tokens=960, whole_tokens=800, seconds=4.8)


def test_the_models_work_counts_even_without_a_result() -> None:
    assert use_of(PAGES) == USE
    assert total([USE, USE, ModelUse()]) == ModelUse(elements=2, tokens=1920, whole_tokens=1600, seconds=9.6)
    assert (use_of([]), total([])) == (ModelUse(), ModelUse())


@pytest.mark.parametrize(
    ("read_by", "use", "saved"),
    [
        ({"dolphin": 1, "text": 3}, ModelUse(tokens=1000, whole_tokens=1000, seconds=10), (0.75, 30.0)),
        ({"dolphin": 1, "text": 1, "blank": 96}, ModelUse(tokens=1000, whole_tokens=1000, seconds=10), (0.5, 10.0)),
        ({"dolphin": 2, "mixed": 2}, ModelUse(tokens=3000, whole_tokens=2000, seconds=30), (0.25, 10.0)),
        ({"dolphin": 4}, ModelUse(tokens=4000, whole_tokens=4000, seconds=30), (0.0, 0.0)),
        ({"dolphin": 1, "mixed": 1}, ModelUse(tokens=5000, whole_tokens=1000, seconds=30), (0.0, 0.0)),
        ({"mixed": 5, "text": 5}, ModelUse(elements=5, tokens=900, seconds=3), None),
        ({"dolphin": 1, "text": 9}, ModelUse(), None),
        ({}, ModelUse(), None),
    ],
    ids=["layers", "blank pages", "elements", "all whole", "dear elements", "none whole", "no tokens", "nothing"],
)
def test_pages_not_read_whole_are_estimated_at_the_cost_of_whole_ones(
    read_by: dict[str, int], use: ModelUse, saved: tuple[float, float] | None
) -> None:
    expected = None if saved is None else Savings(share=saved[0], model_seconds=saved[1])
    assert savings(read_by, use) == expected


def test_the_price_of_an_instance_turns_saved_time_into_dollars() -> None:
    use = ModelUse(tokens=1000, whole_tokens=1000, seconds=3600)
    saved = savings({"dolphin": 1, "text": 2}, use, 0.25)
    assert saved == Savings(share=0.6667, model_seconds=7200.0, dollars=0.5)


def test_an_outcome_and_a_tally_report_the_models_work() -> None:
    work = SliceWork(SourceDocument("a.pdf", 100, "e"), 0.0)
    work.resume(len(PAGES), PAGES)
    outcome = work.outcome(MadeBy("auto", "m", 0), 1.0, "2026-01-01T12:00:00Z")
    assert outcome.model_use == USE
    before, here = Tally(), Tally()
    before.recall(outcome)
    for page in PAGES:
        here.page(page, 0.2, resumed=False)
    assert before.counts().model_use == here.counts().model_use == USE
    failed = work.failed(Failure(Reason.CORRUPT, "gone"), MadeBy("auto", "m", 0), 1.0, "2026-01-01T12:00:00Z")
    assert failed.model_use == ModelUse()

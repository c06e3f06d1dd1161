"""What triage does in a run: signals where `auto` decides, a verdict with each page, and which reading is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pymupdf
import pytest

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.reading import read_page
from pdfbatch.documents.sorting import Sorting
from pdfbatch.engines import engine_named
from pdfbatch.engines.base import PageOrder
from pdfbatch.engines.dolphin.page import PageWork
from pdfbatch.engines.dolphin.tasks import Prepared, Refine, prepare_page
from pdfbatch.engines.fallback import FallbackReader, is_doubtful
from pdfbatch.engines.second_reading import NOT_BETTER
from pdfbatch.errors import UsageError
from pdfbatch.records import (
    AFTER,
    BEFORE,
    EndpointOptions,
    PageResult,
    ReadOptions,
    Reason,
    Scorer,
    Triage,
    TriageVerdict,
)
from tests.documents.sample_pages import LINES, saved, scan_of, text_pdf
from tests.endpoint.test_fallback import Scripted, element, giving
from tests.triage.pages import scorer_of, triage_of

ALWAYS, NEVER = triage_of({}, bias=9.0), triage_of({}, bias=-9.0, unread=scorer_of({}, bias=-9.0))
ONLY_SCANS = triage_of({}, bias=-9.0, unread=scorer_of({}, bias=9.0))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return text_pdf(tmp_path_factory.mktemp("text") / "a.pdf")


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory, text: str) -> str:
    return saved(scan_of(pymupdf.open(text)), tmp_path_factory.mktemp("scan") / "a.pdf")


def page_of(path: str, sorting: Sorting = Sorting(ocr=False)) -> PageResult:  # noqa: B008  # immutable
    return read_page(path, 1, sorting).page


def test_a_page_leaves_its_signals_where_auto_decides(text: str, scan: str) -> None:
    good, picture = page_of(text).signals, page_of(scan).signals
    assert good and not good.needs_picture and good.before["letters"] > 0.4 and good.after["text"] > 0.4
    assert picture and picture.needs_picture and set(picture.before) == {"pictures", "no_layer"}
    assert picture.after == {}, "nothing has read it yet"
    for signals in (good, picture):
        assert set(signals.before) <= set(BEFORE) and set(signals.after) <= set(AFTER)
        assert all(0 < value <= 1 for value in {**signals.before, **signals.after}.values())


def test_the_same_page_has_the_same_signals_with_ocr_and_without_it(scan: str) -> None:
    read = page_of(scan, Sorting())
    assert read.reason is None and read.signals and read.signals.before == page_of(scan).signals.before  # type: ignore[union-attr]
    assert read.signals.after["ocr"] == read.signals.after["ocr_letters"] == 1.0


def test_a_scan_that_triage_finds_easy_is_read_by_ocr_and_another_left_to_the_model(scan: str) -> None:
    kept = page_of(scan, Sorting(False, NEVER, "auto"))
    left = page_of(scan, Sorting(False, ONLY_SCANS, "auto"))
    assert kept.read_by == "ocr" and kept.triage and not kept.triage.to_model
    assert left.reason is Reason.NEEDS_OCR and left.triage and left.triage.to_model


def prepared(path: str, triage: Triage | None, tmp_path: Path) -> PageRead | Refine | Prepared:
    return prepare_page(path, 1, ReadOptions(triage=triage), 200, str(tmp_path / "a.rgb"), True)


def test_auto_gives_a_page_of_good_text_to_the_model_if_triage_says_so(text: str, tmp_path: Path) -> None:
    asked, kept = prepared(text, ALWAYS, tmp_path), prepared(text, NEVER, tmp_path)
    assert isinstance(asked, Prepared) and asked.first and asked.first.page.triage
    assert LINES[0].split()[0] in asked.first.page.text, "and keeps what it read before"
    assert isinstance(kept, PageRead) and kept.page.read_by == "text"


def test_a_page_that_ocr_read_is_not_taken_apart_for_the_model(scan: str, tmp_path: Path) -> None:
    found = prepared(scan, NEVER, tmp_path)
    assert isinstance(found, PageRead) and found.page.read_by == "ocr"


def verdict(to_model: bool) -> TriageVerdict:
    return TriageVerdict(loss=0.6, threshold=0.5, to_model=to_model, why=["formulas"], by="t")


def result(text: str, score: float = 1.0, to_model: bool | None = None, **fields: object) -> PageRead:
    triage = None if to_model is None else verdict(to_model)
    elements = [element(text)] if text else []
    page = PageResult(number=1, score=score, elements=elements, triage=triage, **{"read_by": "text"} | fields)
    return PageRead(page)


def chosen(first: PageRead, second: PageRead, tmp_path: Path) -> PageResult:
    work = PageWork(0, PageOrder("a.pdf", 1), tmp_path / "a.rgb")
    work.prepared = Prepared("a.rgb", 1, 1, 72.0, None, first=first)  # type: ignore[arg-type]
    return work.chosen(second).page


def test_the_models_reading_is_kept_with_the_reason_why_it_was_asked(tmp_path: Path) -> None:
    found = chosen(result("first", to_model=True), result("second", read_by="dolphin", score=0.95), tmp_path)
    assert (found.text, found.triage) == ("second", verdict(True))


@pytest.mark.parametrize("second", [result("looped", reason=Reason.REPETITION), result("cut", score=0.5), result("")])
def test_if_the_model_fails_the_reading_without_it_is_kept(second: PageRead, tmp_path: Path) -> None:
    found = chosen(result("first", to_model=True), second, tmp_path)
    assert (found.text, found.flags, found.reason) == ("first", [NOT_BETTER], None)


def test_a_scan_that_the_model_cannot_read_fails_as_ever(tmp_path: Path) -> None:
    first = result("", to_model=True, reason=Reason.NEEDS_OCR)
    found = chosen(first, result("", reason=Reason.REPETITION), tmp_path)
    assert (found.reason, found.triage) == (Reason.REPETITION, verdict(True))


@pytest.mark.parametrize(
    ("page", "doubtful"),
    [
        (result("a", score=0.2, to_model=False), False),
        (result("a", score=1.0, to_model=True), True),
        (result("a", score=0.2, to_model=True, read_by="dolphin"), True),
        (result("a", score=1.0, to_model=True, read_by="dolphin"), False),
        (result("", to_model=False, reason=Reason.NEEDS_OCR), True),
    ],
    ids=["triage keeps it", "triage sends it", "the model's own is bad", "the model's own is good", "unread"],
)
def test_a_fallback_goes_by_triage_unless_a_model_has_read_the_page(page: PageRead, doubtful: bool) -> None:
    assert is_doubtful(page.page, 0.9) is doubtful


def test_a_fallback_keeps_the_verdict_and_takes_the_answer_that_triage_asked_for() -> None:
    second = giving(result("second", score=1.0, read_by="endpoint"))
    found = FallbackReader(giving(result("first", to_model=True)), second, 0.9).read(PageOrder("a.pdf", 1)).result()
    assert (found.page.text, found.page.triage) == ("second", verdict(True))
    idle: Scripted = giving(result("second"))
    FallbackReader(giving(result("first", score=0.1, to_model=False)), idle, 0.9).read(PageOrder("a.pdf", 1)).result()
    assert idle.asked == []


@pytest.mark.parametrize(("engine", "fallback"), [("cpu", ""), ("null", ""), ("endpoint", ""), ("command", "")])
def test_an_engine_without_a_choice_refuses_a_triage(engine: str, fallback: str) -> None:
    endpoint = EndpointOptions(url="http://localhost/v1", model="m")
    options = ReadOptions(endpoint=endpoint, fallback=fallback, triage=ALWAYS)
    with pytest.raises(UsageError, match="no pages to sort") as refused:
        engine_named(engine, options=options)
    assert "--fallback endpoint" in refused.value.hint
    assert engine_named("cpu", options=options.model_copy(update={"fallback": "endpoint"})).name == "cpu"


def test_a_scorer_is_asked_only_for_what_it_was_trained_for(scan: str) -> None:
    strict: Callable[[Scorer | None], Triage] = lambda unread: triage_of({}, bias=-9.0, unread=unread)  # noqa: E731
    assert page_of(scan, Sorting(False, strict(None), "auto")).reason is Reason.NEEDS_OCR

"""A second reading of doubtful pages: which pages, and which reading is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines import engine_named
from pdfbatch.engines.base import PageOrder
from pdfbatch.engines.fallback import FallbackReader, better, is_doubtful, with_figures
from pdfbatch.engines.refine import Wanted
from pdfbatch.engines.second_reading import NOT_BETTER
from pdfbatch.errors import NotReady, UsageError
from pdfbatch.records import (
    Element,
    EndpointOptions,
    EndpointUse,
    Label,
    PageResult,
    ReadOptions,
    Reason,
    plain_text,
)

ORDER = PageOrder("a.pdf", 1)


def element(text: str, label: Label = Label.PARAGRAPH, figure: str = "", source: str = "ocr") -> Element:
    return Element(label=label, box=(0, 0, 1, 1), spans=plain_text(text), figure=figure, source=source)


def read(score: float, text: str = "first", reason: Reason | None = None, **more: Any) -> PageRead:
    elements = [element(text)] if text else []
    return PageRead(PageResult(number=1, score=score, reason=reason, elements=elements, **more))


class Scripted:
    """A reader whose pages end as they are told to."""

    pages_ahead = 3

    def __init__(self, end: Callable[[Future[PageRead]], None]) -> None:
        self._end = end
        self.asked: list[PageOrder] = []
        self.is_drained = False
        self.refined: Sequence[Wanted] = ()

    def read(self, order: PageOrder) -> Future[PageRead]:
        self.asked.append(order)
        future: Future[PageRead] = Future()
        self._end(future)
        return future

    def refine(self, order: PageOrder, _read: PageRead, asked: Sequence[Wanted]) -> Future[PageRead]:
        self.refined = asked
        return self.read(order)

    def drain(self) -> None:
        self.is_drained = True


def giving(result: PageRead) -> Scripted:
    return Scripted(lambda future: future.set_result(result))


def raising(error: Exception) -> Scripted:
    return Scripted(lambda future: future.set_exception(error))


@pytest.mark.parametrize(
    ("score", "reason", "doubtful"),
    [
        (0.95, None, False),
        (0.85, None, True),
        (1.0, Reason.NEEDS_OCR, True),
        (1.0, Reason.REPETITION, True),
        (1.0, Reason.OUT_OF_MEMORY, True),
        (1.0, Reason.CORRUPT, False),
        (1.0, Reason.TOO_LARGE, False),
    ],
)
def test_doubtful_is_what_scored_low_or_what_another_engine_may_read(
    score: float, reason: Reason | None, doubtful: bool
) -> None:
    assert is_doubtful(read(score, reason=reason).page, 0.9) is doubtful


def test_good_pages_are_not_read_twice() -> None:
    second = giving(read(1.0))
    found = FallbackReader(giving(read(0.95)), second, 0.9).read(ORDER).result()
    assert found.page.text == "first" and second.asked == []


FORMULA = element("n = 41 7", Label.FORMULA, source="layer")


@pytest.mark.parametrize(
    ("elements", "refines", "asked"),
    [
        ([element("a"), FORMULA], True, [Wanted(0, "text"), Wanted(1, "formula")]),
        ([element("a", source="layer")], True, []),
        ([FORMULA.model_copy(update={"source": "dolphin"})], True, []),
        ([FORMULA], False, []),
    ],
    ids=["what needs a model", "nothing does", "a model has read it", "nobody wants it"],
)
def test_of_good_pages_the_elements_that_need_a_model_are_read_if_that_is_wanted(
    elements: list[Element], refines: bool, asked: list[Wanted]
) -> None:
    good = PageRead(PageResult(number=1, elements=elements))
    second = giving(read(0.5, "refined"))
    found = FallbackReader(giving(good), second, 0.9, refines).read(ORDER).result()
    assert list(second.refined) == asked
    assert found.page.text == ("refined" if asked else good.page.text)


def test_a_page_on_its_second_attempt_is_not_read_twice_either() -> None:
    second = giving(read(1.0))
    FallbackReader(giving(read(0.1)), second, 0.9).read(ORDER._replace(attempt=1)).result()
    assert second.asked == []


def test_the_better_reading_is_kept_with_the_cost_of_both() -> None:
    use = EndpointUse(answers=1, tokens_in=10, tokens_out=5, dollars=0.1)
    first = read(0.4, tokens=7)
    found = better(first, read(1.0, "second", read_by="endpoint", endpoint=use)).page
    assert (found.text, found.read_by, found.tokens, found.endpoint) == ("second", "endpoint", 7, use)


@pytest.mark.parametrize(
    "second",
    [
        read(0.0, "looped", Reason.REPETITION),
        read(0.3, "cut"),
        read(1.0, ""),
        read(1.0, "", Reason.ENGINE_ERROR),
    ],
)
def test_a_second_reading_that_is_no_better_leaves_the_first_with_a_flag(second: PageRead) -> None:
    use = EndpointUse(answers=2, dollars=0.2)
    second = second._replace(page=second.page.model_copy(update={"endpoint": use}))
    found = better(read(0.4), second).page
    assert (found.text, found.flags, found.endpoint) == ("first", [NOT_BETTER], use)


def test_a_page_that_only_the_second_could_read_is_its_page() -> None:
    assert better(read(1.0, "", Reason.NEEDS_OCR), read(0.5, "cut")).page.text == "cut"


def test_no_picture_of_a_figure_is_lost() -> None:
    pictured = [element("", Label.FIGURE, "one.png"), element("b"), element("", Label.FIGURE, "two.png")]
    answered = [element("A harbour", Label.FIGURE), element("text")]
    found = with_figures(answered, pictured)
    assert [(each.figure, each.text) for each in found] == [("one.png", "A harbour"), ("", "text"), ("two.png", "")]


def test_if_the_second_child_dies_the_first_reading_is_kept() -> None:
    found = FallbackReader(giving(read(0.4)), raising(RuntimeError("died")), 0.9).read(ORDER).result()
    assert (found.page.text, found.page.flags) == ("first", [NOT_BETTER])


def test_if_the_second_cannot_go_on_the_run_ends() -> None:
    reader = FallbackReader(giving(read(0.4)), raising(NotReady("401", "hint")), 0.9)
    with pytest.raises(NotReady):
        reader.read(ORDER).result()


def test_if_the_first_child_dies_the_page_is_retried_as_ever() -> None:
    second = giving(read(1.0))
    with pytest.raises(RuntimeError):
        FallbackReader(raising(RuntimeError("died")), second, 0.9).read(ORDER).result()
    assert second.asked == []


def test_after_a_stop_a_doubtful_page_is_left_for_the_next_worker() -> None:
    first, second = giving(read(0.4)), giving(read(1.0))
    reader = FallbackReader(first, second, 0.9)
    reader.drain()
    assert reader.read(ORDER).cancelled()
    assert first.is_drained and second.is_drained and second.asked == []


@pytest.mark.parametrize("engine", ["null", "endpoint"])
def test_engines_without_doubt_have_no_fallback(engine: str) -> None:
    options = ReadOptions(endpoint=EndpointOptions(url="http://localhost/v1", model="m"), fallback="endpoint")
    with pytest.raises(UsageError, match="no fallback"):
        engine_named(engine, options=options)
    assert engine_named("cpu", options=options).name == "cpu"
    with pytest.raises(UsageError, match="not named"):
        engine_named("cpu", options=ReadOptions(fallback="endpoint"))

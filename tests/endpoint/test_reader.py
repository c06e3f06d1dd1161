"""The reader between its children and an endpoint that hangs, or is silent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import pytest

from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines.base import PageOrder
from pdfbatch.engines.endpoint.answer import Answer, Trouble
from pdfbatch.engines.endpoint.asking import Outside
from pdfbatch.engines.endpoint.client import Client
from pdfbatch.engines.endpoint.reader import EndpointReader
from pdfbatch.engines.endpoint.request import ELEMENT_PROMPTS
from pdfbatch.engines.endpoint.tasks import parse, parse_elements
from pdfbatch.engines.refine import wanted
from pdfbatch.errors import NotReady
from pdfbatch.records import Element, EndpointOptions, Label, PageResult, ReadOptions, plain_text
from tests.endpoint import cards

OPTIONS = EndpointOptions(url="http://localhost/v1", model="m", side=400, most_requests=3)


class InlineChildren:
    """Runs every task at once, in this process."""

    processes = 2

    def submit(self, _seconds: float, task: Callable[..., Any], *given: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(task(*given))
        except Exception as error:
            done.set_exception(error)
        return done


class ParserDies(InlineChildren):
    def submit(self, seconds: float, task: Callable[..., Any], *given: Any) -> Future[Any]:
        if task in (parse, parse_elements):
            dead: Future[Any] = Future()
            dead.set_exception(TimeoutError("killed"))
            return dead
        return super().submit(seconds, task, *given)


class ScriptedClient:
    """Answers as `say` does, after `go` is set."""

    def __init__(self, say: Callable[[int], Answer | Trouble]) -> None:
        self.prompts: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self._say = say
        self.asked: list[float] = []
        self.has_begun = threading.Semaphore(0)

    def ask(self, _png: bytes, prompt: str, temperature: float, _seconds: float) -> Answer | Trouble:
        self.prompts.append(prompt)
        self.asked.append(temperature)
        number = len(self.asked)
        self.has_begun.release()
        self.go.wait(60)
        return self._say(number)

    def check(self, must_answer: bool) -> None: ...

    def refusal(self, trouble: Trouble) -> NotReady:
        return NotReady(trouble.detail, "hint")

    def close(self) -> None: ...


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    return cards.make_pdf(tmp_path / "a.pdf", list(range(1, 9)))


def reader_of(
    client: Client,
    folder: Path,
    outside: Outside | None = None,
    most_requests: int = 3,
    children: Any = InlineChildren(),  # noqa: B008  # has no state
    **options: Any,
) -> EndpointReader:
    given = outside or Outside(dice=lambda: 0.0)
    endpoint = OPTIONS.model_copy(update={"most_requests": most_requests})
    return EndpointReader(client, endpoint, children, ReadOptions(**options), folder, given)


def page_of(future: Future[Any]) -> PageResult:
    page: PageResult = future.result(timeout=60).page
    return page


def test_pages_are_read_and_what_they_cost_is_counted(pdf: Path, tmp_path: Path) -> None:
    client = ScriptedClient(lambda number: Answer(f"# Answer {number}", "whole", 900, 20))
    with reader_of(client, tmp_path) as reader:
        pages = [page_of(reader.read(PageOrder(str(pdf), number))) for number in range(1, 4)]
    assert [page.number for page in pages] == [1, 2, 3]
    assert {(page.read_by, page.score, page.endpoint.tokens_in, page.endpoint.answers) for page in pages} == {
        ("endpoint", 1.0, 900, 1)
    }
    assert (pages[0].width, pages[0].height) == (cards.WIDTH, cards.HEIGHT)
    assert list(tmp_path.glob("*.endpoint")) == []


def test_a_loop_is_asked_for_once_more_and_both_answers_are_paid(pdf: Path, tmp_path: Path) -> None:
    client = ScriptedClient(lambda _number: Answer("round", "looped", 900, 8000))
    with reader_of(client, tmp_path) as reader:
        page = page_of(reader.read(PageOrder(str(pdf), 1)))
    assert (page.reason, page.score, page.text) == ("repetition", 0.0, "round")
    assert client.asked == [0.0, 0.5]
    assert page.endpoint.answers == 2 and page.endpoint.tokens_out == 16_000


def test_a_failed_page_tells_what_its_useless_answers_cost(pdf: Path, tmp_path: Path) -> None:
    said = [Answer("", "whole", 900, 0), Trouble("broken", "no JSON")]
    client = ScriptedClient(lambda number: said[number - 1])
    with reader_of(client, tmp_path, max_retries=0) as reader:
        page = page_of(reader.read(PageOrder(str(pdf), 1)))
    assert (page.reason, page.detail, page.endpoint.answers) == ("engine_error", "no JSON", 1)


def test_tokens_that_nobody_counted_are_estimated(pdf: Path, tmp_path: Path) -> None:
    with reader_of(ScriptedClient(lambda _number: Answer("word " * 30)), tmp_path) as reader:
        use = page_of(reader.read(PageOrder(str(pdf), 1))).endpoint
    assert use.uncounted == 1 and use.tokens_in > 100 and use.tokens_out == 50


def test_an_endpoint_that_refuses_ends_all_pages_with_its_reason(pdf: Path, tmp_path: Path) -> None:
    with reader_of(ScriptedClient(lambda _number: Trouble("fatal", "401")), tmp_path) as reader:
        futures = [reader.read(PageOrder(str(pdf), number)) for number in range(1, 6)]
        for future in futures:
            with pytest.raises(NotReady, match="401"):
                future.result(timeout=60)
        with pytest.raises(NotReady, match="401"):
            reader.read(PageOrder(str(pdf), 6)).result(timeout=60)


def test_an_endpoint_that_answers_nothing_for_long_is_given_up(pdf: Path, tmp_path: Path) -> None:
    hours = iter(range(10_000))
    outside = Outside(clock=lambda: 3600.0 * next(hours), dice=lambda: 0.0)
    client = ScriptedClient(lambda _number: Trouble("broken", "500"))
    with reader_of(client, tmp_path, outside, max_retries=50) as reader:
        futures = [reader.read(PageOrder(str(pdf), number)) for number in range(1, 4)]
        for future in futures:
            with pytest.raises(NotReady, match="it has answered nothing for 300 s"):
                future.result(timeout=60)
    assert 5 <= len(client.asked) <= 8


def test_a_drain_waits_for_what_is_at_the_endpoint_and_leaves_the_rest(pdf: Path, tmp_path: Path) -> None:
    client = ScriptedClient(lambda number: Answer(f"Answer {number}"))
    client.go.clear()
    with reader_of(client, tmp_path) as reader:
        futures = [reader.read(PageOrder(str(pdf), number)) for number in range(1, 7)]
        for _ in range(2):
            client.has_begun.acquire(timeout=60)
        reader.drain()
        client.go.set()
        done = [number for number, future in enumerate(futures, 1) if not _is_left(future)]
    assert 2 <= len(done) <= 3, "the first limit is 2; a third thread may have had its page already"
    assert len(client.asked) == len(done)


def test_the_end_does_not_wait_for_a_request_that_hangs(pdf: Path, tmp_path: Path) -> None:
    client = ScriptedClient(lambda _number: Answer("late"))
    client.go.clear()
    with reader_of(client, tmp_path) as reader:
        future = reader.read(PageOrder(str(pdf), 1))
        client.has_begun.acquire(timeout=60)
    assert future.cancelled()
    client.go.set()


PAGE = PageRead(
    PageResult(
        number=1,
        width=cards.WIDTH,
        height=cards.HEIGHT,
        read_by="text",
        seconds=2.0,
        elements=[
            Element(label=Label.PARAGRAPH, box=(40, 90, 250, 105), spans=plain_text("Plain words.")),
            Element(label=Label.FORMULA, box=(40, 110, 250, 125), spans=plain_text("n = 41 7")),
            Element(label=Label.FORMULA, box=(40, 130, 250, 145), spans=plain_text("m = 1")),
            Element(label=Label.FORMULA, box=(10, 10, 11, 11), spans=plain_text("tiny")),
        ],
    )
)


def test_elements_of_a_page_are_read_and_put_in_their_places(pdf: Path, tmp_path: Path) -> None:
    said = {1: Answer(r"n = \frac{41}{7}", "whole", 90, 9), 2: Trouble("page", "refused")}
    client = ScriptedClient(lambda number: said[number])
    with reader_of(client, tmp_path, most_requests=1) as reader:
        page = page_of(reader.refine(PageOrder(str(pdf), 1), PAGE, wanted(PAGE.page.elements)))
    assert [(each.text, each.source, each.flags) for each in page.elements] == [
        ("Plain words.", "layer", []),
        (r"n = \frac{41}{7}", "endpoint", []),
        ("m = 1", "layer", ["model_failed"]),
        ("tiny", "layer", []),
    ]
    assert (page.read_by, page.model_elements, page.endpoint.answers, page.endpoint.tokens_in) == ("mixed", 1, 1, 90)
    assert page.seconds >= 2.0 and page.reason is None
    assert client.prompts == [ELEMENT_PROMPTS["formula"]] * 2


def test_if_their_parser_dies_the_layers_text_stays_and_the_answers_are_paid(pdf: Path, tmp_path: Path) -> None:
    client = ScriptedClient(lambda _number: Answer("x", "whole", 90, 9))
    with reader_of(client, tmp_path, children=ParserDies()) as reader:
        page = page_of(reader.refine(PageOrder(str(pdf), 1), PAGE, wanted(PAGE.page.elements)))
    assert page.text == PAGE.page.text and page.endpoint.answers == 2
    assert [each.flags for each in page.elements] == [[], ["model_empty"], ["model_empty"], []]


def test_if_the_parser_of_a_page_dies_it_fails_and_is_not_paid_twice(pdf: Path, tmp_path: Path) -> None:
    client = ScriptedClient(lambda _number: Answer("x", "whole", 90, 9))
    with reader_of(client, tmp_path, children=ParserDies()) as reader:
        page = page_of(reader.read(PageOrder(str(pdf), 1)))
    assert (page.reason, page.endpoint.answers, len(client.asked)) == ("timeout", 1, 1)


def test_elements_of_a_page_that_is_drawn_otherwise_stay_as_they_are(pdf: Path, tmp_path: Path) -> None:
    turned = PAGE._replace(page=PAGE.page.model_copy(update={"rotation": 90}))
    client = ScriptedClient(lambda _number: Answer("never"))
    with reader_of(client, tmp_path) as reader:
        page = page_of(reader.refine(PageOrder(str(pdf), 1), turned, wanted(turned.page.elements)))
    assert page.elements == turned.page.elements and client.asked == []


def test_an_endpoint_that_refuses_an_element_for_good_ends_the_run(pdf: Path, tmp_path: Path) -> None:
    with reader_of(ScriptedClient(lambda _number: Trouble("fatal", "401")), tmp_path) as reader:
        future = reader.refine(PageOrder(str(pdf), 1), PAGE, wanted(PAGE.page.elements))
        with pytest.raises(NotReady, match="401"):
            future.result(timeout=60)


def test_a_page_that_cannot_be_drawn_and_a_blank_one_are_not_sent(tmp_path: Path) -> None:
    import pymupdf

    with pymupdf.open() as document:
        document.new_page()
        document.save(tmp_path / "blank.pdf")
    client = ScriptedClient(lambda _number: Answer("never"))
    with reader_of(client, tmp_path) as reader:
        assert page_of(reader.read(PageOrder(str(tmp_path / "blank.pdf"), 1))).read_by == "blank"
        assert page_of(reader.read(PageOrder(str(tmp_path / "none.pdf"), 1))).reason is not None
    assert client.asked == []


def _is_left(future: Future[Any]) -> bool:
    try:
        future.result(timeout=60)
    except CancelledError:
        return True
    return False

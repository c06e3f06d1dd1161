"""Requests over real HTTP to a server that refuses, breaks off, and lies."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pdfbatch.engines.endpoint.answer import Answer, Trouble
from pdfbatch.engines.endpoint.client import MOST_BYTES, HttpClient
from pdfbatch.errors import NotReady
from pdfbatch.records import EndpointOptions
from tests.endpoint import cards
from tests.endpoint.server import KEY, MODEL, FakeEndpoint, Order, fake_endpoint, refusing, text_of

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with fake_endpoint() as server:
        yield server


@pytest.fixture(scope="module")
def png(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    import pymupdf

    path = cards.make_pdf(tmp_path_factory.mktemp("card") / "a.pdf", [42])
    with pymupdf.open(path) as document:
        data: bytes = document[0].get_pixmap(dpi=150).tobytes("png")
    return data


def client_of(endpoint: FakeEndpoint, model: str = MODEL, key: str = KEY, **options: Any) -> HttpClient:
    return HttpClient(EndpointOptions(url=endpoint.url, model=model, **options), key, lambda: NOW, time.monotonic)


def asked(client: HttpClient, png: bytes = b"", seconds: float = 20.0) -> Answer | Trouble:
    return client.ask(png, "Read.", 0.0, seconds)


def test_a_picture_and_the_prompt_are_sent_and_the_answer_is_taken(endpoint: FakeEndpoint, png: bytes) -> None:
    endpoint.keys = [KEY]
    assert asked(client_of(endpoint), png) == Answer(text_of(42), "whole", 1000, 50, MODEL)
    (request,) = endpoint.asked
    assert request["messages"][0]["content"][1] == {"type": "text", "text": "Read."}
    assert (request["model"], request["max_tokens"], request["temperature"], request["stream"]) == (
        MODEL,
        8192,
        0.0,
        False,
    )


def test_a_model_that_wants_other_parameters_gets_them_from_then_on(endpoint: FakeEndpoint, png: bytes) -> None:
    def picky(request: dict[str, Any]) -> Order | None:
        if "max_tokens" in request:
            return refusing(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        if "temperature" in request:
            return refusing(400, "Unsupported value: 'temperature' does not support 0.0 with this model.")
        return None

    endpoint.always = picky
    client = client_of(endpoint)
    assert all(isinstance(asked(client, png), Answer) for _ in range(2))
    assert ["temperature" in request for request in endpoint.asked] == [True, True, False, False]
    assert endpoint.asked[-1]["max_completion_tokens"] == 8192


def test_a_bad_request_about_anything_else_is_the_pages_fault(endpoint: FakeEndpoint) -> None:
    endpoint.orders = [refusing(400, "image too large")]
    found = asked(client_of(endpoint))
    assert isinstance(found, Trouble) and (found.blame, found.status) == ("page", 400)


def test_a_busy_server_says_how_long_to_wait(endpoint: FakeEndpoint) -> None:
    endpoint.orders = [refusing(429, "slow down", Retry_After="7")]
    found = asked(client_of(endpoint))
    assert isinstance(found, Trouble) and (found.blame, found.wait) == ("busy", 7.0)


def test_a_connection_that_is_reset_may_be_tried_again(endpoint: FakeEndpoint) -> None:
    endpoint.orders = [Order(reset=True)]
    found = asked(client_of(endpoint))
    assert isinstance(found, Trouble) and found.blame == "broken"


def test_a_server_that_is_not_there_is_busy_and_one_that_is_silent_is_late() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        options = EndpointOptions(url=f"http://127.0.0.1:{silent.getsockname()[1]}/v1", model=MODEL)
        client = HttpClient(options, "", lambda: NOW, time.monotonic)
        found = client.ask(b"", "", 0.0, 0.2)
        assert isinstance(found, Trouble) and found.blame == "late"
    found = client.ask(b"", "", 0.0, 5)
    assert isinstance(found, Trouble) and found.blame == "busy"
    with pytest.raises(NotReady, match="cannot be reached"):
        client.check(must_answer=True)
    client.check(must_answer=False)


def test_an_answer_without_end_is_not_read_to_its_end(endpoint: FakeEndpoint) -> None:
    endpoint.orders = [Order(body=b'"' + b"a" * (MOST_BYTES + 100_000) + b'"')]
    found = asked(client_of(endpoint))
    assert isinstance(found, Trouble) and "MiB" in found.detail


def test_a_redirect_is_not_followed_because_the_key_would_go_with_it(endpoint: FakeEndpoint, png: bytes) -> None:
    with fake_endpoint() as elsewhere:
        endpoint.orders = [Order(307, {"Location": f"{elsewhere.url}/chat/completions"}, b"")]
        found = asked(client_of(endpoint), png)
        assert isinstance(found, Trouble) and found.blame == "fatal"
        assert elsewhere.asked == []


def test_an_error_that_repeats_the_key_is_shown_without_it(endpoint: FakeEndpoint) -> None:
    endpoint.orders = [refusing(401, f"Incorrect API key provided: {KEY}"), Order(body=f"<p>{KEY}</p>".encode())]
    client = client_of(endpoint)
    for _ in range(2):
        found = asked(client)
        assert isinstance(found, Trouble) and KEY not in found.detail + found.said
    error = client.refusal(found)
    assert KEY not in error.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keys": ["another"]}, "401"),
        ({"models": ["tiny/text", "huge/vision"]}, "has no model 'tiny/vision'"),
    ],
)
def test_an_endpoint_is_checked_before_there_is_any_work(
    endpoint: FakeEndpoint, change: dict[str, Any], words: str
) -> None:
    for name, value in change.items():
        setattr(endpoint, name, value)
    for must_answer in (True, False):
        with pytest.raises(NotReady, match=words) as error:
            client_of(endpoint).check(must_answer)
        assert error.value.hint and KEY not in error.value.message
    assert endpoint.asked == []


def test_a_model_that_the_endpoint_does_not_list_is_named_beside_those_it_does(endpoint: FakeEndpoint) -> None:
    endpoint.models = ["tiny/vision-2", "other"]
    client_of(endpoint).check(must_answer=True)  # the same name with an addition
    with pytest.raises(NotReady) as error:
        client_of(endpoint, model="othr").check(must_answer=True)
    assert "Did you mean 'other'" in error.value.hint and "tiny/vision-2" in error.value.hint


def test_a_web_site_is_no_endpoint(endpoint: FakeEndpoint) -> None:
    found = HttpClient(EndpointOptions(url=endpoint.url, model=MODEL), "", lambda: NOW, time.monotonic)
    endpoint.models = []
    found.check(must_answer=True)  # an empty list says nothing
    endpoint.page = json.dumps("Welcome").encode()
    with pytest.raises(NotReady, match="does not answer as OpenAI's API does"):
        found.check(must_answer=True)

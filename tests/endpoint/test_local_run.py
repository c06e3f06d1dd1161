"""`pdfbatch local-run --engine endpoint` against a server that is honest, slow, refuses, loops, truncates and lies."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pymupdf
import pytest

from tests.dolphin import layered
from tests.endpoint import cards
from tests.endpoint.server import (
    KEY,
    MODEL,
    FakeEndpoint,
    Order,
    fake_endpoint,
    refusing,
    saying,
    text_of,
)
from tests.program import Ended, Program

pytestmark = pytest.mark.slow

TABLE = '<table><tr><td colspan="2">Waves</td></tr><tr><td>dawn</td><td>41</td></tr></table>'
GIBBERISH = "round and on " * 3000


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with fake_endpoint() as server:
        server.keys = [KEY]
        yield server


@pytest.fixture
def pdfs(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def words(pdfs: Path, out: Path, endpoint: FakeEndpoint, *more: str) -> list[str]:
    engine = [] if "--fallback" in more else ["--engine", "endpoint"]
    address = ["--endpoint-url", endpoint.url, "--endpoint-model", MODEL, "--endpoint-side", "400"]
    return ["local-run", str(pdfs), str(out), *engine, *address, "--json", *more]


def number_of(request: dict[str, Any]) -> int:
    url = next(part["image_url"]["url"] for part in request["messages"][0]["content"] if part["type"] != "text")
    return cards.number_in(base64.b64decode(url.partition(",")[2]))


def report_of(ended: Ended) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def expected(*numbers: int) -> str:
    return "\n\n".join(f"<!-- page {place} -->\n\n{text_of(number)}" for place, number in enumerate(numbers, 1)) + "\n"


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def everything_in(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_pages_are_read_from_their_pictures_alone_and_the_key_is_nowhere(
    endpoint: FakeEndpoint, pdfs: Path, out: Path, pdfbatch: Program
) -> None:
    cards.make_pdf(pdfs / "a.pdf", [1, 2, 255])
    release = threading.Event()
    endpoint.always = lambda _request: Order(wait_for=release)
    command = [sys.executable, "-m", "pdfbatch.cli", *words(pdfs, out, endpoint, "--endpoint-price", "2,20", "-v")]
    environment = os.environ | {"PDFBATCH_ENDPOINT_KEY": KEY, "PDFBATCH_EVENTS_KEY": KEY}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        wait_until(lambda: len(endpoint.asked) >= 2)
        family = psutil.Process(run.pid).children(recursive=True)
        assert len(family) >= 2
        for process in [psutil.Process(run.pid), *family]:
            assert KEY not in " ".join(process.cmdline())
        for process in family:
            assert KEY not in process.environ().values(), "children do not even have the key"
        release.set()
        stdout, stderr = run.communicate(timeout=120)
    assert run.returncode == 0, stderr
    assert (out / "a.md").read_text() == expected(1, 2, 255)
    use = json.loads(stdout)["pages"]["model_use"]["endpoint"]
    assert use == {"answers": 3, "tokens_in": 3000, "tokens_out": 150, "uncounted": 0, "dollars": 0.009}
    assert KEY.encode() not in everything_in(out) and KEY not in stdout + stderr
    told = pdfbatch("report", out).stdout
    assert "3 answers, 3,000 tokens read, 150 written, $0.009" in told
    assert json.loads(stdout)["model"] == MODEL


def test_a_server_that_refuses_breaks_off_and_lies_for_a_while_loses_no_page(
    endpoint: FakeEndpoint, pdfs: Path, out: Path, pdfbatch: Program
) -> None:
    endpoint.orders = [
        refusing(429, "slow down", Retry_After="0"),
        refusing(503, "Loading model"),
        Order(reset=True),
        Order(body=b"<!DOCTYPE html><title>Gateway</title>"),
        Order(change=lambda answer: answer | {"choices": []}),
        refusing(500, "CUDA error"),
        Order(change=lambda answer: answer | {"usage": None, "model": "another/model"}),
    ]
    numbers = list(range(10, 22))
    cards.make_pdf(pdfs / "a.pdf", numbers)
    ended = pdfbatch(*words(pdfs, out, endpoint, "--max-retries", "6"), PDFBATCH_ENDPOINT_KEY=KEY)
    assert ended.returncode == 0, ended.stderr
    assert (out / "a.md").read_text() == expected(*numbers)
    assert report_of(ended)["pages"]["model_use"]["endpoint"]["uncounted"] == 1
    flags = [page.get("flags", []) for page in json.loads((out / "a.json").read_text())["pages"]]
    assert sorted(flags)[-1] == ["other_model"] and flags.count([]) == len(numbers) - 1
    assert endpoint.most_under_way <= 32


def test_what_loops_is_cut_short_empty_or_refused_is_said_page_by_page(
    endpoint: FakeEndpoint, pdfs: Path, out: Path, pdfbatch: Program
) -> None:
    orders = {
        1: saying(f"It went {GIBBERISH}", "length"),
        2: saying("It ends in the middle of", "length"),
        3: saying(""),
        4: saying(None, "content_filter"),
        5: refusing(400, "the image is too large"),
        6: saying("```markdown\n# Fenced\n```"),
        7: saying("[no text]"),
    }
    endpoint.always = lambda request: orders.get(number_of(request))
    cards.make_pdf(pdfs / "a.pdf", list(range(1, 9)))
    ended = pdfbatch(*words(pdfs, out, endpoint), PDFBATCH_ENDPOINT_KEY=KEY)
    assert ended.returncode == 3, ended.stderr
    pages = {page["number"]: page for page in json.loads((out / "a.json").read_text())["pages"]}
    told = {number: (page.get("reason"), page.get("flags"), page.get("score")) for number, page in pages.items()}
    assert told == {
        1: ("repetition", ["looped"], 0.0),
        2: (None, ["truncated"], 0.5),
        3: (None, ["empty"], 0.0),
        4: ("engine_error", None, None),
        5: ("engine_error", None, None),
        6: (None, None, None),
        7: (None, None, None),
        8: (None, None, None),
    }
    markdown = (out / "a.md").read_text()
    assert markdown.startswith("<!-- page 1: repetition -->\n\nIt went round and on")
    assert markdown.count("round and on") < 5 and "# Fenced" in markdown and "```" not in markdown
    asked = [number_of(request) for request in endpoint.asked]
    assert {number: asked.count(number) for number in range(1, 9)} == {1: 2, 2: 1, 3: 2, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1}


def test_a_key_that_is_refused_ends_the_run_before_it_begins_or_in_its_middle(
    endpoint: FakeEndpoint, pdfs: Path, out: Path, pdfbatch: Program
) -> None:
    for name in "abcdef":
        cards.make_pdf(pdfs / f"{name}.pdf", [ord(name)])
    command = words(pdfs, out, endpoint, "--endpoint-requests", "1", "--processes", "1")
    ended = pdfbatch(*command, PDFBATCH_ENDPOINT_KEY="sk-wrong")
    assert ended.returncode == 4 and "401" in report_of(ended)["error"]["message"]
    assert "PDFBATCH_ENDPOINT_KEY" in report_of(ended)["error"]["hint"]
    assert not out.exists() and endpoint.asked == []

    def revoke(_request: dict[str, Any]) -> Order | None:
        return refusing(401, f"Key {KEY} was revoked") if len(endpoint.asked) > 2 else None

    endpoint.always = revoke
    ended = pdfbatch(*command, PDFBATCH_ENDPOINT_KEY=KEY)
    assert ended.returncode == 4 and "was revoked" in report_of(ended)["error"]["message"]
    assert KEY not in ended.stdout + ended.stderr and KEY.encode() not in everything_in(out)
    done = len(list(out.glob("*.md")))
    endpoint.always, endpoint.asked = (lambda _request: None), []
    ended = pdfbatch(*command, PDFBATCH_ENDPOINT_KEY=KEY)
    assert ended.returncode == 0, ended.stderr
    assert len(list(out.glob("*.md"))) == 6 and len(endpoint.asked) == 6 - done


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_was_killed_or_stopped_resumes_without_asking_twice(
    endpoint: FakeEndpoint, pdfs: Path, out: Path, how: signal.Signals, pdfbatch: Program
) -> None:
    for number in range(16):
        cards.make_pdf(pdfs / f"{number:02}.pdf", [number])
    release = threading.Event()
    endpoint.always = lambda _request: Order(wait_for=release) if len(endpoint.asked) > 8 else None
    command = [sys.executable, "-m", "pdfbatch.cli", *words(pdfs, out, endpoint)]
    environment = os.environ | {"PDFBATCH_ENDPOINT_KEY": KEY}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as run:
        wait_until(lambda: len(list(out.glob("*.md"))) >= 4 and len(endpoint.asked) > 8)
        run.send_signal(how)
        if how is signal.SIGTERM:
            release.set()  # what is at the endpoint is waited for
        _, stderr = run.communicate(timeout=120)
    assert run.returncode == (130 if how is signal.SIGTERM else -how), stderr
    release.set()
    before = {path.stem for path in out.glob("*.md")}
    asked = {number_of(request) for request in endpoint.asked}
    endpoint.always, endpoint.asked = (lambda _request: None), []
    ended = pdfbatch(*words(pdfs, out, endpoint), PDFBATCH_ENDPOINT_KEY=KEY)
    assert ended.returncode == 0, ended.stderr
    assert report_of(ended)["documents"]["ok"] == 16
    again = [number_of(request) for request in endpoint.asked]
    assert sorted(again) == sorted(set(range(16)) - {int(name) for name in before})
    if how is signal.SIGTERM:
        assert not asked & set(again), "every page that was asked for before the stop was saved"


def test_the_cap_on_cost_stops_the_run_and_a_higher_one_resumes_it(
    endpoint: FakeEndpoint, pdfs: Path, out: Path, pdfbatch: Program
) -> None:
    for number in range(12):
        cards.make_pdf(pdfs / f"{number:02}.pdf", [number])
    command = words(pdfs, out, endpoint, "--endpoint-price", "1,10", "--endpoint-requests", "1", "--processes", "1")
    ended = pdfbatch(*command, "--max-cost", "0.005", PDFBATCH_ENDPOINT_KEY=KEY)
    assert ended.returncode == 130, ended.stderr  # 4 pages at $0.0015
    assert "--max-cost is $0.005" in ended.stderr
    first = len(endpoint.asked)
    assert 4 <= first <= 6
    ended = pdfbatch(*command, "--max-cost", "0.005", PDFBATCH_ENDPOINT_KEY=KEY)
    assert ended.returncode == 130 and len(endpoint.asked) == first, "it was spent before"
    ended = pdfbatch(*command, "--max-cost", "1", PDFBATCH_ENDPOINT_KEY=KEY)
    assert ended.returncode == 0, ended.stderr
    assert len(endpoint.asked) == 12
    assert report_of(ended)["pages"]["model_use"]["endpoint"]["dollars"] == pytest.approx(0.018)


def test_a_fallback_reads_only_the_pages_that_were_not_read_well(
    endpoint: FakeEndpoint, pdfs: Path, out: Path, pdfbatch: Program
) -> None:
    cards.make_pdf(pdfs / "a.pdf", [7, 9])
    with pymupdf.open(pdfs / "a.pdf") as document:
        picture = document[1].get_pixmap(dpi=60)
        document.delete_page(1)
        page = document.new_page(width=cards.WIDTH, height=cards.HEIGHT)
        page.insert_image(page.rect, pixmap=picture)
        document.saveIncr()
    options = ("--engine", "cpu", "--fallback", "endpoint", "--fallback-below", "0.999")
    ended = pdfbatch(*words(pdfs, out, endpoint, *options), PDFBATCH_ENDPOINT_KEY=KEY)
    assert ended.returncode == 0, ended.stderr
    assert [number_of(request) for request in endpoint.asked] == [9]
    pages = json.loads((out / "a.json").read_text())["pages"]
    assert [page["read_by"] for page in pages] == ["text", "endpoint"]
    assert text_of(9) in (out / "a.md").read_text()
    assert report_of(ended)["engine"] == "cpu"


def test_elements_that_need_a_model_are_cut_out_and_read_one_by_one(
    endpoint: FakeEndpoint, pdfs: Path, out: Path, pdfbatch: Program
) -> None:
    layered.layered_pdf(pdfs / "mixed.pdf")

    def answer(request: dict[str, Any]) -> Order:
        prompt = request["messages"][0]["content"][1]["text"]
        return saying(TABLE if "table" in prompt else r"n = \frac{41}{7} + x^{2}")

    endpoint.always = answer
    endpoint.honest = lambda request: {"choices": [{"message": {}}], "model": request["model"]}  # type: ignore[method-assign]
    options = ("--engine", "cpu", "--fallback", "endpoint", "--fallback-elements")
    ended = pdfbatch(*words(pdfs, out, endpoint, *options), PDFBATCH_ENDPOINT_KEY=KEY)
    assert ended.returncode == 0, ended.stderr
    markdown = (out / "mixed.md").read_text()
    assert "$$\nn = \\frac{41}{7} + x^{2}\n$$" in markdown and '<td colspan="2">Waves</td>' in markdown
    assert " ".join(layered.BEFORE) in markdown, "the layer's own text stays"
    (page,) = json.loads((out / "mixed.json").read_text())["pages"]
    assert [each.get("source", "layer") for each in page["elements"]] == [
        *("layer", "endpoint", "layer", "endpoint", "layer")
    ]
    pages = report_of(ended)["pages"]
    assert pages["read_by"] == {"mixed": 1} and pages["model_use"]["endpoint"]["answers"] == 2


NEARBY = "--engine endpoint --endpoint-model m --endpoint-url http://localhost:9/v1"


@pytest.mark.parametrize(
    ("options", "words_", "code"),
    [
        ("--engine endpoint", "not named", 2),
        ("--engine endpoint --endpoint-url https://a.b/v1", "--endpoint-model", 2),
        ("--engine endpoint --endpoint-url http://a.example/v1 --endpoint-model m", "encrypted", 2),
        ("--engine cpu --fallback dolphin", "cannot be a fallback", 2),
        ("--engine null --fallback endpoint", "no fallback", 2),
        ("--engine endpoint --model x", "Dolphin's", 2),
        (f"{NEARBY} --max-cost 1", "price is not known", 2),
        (f"{NEARBY} --endpoint-price free", "is not a price", 2),
        (f"{NEARBY} --endpoint-prompt @none", "none cannot be read", 2),
        (NEARBY, "cannot be reached", 4),
    ],
)
def test_a_wrong_request_is_refused_with_its_fix(
    options: str, words_: str, code: int, pdfs: Path, out: Path, pdfbatch: Program
) -> None:
    cards.make_pdf(pdfs / "a.pdf", [1])
    ended = pdfbatch("local-run", pdfs, out, *options.split())
    assert ended.returncode == code and words_ in ended.stderr and "try:" in ended.stderr
    assert not out.exists()

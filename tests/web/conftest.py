"""A run that waits in the middle, the pages of `view` over it, and a browser: one of each for all tests of a file."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from samples.many import many_pdfs

INSTALL = "apt-get install --yes chromium"
TELLS = "red\x1b[31m\u202egnp.pdf"
"""A name that steers a terminal and turns the reading direction."""
SHOUTS = "<img src=x onerror=document.title='owned'>.pdf"


class Going(NamedTuple):
    """A run whose last document waits for the file `go`."""

    pdfs: Path
    out: Path
    worker: subprocess.Popen[bytes]

    def end(self) -> None:
        (self.pdfs / "go").touch()
        assert self.worker.wait(120) == 0


class Served(NamedTuple):
    address: str
    """With the token."""
    base: str
    run: Going
    marks: Path


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def until(what: Callable[[], bool]) -> None:
    """Waits until something holds."""
    for _ in range(1200):
        if what():
            return
        time.sleep(0.1)
    raise AssertionError("it never happened")


@pytest.fixture(scope="module")
def going(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Going]:
    folder = tmp_path_factory.mktemp("view")
    pdfs, out = folder / "in", folder / "out"
    pdfs.mkdir()
    names = ("a.pdf", "b.pdf", TELLS, SHOUTS, "z.pdf")
    for made, name in zip(many_pdfs(folder / "made", len(names), pages=2), names, strict=True):
        made.rename(pdfs / name)
    (pdfs / "empty.pdf").write_bytes(b"")
    command = [sys.executable, "-m", "tests.worker.slice_process", str(pdfs), str(out), "show_when_told"]
    with subprocess.Popen(command) as worker:
        until(lambda: (out / ".pdfbatch" / "current.json").exists())
        yield Going(pdfs, out, worker)
        worker.kill()


@contextmanager
def viewing(output: str, marks: Path) -> Iterator[str]:
    """`pdfbatch view` as a user starts it; yields its address."""
    command = [sys.executable, "-m", "pdfbatch.cli", "view", output, "--no-browser", "--marks", str(marks)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.send_signal(signal.SIGINT)
        assert server.wait(60) in (0, 130)


@pytest.fixture(scope="module")
def served(going: Going) -> Iterator[Served]:
    marks = going.out.parent / "marked.tsv"
    with viewing(str(going.out), marks) as address:
        yield Served(address, address.partition("?")[0], going, marks)


def ask(address: str, path: str = "/", method: str = "GET", body: object = None, **headers: str) -> Answer:
    """Sends one request to the server at an address."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=60)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(connection):
        connection.request(method, path, json.dumps(body), sent)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


def cookie_of(address: str) -> str:
    """Visits the address with its token; returns the cookie."""
    status, headers, _ = ask(address, f"/?{urlsplit(address).query}")
    assert status == 200
    assert "HttpOnly" in headers["set-cookie"] and "SameSite=strict" in headers["set-cookie"]
    return headers["set-cookie"].partition(";")[0]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; where PDFBATCH_BROWSER is set, it must be there."""
    path = os.environ.get("PDFBATCH_BROWSER") or shutil.which("chromium")
    if path is None:
        pytest.skip(f"needs Chromium: {INSTALL}")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A page that has come in by the address. No request of it leaves this computer, no script fails."""
    context: BrowserContext = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    failed: list[str] = []
    opened.on("pageerror", lambda error: failed.append(str(error)))
    opened.goto(served.address)
    opened.wait_for_url(served.base)
    yield opened
    context.close()
    assert failed == []
    assert asked and all(url.startswith(served.base) for url in asked)

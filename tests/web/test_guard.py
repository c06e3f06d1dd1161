"""Who gets through to the pages of `view`: over HTTP, against the program itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.conftest import Served, ask, cookie_of


@pytest.fixture(scope="module")
def served(served: Served) -> Iterator[Served]:
    served.run.end()
    yield served


@pytest.fixture(scope="module")
def cookie(served: Served) -> str:
    return cookie_of(served.address)


def test_without_the_token_nothing_is_shown(served: Served) -> None:
    for path in ("/", "/documents", "/static/view.js", "/?token=", "/?token=wrong", "/nothing"):
        status, _, body = ask(served.base, path)
        assert status == 403 and b"out" not in body


def test_with_the_cookie_every_page_answers_with_a_strict_policy(served: Served, cookie: str) -> None:
    for path in ("/", "/documents", "/document?key=a.pdf", "/static/view.js", "/picture?key=a.pdf&page=1"):
        status, headers, _ = ask(served.base, path, cookie=cookie)
        assert status == 200, path
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer" and headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "127.0.0.2"])
def test_another_host_name_is_refused_although_it_leads_here(served: Served, cookie: str, host: str) -> None:
    assert ask(served.base, "/", cookie=cookie, host=host)[0] == 421


def test_another_site_cannot_mark(served: Served, cookie: str) -> None:
    mark = {"key": "a.pdf", "page": 1, "marked": True}
    assert ask(served.base, "/mark", "POST", mark, cookie=cookie)[0] == 403
    assert ask(served.base, "/mark", "POST", mark, cookie=cookie, x_pdfbatch="1", sec_fetch_site="cross-site")[0] == 403
    assert ask(served.base, "/mark", "POST", mark, x_pdfbatch="1")[0] == 403
    assert not served.marks.exists()
    assert ask(served.base, "/mark", "GET", cookie=cookie)[0] == 405
    assert ask(served.base, "/mark", "POST", mark, cookie=cookie, x_pdfbatch="1")[0] == 200
    assert served.marks.read_text().endswith("a.pdf\t1\n")


@pytest.mark.parametrize(
    "path",
    [
        "/document?key=../in/a.pdf",
        "/document?key=.pdfbatch/current.json",
        "/document?key=",
        "/picture?key=../../etc/passwd&page=1",
        "/figure?key=a.pdf&name=../../b.md",
        "/figure?key=a.pdf&name=nothing.png",
        "/?run=../../x",
        "/live?run=nobody",
        "/documents?run=%2e%2e",
        "/static/../server.py",
        "/static/%2e%2e/server.py",
    ],
)
def test_only_what_a_run_has_written_can_be_named(served: Served, cookie: str, path: str) -> None:
    status, _, body = ask(served.base, path, cookie=cookie)
    assert status == 404 and b"Traceback" not in body


@pytest.mark.parametrize("body", [None, [], {"key": "a.pdf"}, {"key": "a.pdf", "page": "x", "marked": True}])
def test_what_is_not_a_mark_is_refused(served: Served, cookie: str, body: object) -> None:
    assert ask(served.base, "/mark", "POST", body, cookie=cookie, x_pdfbatch="1")[0] == 400


def test_a_query_that_makes_no_sense_shows_the_table(served: Served, cookie: str) -> None:
    query = "page=-1&low=nan&high=9&sort=line;drop&down=maybe&text=%00%27%25"
    status, _, body = ask(served.base, f"/documents?{query}", cookie=cookie)
    assert status == 200 and b"No document fits" in body

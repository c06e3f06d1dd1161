"""`report --html`: one file that shows a run without a server or a network; and the page that a fleet leaves behind."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pdfbatch.records import DoubtfulPage, RunKeys
from pdfbatch.runs import manifest
from pdfbatch.store import LocalStore
from pdfbatch.web.report import report_html
from pdfbatch.worker.completion import complete
from samples.many import many_pdfs
from tests.export.outputs import NOW, RUN, Made, a_page, finish, some_documents
from tests.program import Program

HOSTILE = "<script>alert(1)</script> ![x](https://far.example/x.png) [y](javascript:alert(2))"
NAME = '"><img src=x onerror=alert(3)>.pdf'


class Addresses(HTMLParser):
    """Every tag, and every address that a browser would follow by itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loaded: list[str] = []
        self.handlers: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster") or (tag == "link" and name == "href"):
                self.loaded.append(value or "")
            if tag == "a" and name == "href":
                self.links.append(value or "")
            if name.startswith("on") or name == "style":
                self.handlers.append(name)


@pytest.fixture
def output(tmp_path: Path) -> LocalStore:
    """A finished run: a failed document, one with a doubtful page of hostile text, and some good ones."""
    pdfs = tmp_path / "in"
    [doubtful] = many_pdfs(tmp_path / "made", 1, pages=2)
    pdfs.mkdir()
    doubtful.rename(pdfs / NAME)
    out = LocalStore(tmp_path / "out")
    out.check_writable()
    read = LocalStore(pdfs).digest(NAME)
    bad = Made(
        NAME,
        [a_page(1, HOSTILE, score=0.41), a_page(2, "fine")],
        {"doubtful": [DoubtfulPage(NAME, 1, 0.41)], "scores": {"0.4": 1, "1.0": 1}, "digest": read},
    )
    failed = Made("gone.pdf", [], {"outcome": "failed", "reason": "corrupt", "detail": "its tail is lost"})
    finish(out, [bad, failed, *some_documents(3)], input=str(pdfs) + "/")
    return out


def page_of(output: LocalStore, pictures: bool = True) -> str:
    return report_html(output, manifest.load(output, RUN), NOW, pictures=pictures)


def test_the_file_needs_no_network_and_runs_nothing(output: LocalStore) -> None:
    page = page_of(output)
    found = Addresses(page)
    assert found.loaded and all(address.startswith("data:image/") for address in found.loaded)
    assert not found.tags & {"script", "link", "iframe", "object", "form", "base"} and not found.handlers
    assert all(link.startswith(("#page-", "https://")) for link in found.links)
    assert "default-src 'none'" in page and "alert(3)&gt;" in page


def test_its_only_style_is_the_one_that_its_policy_allows(output: LocalStore) -> None:
    page = page_of(output, pictures=False)
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src &#39;sha256-{digest}&#39;" in page or f"style-src 'sha256-{digest}'" in page


def test_the_worst_pages_are_shown_beside_their_markdown_and_failed_documents_come_first(output: LocalStore) -> None:
    page = page_of(output)
    _, *shown = page.split('<article class="worst"')
    assert len(shown) == 2
    assert "gone.pdf, page 1" in shown[0] and "its tail is lost" in shown[0] and "No picture: " in shown[0]
    assert "data:image/webp" in shown[1] and "0.41" in shown[1]


def test_without_pictures_nothing_is_read_from_the_input(output: LocalStore) -> None:
    page = page_of(output, pictures=False)
    assert "data:image" not in page and "Pages to look at" not in page and "Pages over time" in page


def test_the_command_writes_it_whole(output: LocalStore, tmp_path: Path, pdfbatch: Program) -> None:
    target = tmp_path / "run.html"
    ended = pdfbatch("report", output.url, "--html", target)
    assert ended.returncode == 0, ended.stderr
    assert str(target) in ended.stdout and target.read_text().endswith("</html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "made", "out", "run.html"]


@pytest.mark.parametrize(
    ("words", "said"), [(["nowhere/run.html"], "No such file"), (["run.html", "--failures"], "Leave out --failures")]
)
def test_what_cannot_be_written_is_one_line(
    output: LocalStore, tmp_path: Path, pdfbatch: Program, words: list[str], said: str
) -> None:
    ended = pdfbatch("report", output.url, "--html", *words, folder=tmp_path)
    assert ended.returncode == 2 and said in ended.stderr and "Traceback" not in ended.stderr


def completed(output: LocalStore, page: Callable[[], str] | None) -> tuple[str, list[str]]:
    """Returns the mail at the end of a run, and what was said besides."""
    sent, said = list[str](), list[str]()
    frozen = manifest.load(output, RUN)
    keys = RunKeys(RUN)
    mark = '{"worker": 0, "why": "done", "at": "2026-01-01T10:00:00Z"}'
    output.put(keys.done_mark(0), mark.encode())
    assert complete(output, frozen, lambda _, text: sent.append(text), lambda: datetime.now(UTC), said.append, page)
    return sent[0], said


def test_the_last_worker_saves_the_page_and_the_mail_names_it(output: LocalStore) -> None:
    mail, _ = completed(output, lambda: page_of(output, pictures=False))
    assert f"page: {output.url}{RunKeys(RUN).page}" in mail.splitlines()
    assert output.get(RunKeys(RUN).page).endswith(b"</html>")


def test_a_page_that_cannot_be_made_does_not_keep_the_mail(output: LocalStore) -> None:
    mail, said = completed(output, lambda: str(1 / 0))
    assert "page: " not in mail and "cannot save the run's page" in said[0]
    assert "page: " not in completed_without(output)


def completed_without(output: LocalStore) -> str:
    output.delete([RunKeys(RUN).completed])
    return completed(output, None)[0]

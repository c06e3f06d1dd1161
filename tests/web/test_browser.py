"""The pages of `view` in a real browser, over a run of real worker processes."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from pdfbatch.records import read_page_list
from tests.program import Program
from tests.web.conftest import SHOUTS, TELLS, Going, Served

PIXELS = "async () => { const it = document.getElementById('picture'); await it.decode(); return it.naturalHeight; }"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ended(going: Going) -> Going:
    going.end()
    return going


def test_a_run_that_goes_on_is_watched_to_its_end(page: Page, served: Served) -> None:
    facts = page.locator("#progress dd").first
    expect(facts).to_have_text("5 of 6", timeout=60_000)
    expect(page.locator("#progress .state")).to_contain_text("running")
    page.evaluate("document.body.dataset.same = 'page'")
    served.run.end()
    expect(facts).to_have_text("6 of 6", timeout=60_000)
    expect(page.locator("#progress .state")).to_contain_text("done")
    assert page.evaluate("document.body.dataset.same") == "page"
    expect(page.locator("#reasons")).to_contain_text("empty file")


def test_documents_are_filtered_and_sorted(page: Page, served: Served, ended: Going) -> None:
    page.goto(f"{served.base}documents")
    rows = page.locator("#table tbody tr")
    expect(rows).to_have_count(6)
    page.get_by_label("Outcome").select_option("failed")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("empty.pdf")
    page.get_by_label("Outcome").select_option("")
    page.get_by_label("Text in the name").fill("B.PDF")
    expect(rows).to_have_count(1)
    page.get_by_label("Text in the name").fill("")
    expect(rows).to_have_count(6)
    page.get_by_role("link", name="Document", exact=True).click()
    expect(rows.first).to_contain_text("z.pdf")
    assert "sort" not in page.url and "down=1" in page.url
    page.get_by_label("Score from").fill("0.9")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("No document fits")


def test_an_element_is_marked_in_the_picture_and_in_the_text(page: Page, served: Served, ended: Going) -> None:
    page.goto(f"{served.base}document?key=a.pdf&page=2")
    expect(page.locator("svg rect")).to_have_count(3)
    assert page.evaluate(PIXELS) == 1600
    expect(page.locator("article math mfrac")).to_have_count(1)
    page.locator("article[data-part='1']").hover()
    expect(page.locator("rect.lit")).to_have_attribute("data-part", "1")
    page.locator("rect[data-part='2']").focus()
    expect(page.locator("article.lit")).to_have_attribute("data-part", "2")
    expect(page.locator("article.lit .origin")).to_have_text(re.compile(r"OCR\s+text · 0.80"))


def test_keys_lead_through_the_pages(page: Page, served: Served, ended: Going) -> None:
    page.goto(f"{served.base}document?key=a.pdf")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("key=a.pdf&page=2"))
    page.keyboard.press("n")
    page.wait_for_url(re.compile("key=b.pdf&page=1"))
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(re.compile("key=a.pdf$"))
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_hidden()


def test_a_failed_document_shows_its_reason(page: Page, served: Served, ended: Going) -> None:
    page.goto(f"{served.base}document?key=empty.pdf")
    expect(page.locator(".notice.failed")).to_contain_text("the file is empty")
    expect(page.locator("#no-picture")).to_contain_text("No picture of this page")


def test_names_and_markdown_of_strangers_do_nothing(page: Page, served: Served, ended: Going) -> None:
    page.goto(f"{served.base}documents")
    expect(page.locator("#table")).to_contain_text(r"red\u001b[31m\u202egnp.pdf")
    expect(page.locator("#table")).to_contain_text(SHOUTS)
    assert page.locator("#table img").count() == 0
    for key in (SHOUTS, TELLS):
        page.goto(f"{served.base}document?key={quote(key)}")
        expect(page.locator(".markdown").last).to_contain_text("<script>document.title='owned'</script>")
        assert page.locator(".markdown script, .markdown img, .markdown a[href^=javascript]").count() == 0
        assert "owned'" in page.content() and page.title() != "owned"


def test_raw_markdown_that_somebody_put_there_does_nothing(page: Page, served: Served, ended: Going) -> None:
    (ended.out / "b.json").unlink()
    raw = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"><b onclick=x>bold</b>"
    (ended.out / "b.md").write_text(f"<!-- page 1 -->\n{raw}\n\n![y](http://evil.example/y.png)\n<!-- page 2 -->\n")
    page.goto(f"{served.base}document?key=b.pdf&page=1")
    expect(page.locator(".markdown")).to_contain_text("bold")
    assert page.title() == "b.pdf, page 1 · pdfbatch"
    assert page.locator(".markdown [onclick], .markdown [onerror], .markdown [src], .markdown script").count() == 0


def test_a_page_is_marked_and_read_again(page: Page, served: Served, ended: Going, pdfbatch: Program) -> None:
    page.goto(f"{served.base}document?key=a.pdf&page=2")
    page.keyboard.press("m")
    expect(page.locator("#mark")).to_have_text("Marked for another try")
    expect(page.locator("#marked")).to_contain_text("1 page marked")
    page.reload()
    expect(page.locator("#mark")).to_have_attribute("aria-pressed", "true")
    assert read_page_list(served.marks.read_text()) == {"a.pdf": "2"}
    kept = (ended.out / "z.md").read_text()
    words = page.locator(".command").inner_text().split()
    assert words[:2] == ["pdfbatch", "retry-failures"] and Path(words[-1]) == served.marks
    again = pdfbatch(*words[1:], "--engine", "null", "--json")
    assert again.returncode == 0, again.stderr
    assert '"total": 1' in again.stdout
    assert "Heading of page" not in (ended.out / "a.md").read_text()
    assert (ended.out / "z.md").read_text() == kept


def test_on_a_phone_only_tables_scroll_sideways(page: Page, served: Served, ended: Going) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for place in ("", "documents", "document?key=z.pdf"):
        page.goto(served.base + place)
        assert page.evaluate("document.documentElement.scrollWidth") == 390

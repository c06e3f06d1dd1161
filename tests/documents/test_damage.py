"""Damage is reported: a page that lost its content is corrupt, not blank and not ok, and the rest of it is kept."""

from pathlib import Path

import pytest

from pdfbatch.documents.judge import judge
from pdfbatch.documents.pdf.damage import ends_cleanly
from pdfbatch.documents.picture import draw_page
from pdfbatch.documents.reading import read_page
from pdfbatch.records import PageResult, Reason
from samples import damaged, odd


def read(data: bytes, folder: Path, number: int = 1) -> PageResult:
    path = folder / "a.pdf"
    path.write_bytes(data)
    return read_page(str(path), number).page


@pytest.mark.parametrize("name", damaged.WHOLE)
def test_a_page_that_only_looks_damaged_is_read(name: str, tmp_path: Path) -> None:
    page = read(damaged.WHOLE[name], tmp_path)
    assert page.reason is None and len(page.text) > 300


@pytest.mark.parametrize("name", damaged.BLANK)
def test_an_empty_page_is_blank(name: str, tmp_path: Path) -> None:
    page = read(damaged.BLANK[name], tmp_path)
    assert (page.reason, page.read_by) == (None, "blank")


@pytest.mark.parametrize("name", damaged.CUT)
def test_the_rest_of_a_truncated_page_is_kept_with_its_reason(name: str, tmp_path: Path) -> None:
    page = read(damaged.CUT[name], tmp_path)
    assert page.reason is Reason.CORRUPT and page.detail
    assert len(page.text) > 100


@pytest.mark.parametrize("name", damaged.LOST)
def test_a_page_that_lost_its_content_is_corrupt(name: str, tmp_path: Path) -> None:
    page = read(damaged.LOST[name], tmp_path)
    assert page.reason is Reason.CORRUPT and page.detail
    drawn = draw_page(str(tmp_path / "a.pdf"), 1, 72, 100)
    assert isinstance(drawn, PageResult) and drawn.reason is Reason.CORRUPT, "a model would be shown a blank page"


@pytest.mark.parametrize("share", range(5, 95, 10))
def test_a_file_truncated_anywhere_never_gives_an_ok_page_with_less_text(share: int, tmp_path: Path) -> None:
    whole = damaged.WHOLE["an ordinary page"]
    path = tmp_path / "a.pdf"
    path.write_bytes(whole[: len(whole) * share // 100])
    verdict = judge(str(path))
    assert verdict.reason is not None or read_page(str(path), 1).page.reason is Reason.CORRUPT


@pytest.mark.parametrize("name", damaged.REFUSED)
def test_a_file_that_mupdf_refuses_is_repaired_and_opened(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(damaged.REFUSED[name])
    pages = judge(str(path)).pages
    assert pages == (40 if "forty" in name else 1)
    assert odd.LINES[0] in read_page(str(path), pages).page.text.replace("\n", " ")


def test_a_cycle_in_the_page_tree_loses_only_the_pages_it_hides(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(damaged.cyclic_tree())
    assert judge(str(tmp_path / "a.pdf")).reason is None
    reasons = [read_page(str(tmp_path / "a.pdf"), number).page.reason for number in (1, 2)]
    assert reasons == [None, Reason.CORRUPT]


def test_a_page_listed_a_million_times_is_refused_quickly(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(damaged.page_named_often())
    assert judge(str(tmp_path / "a.pdf")).reason is Reason.CORRUPT


@pytest.mark.parametrize(
    ("content", "clean"),
    [
        (b"", True),
        (b"BT (a) Tj ET", True),
        (b"q 1 0 0 1 0 0 cm /I Do Q\nendstream\n", True),
        (b"BT (a BT b) Tj ET ", True),
        (b"BT (a)Tj", False),
        (b"BT (half a wor", False),
        (b"q 1 0 0 1 0 0 cm /I Do", False),
        (b"BT ET 1 0 0 1", False),
        (b"BT [(a)-20(b)]TJ ET", True),
        (b"(a)'", True),
    ],
)
def test_truncated_content_is_recognised_by_its_end(content: bytes, clean: bool) -> None:
    assert ends_cleanly(content) is clean

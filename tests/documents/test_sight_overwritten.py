"""Text that was painted over and replaced is not read; highlights and shadows change nothing."""

from __future__ import annotations

import pymupdf
import pytest

from pdfbatch.documents.reading import read_page
from tests.documents.sight_pages import SENTENCES, append, blank, saved, write
from tests.pages import markdown_of

OLD, NEW = "The award is one crown and no more.", "Forty captains came to the winter dinner."
PLACE = pymupdf.Rect(38, 188, 400, 206)


def page_of(*fonts: str, fill: tuple[float, ...] = (1, 1, 1), **how: object) -> pymupdf.Page:
    """Return a page on which `OLD` was painted over and `NEW` written in its place."""
    page = blank()
    write(page, SENTENCES[:3])
    page.insert_text((40, 200), OLD, fontname=fonts[0], fontsize=11)
    page.draw_rect(PLACE, color=None, fill=fill, **how)
    page.insert_text((40, 200), NEW, fontname=fonts[-1], fontsize=11)
    return page


def text_of(page: pymupdf.Page, tmp_path) -> str:
    return " ".join(markdown_of(read_page(saved(page, tmp_path / "a.pdf"), 1).page).split())


@pytest.mark.parametrize("fonts", [("helv",), ("helv", "tiro"), ("cour", "hebo")], ids=" ".join)
@pytest.mark.parametrize("fill", [(1, 1, 1), (0.9, 0.95, 0.8)], ids=["paper", "green"])
def test_text_under_new_text_is_not_read(tmp_path, fonts, fill):
    text = text_of(page_of(*fonts, fill=fill), tmp_path)
    assert NEW in text
    assert "award" not in text and "crown" not in text


def test_text_under_new_text_is_kept_as_hidden(tmp_path):
    elements = read_page(saved(page_of("helv", "tiro"), tmp_path / "a.pdf"), 1).page.elements
    assert [element.flags for element in elements if element.text == OLD] == [["hidden_covered"]]


def test_a_highlight_between_two_copies_of_a_text_hides_nothing(tmp_path):
    page = blank()
    write(page, SENTENCES[:3])
    page.insert_text((40, 200), NEW, fontsize=11, color=(0.7, 0.7, 0.7))
    page.draw_rect(PLACE, color=None, fill=(1, 1, 0), fill_opacity=0.3)
    page.insert_text((40.4, 200), NEW, fontsize=11)
    assert text_of(page, tmp_path).count(NEW) == 1


def test_squeezed_text_is_not_read(tmp_path):
    page = blank()
    write(page, SENTENCES[:3])
    append(page, f"BT /helv 11 Tf 1 Tz 1 0 0 1 40 200 Tm ({OLD}) Tj ET".encode())
    assert "award" not in text_of(page, tmp_path)

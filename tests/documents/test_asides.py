"""Lines that are not running text get regions of their own and leave the text as if they were not there."""

import pymupdf
import pytest

from pdfbatch.documents.layout.plain import plain_regions
from pdfbatch.documents.layout.regions import regions_of
from pdfbatch.documents.pdf.upright import UprightPage
from tests.documents.sample_lines import SENTENCES
from tests.pages import regions_markdown

ROWS = SENTENCES * 3
PARAGRAPH = " ".join(ROWS)


def page_of_text(left: float = 100) -> pymupdf.Page:
    page = pymupdf.open().new_page()
    for row, text in enumerate(ROWS):
        page.insert_text((left, 100 + 15 * row), text, fontname="tiro", fontsize=12)
    return page


def kinds_and_markdown(page: pymupdf.Page, way=regions_of):
    """Return the regions' kinds, and the Markdown of those that are text."""
    regions = way(UprightPage(pymupdf.open("pdf", page.parent.tobytes())[0]))
    kinds = {region.kind for region in regions}
    return kinds, regions_markdown([one for one in regions if one.kind not in ("line-numbers", "watermark")])


def test_line_numbers_leave_one_paragraph():
    page = page_of_text()
    for row in range(28):
        page.insert_text((60, 100 + 15 * row), str(row + 1), fontname="tiro", fontsize=12)
    kinds, markdown = kinds_and_markdown(page)
    assert kinds == {"text", "line-numbers"}
    assert markdown == PARAGRAPH


@pytest.mark.parametrize("edge", [80, 540])
def test_every_fifth_line_numbered_leaves_one_paragraph(edge):
    page = pymupdf.open().new_page()
    for row, text in enumerate(ROWS * 2):
        page.insert_text((100, 100 + 15 * row), text, fontname="tiro", fontsize=12)
        if row % 5 == 4:
            page.insert_text((edge, 100 + 15 * row), str(row + 1), fontname="tiro", fontsize=8)
    rows = [region for region in regions_of(UprightPage(page)) if region.kind == "text"]
    assert len(rows) == 1


def test_a_watermark_across_the_text_leaves_one_paragraph():
    page = page_of_text()
    place = pymupdf.Point(150, 230)
    page.insert_text(place, "DRAFT", fontsize=60, color=(0.8, 0.8, 0.8), morph=(place, pymupdf.Matrix(40)))
    kinds, markdown = kinds_and_markdown(page)
    assert kinds == {"text", "watermark"}
    assert markdown == PARAGRAPH


def test_lines_that_begin_with_their_numbers_are_one_paragraph_and_no_list():
    page = pymupdf.open().new_page()
    for row in range(12):
        page.insert_text((72, 100 + 15 * row), f"{row + 1:>2}  {SENTENCES[row % 4]}", fontname="tiro", fontsize=12)
    kinds, markdown = kinds_and_markdown(page)
    assert kinds == {"text", "line-numbers"}
    assert markdown == PARAGRAPH


def test_check_boxes_are_lines_of_their_own_without_the_layout_model_too():
    page = page_of_text()
    for row, (label, checked) in enumerate([("Shore power", True), ("Fresh water", False)]):
        widget = pymupdf.Widget()
        widget.field_name, widget.field_type = f"c{row}", pymupdf.PDF_WIDGET_TYPE_CHECKBOX
        widget.field_value, widget.rect = checked, pymupdf.Rect(100, 350 + 24 * row, 112, 362 + 24 * row)
        page.add_widget(widget)
        page.insert_text((120, 361 + 24 * row), label, fontname="tiro", fontsize=12)
    for way in (regions_of, plain_regions):
        kinds, markdown = kinds_and_markdown(page, way)
        assert kinds == {"text", "form-field"}
        assert markdown == f"{PARAGRAPH}\n\n- [x] Shore power\n- [ ] Fresh water"


def test_a_word_split_by_a_soft_hyphen_is_joined_across_regions():
    page = pymupdf.open().new_page()
    writer = pymupdf.TextWriter(page.rect)
    for row, text in enumerate(["the captains of the har\u00ad", "bour look into the book"]):
        writer.append((72, 100 + 30 * row), text, font=pymupdf.Font("cjk"), fontsize=9)
    writer.write_text(page)
    assert "harbour look" in kinds_and_markdown(page)[1]

"""What a page shows and its text layer lacks is read from the picture, however it is painted."""

from __future__ import annotations

import numpy as np
import pymupdf
import pytest

from pdfbatch.documents.reading import read_page
from pdfbatch.documents.sight.ink_without_text import is_believed, regions_without_text, unexplained
from pdfbatch.documents.sight.look import look_at
from pdfbatch.documents.textlayer.health import Health, health_of
from pdfbatch.documents.textlayer.lines import RAW_FLAGS, lines_of
from pdfbatch.records import PageResult
from tests.documents.sight_pages import PAINTERS, SENTENCES, as_image, as_outlines, blank, picture_of, saved, write
from tests.pages import markdown_of


def read(page: pymupdf.Page, tmp_path) -> PageResult:
    return read_page(saved(page, tmp_path / "a.pdf"), 1).page


def flat(result: PageResult) -> str:
    return " ".join(markdown_of(result).split())


def regions(page: pymupdf.Page) -> list[tuple[float, ...]]:
    textpage = page.get_textpage(flags=RAW_FLAGS)
    lines = lines_of(textpage.extractDICT()["blocks"])
    return regions_without_text(look_at(page, textpage), [line.box for line in lines])


@pytest.mark.parametrize("paint", PAINTERS, ids=lambda paint: paint.__name__)
def test_painted_text_is_added_to_the_page(tmp_path, paint):
    page = blank()
    write(page, SENTENCES[:3])
    paint(page, SENTENCES[3:7], 140)
    text = flat(read(page, tmp_path))
    for sentence in SENTENCES[:7]:
        assert sentence in text
    assert text.count(SENTENCES[0]) == 1


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("paint", [as_image, as_outlines], ids=lambda paint: paint.__name__)
def test_painted_text_on_a_rotated_page_is_read(tmp_path, paint, rotation):
    page = blank()
    write(page, SENTENCES[:3])
    paint(page, SENTENCES[3:6], 140)
    page.set_rotation(rotation)
    text = flat(read(page, tmp_path))
    for sentence in SENTENCES[:6]:
        assert sentence in text


@pytest.mark.parametrize("colour", [(0.8, 0.8, 0.8), (1, 0.8, 0), (0.7, 0.8, 1)])
def test_pale_outlines_are_read(tmp_path, colour):
    page = blank()
    write(page, SENTENCES[:3])
    as_outlines(page, SENTENCES[3:6], 140, colour)
    text = flat(read(page, tmp_path))
    for sentence in SENTENCES[:6]:
        assert sentence in text


def test_upside_down_outlines_are_read(tmp_path):
    page = blank()
    write(page, SENTENCES[:3])
    source = blank(420, 74)
    as_outlines(source, SENTENCES[3:6], 0)
    page.show_pdf_page(pymupdf.Rect(0, 140, 420, 214), source.parent, 0, rotate=180)
    text = flat(read(page, tmp_path))
    for sentence in SENTENCES[:6]:
        assert sentence in text


def test_text_that_an_old_ocr_missed_is_read(tmp_path):
    page = blank(420, 18 * 8 + 20)
    page.insert_image(page.rect, pixmap=picture_of(SENTENCES))
    for number, line in enumerate(SENTENCES[:6]):
        page.insert_text((42, 22 + 17.6 * number), line, fontsize=11, render_mode=3)
    result = read(page, tmp_path)
    for sentence in SENTENCES:
        assert flat(result).count(sentence) == 1
    assert result.read_by == "plain"


def test_a_big_picture_beside_the_text_does_not_hide_it():
    page = blank(420, 800)
    write(page, SENTENCES, top=40)
    page.insert_image(pymupdf.Rect(0, 300, 420, 800), pixmap=picture_of(SENTENCES), keep_proportion=False)
    lines = lines_of(page.get_textpage(flags=RAW_FLAGS).extractDICT()["blocks"])
    assert health_of(page, lines) is Health.GOOD


@pytest.mark.slow
def test_a_page_number_alone_is_not_the_text_of_a_page_of_outlines(tmp_path):
    page = blank(420, 600)
    as_outlines(page, SENTENCES * 3, 40)
    page.insert_text((180, 580), "Page 3 of 12", fontsize=9)
    assert flat(read(page, tmp_path)).count(SENTENCES[2]) == 3


def test_found_text_is_placed_where_it_is_painted(tmp_path):
    page = blank()
    write(page, SENTENCES[:2])
    as_image(page, SENTENCES[2:4], 120)
    write(page, SENTENCES[4:6], top=220)
    text = flat(read(page, tmp_path))
    places = [text.index(sentence) for sentence in SENTENCES[:6]]
    assert places == sorted(places)


def test_a_bar_with_white_letters_in_a_picture_is_read(tmp_path):
    page = blank()
    write(page, SENTENCES[:3])
    source = blank(300, 40)
    source.draw_rect(source.rect, fill=(0.1, 0.2, 0.5))
    source.insert_text((20, 26), "Grey Heron Shipping Company", fontsize=16, color=(1, 1, 1))
    page.insert_image(pymupdf.Rect(60, 200, 360, 240), pixmap=source.get_pixmap(dpi=150))
    assert "Grey Heron Shipping Company" in flat(read(page, tmp_path))


def test_the_labels_of_a_chart_in_a_picture_are_read(tmp_path):
    page = blank()
    write(page, SENTENCES[:3])
    source = blank(300, 200)
    source.draw_line((40, 20), (40, 160))
    source.draw_line((40, 160), (280, 160))
    for number, height in enumerate([40, 90, 60, 120]):
        source.draw_rect(
            pymupdf.Rect(60 + 55 * number, 160 - height, 90 + 55 * number, 160), fill=(0.2, 0.4, 0.8), color=None
        )
    source.insert_text((110, 190), "Herring landed in tons", fontsize=12)
    page.insert_image(pymupdf.Rect(60, 140, 360, 340), pixmap=source.get_pixmap(dpi=150))
    assert "Herring landed in tons" in flat(read(page, tmp_path))


def test_a_picture_without_text_adds_nothing(tmp_path):
    page = blank()
    write(page, SENTENCES[:3])
    noise = np.random.default_rng(1).normal(128, 40, (30, 40, 3)).clip(0, 255).astype(np.uint8)
    smooth = np.kron(noise, np.ones((8, 8, 1), np.uint8))
    photo = pymupdf.Pixmap(pymupdf.csRGB, smooth.shape[1], smooth.shape[0], smooth.tobytes(), False)
    page.insert_image(pymupdf.Rect(60, 140, 360, 340), pixmap=photo)
    assert flat(read(page, tmp_path)) == " ".join(SENTENCES[:3])


def test_a_drawing_without_text_adds_nothing(tmp_path):
    page = blank()
    write(page, SENTENCES[:3])
    for number in range(40):
        page.draw_circle((60 + 7 * number, 250 + 40 * np.sin(number / 4)), 3 + number % 5)
        page.draw_line((60, 180 + 3 * number), (60 + 7 * number, 340 - number))
    assert flat(read(page, tmp_path)) == " ".join(SENTENCES[:3])


def test_ordinary_pages_leave_no_ink_without_text():
    page = blank()
    write(page, SENTENCES)
    assert regions(page) == []


@pytest.mark.parametrize("rotation", [0, 90, 180])
@pytest.mark.parametrize("size", [12, 16, 28])
def test_vertical_writing_leaves_no_glyph_without_text(tmp_path, rotation, size):
    page = blank()
    columns = ["春の海は静かです", "夏になると遊ぶ", "秋の風が吹く", "冬は雪が降る"]
    write_vertically(page, columns, size)
    page.set_rotation(rotation)
    result = read(page, tmp_path)
    assert sum(len(element.text.strip()) for element in result.elements) == sum(map(len, columns))
    assert not [element for element in result.elements if element.source == "ocr"]


def write_vertically(page: pymupdf.Page, columns: list[str], size: int) -> None:
    """Write columns from right to left in a font whose writing mode is vertical."""
    document = page.parent
    page.insert_text((10, 10), " ", fontname="japan")
    font = document.get_new_xref()
    descendant = page.get_fonts()[0][0]
    inner = document.xref_get_key(descendant, "DescendantFonts")[1]
    document.update_object(
        font,
        f"<</Type/Font/Subtype/Type0/BaseFont/HeiseiMin-W3-V/Encoding/UniJIS-UCS2-V/DescendantFonts {inner}>>",
    )
    shown = [
        f"BT /J {size} Tf 1 0 0 1 {350 - 2 * size * number} 360 Tm <{text.encode('utf-16-be').hex()}> Tj ET"
        for number, text in enumerate(columns)
    ]
    contents = document.get_new_xref()
    document.update_object(contents, "<<>>")
    document.update_stream(contents, "\n".join(shown).encode())
    document.xref_set_key(page.xref, "Contents", f"{contents} 0 R")
    document.xref_set_key(page.xref, "Resources", f"<</Font<</J {font} 0 R>>>>")


def test_rulings_backgrounds_and_bullets_are_not_ink_without_text():
    page = blank()
    page.draw_rect(pymupdf.Rect(20, 20, 400, 120), fill=(0.8, 0.9, 0.8))
    write(page, SENTENCES[:3])
    for row in range(6):
        page.draw_line((30, 150 + 20 * row), (390, 150 + 20 * row))
        page.draw_line((30 + 72 * row, 150), (30 + 72 * row, 250))
    for row in range(4):
        page.draw_circle((34, 290 + 20 * row), 2.5, fill=(0, 0, 0))
        page.draw_rect(pymupdf.Rect(60, 285 + 20 * row, 70, 295 + 20 * row))
    assert regions(page) == []


def test_edges_under_known_boxes_are_explained():
    gray = np.full((100, 100), 255, np.uint8)
    gray[40:50:2, 20:60:3] = 0
    assert unexplained(gray, []).any()
    assert not unexplained(gray, [(15, 35, 65, 55)]).any()


@pytest.mark.parametrize(
    ("text", "sure", "believed"),
    [
        ("Receipt number 20417", 0.97, True),
        ("Receipt number 20417", 0.6, False),
        ("D D D", 0.99, False),
        ("420", 0.99, True),
        ("42", 0.9, False),
        ("—", 0.99, False),
        ("東", 0.99, True),
    ],
)
def test_results_with_high_confidence_are_accepted(text, sure, believed):
    assert is_believed(text, sure) is believed

import pymupdf
import pytest

from tests.documents.sample_lines import SENTENCES, lines_on, texts

GREY, BLACK, PINK = (0.8, 0.8, 0.8), (0, 0, 0), (1, 0.7, 0.7)


def page_of_text(rows: int = 24) -> pymupdf.Page:
    page = pymupdf.open().new_page()
    for row in range(rows):
        page.insert_text((72, 100 + 15 * row), SENTENCES[row % 4], fontsize=11)
    return page


@pytest.mark.parametrize(
    ("text", "size", "color", "angle", "opacity"),
    [
        ("CONFIDENTIAL", 60, GREY, 45, 1),
        ("CONFIDENTIAL", 50, GREY, 0, 1),
        ("DRAFT", 90, BLACK, 30, 0.2),
        ("Specimen, not for sale", 36, BLACK, 50, 1),
        ("COPY", 40, PINK, 0, 1),
        ("VOID", 110, GREY, 90, 1),
    ],
)
def test_a_watermark_is_separated_from_the_text(text, size, color, angle, opacity):
    page = page_of_text()
    place = pymupdf.Point(150, 330)
    page.insert_text(
        place, text, fontsize=size, color=color, fill_opacity=opacity, morph=(place, pymupdf.Matrix(angle))
    )
    lines = lines_on(page)
    assert texts(lines, "watermark") == [text]
    assert texts(lines) == [SENTENCES[row % 4] for row in range(24)]


@pytest.mark.parametrize(("color", "top"), [(BLACK, 70), (GREY, 60), (BLACK, 330)])
def test_a_large_title_is_not_a_watermark(color, top):
    page = page_of_text(10)
    page.insert_text((72, top), "The book of tides", fontsize=36, color=color)
    assert not texts(lines_on(page), "watermark")


def test_small_light_notes_and_slanting_labels_are_not_watermarks():
    page = page_of_text()
    page.insert_text((80, 107), "a note between the lines", fontsize=8, color=GREY)
    place = pymupdf.Point(200, 300)
    page.insert_text(place, "label", fontsize=9, morph=(place, pymupdf.Matrix(45)))
    assert not texts(lines_on(page), "watermark")


@pytest.mark.parametrize("angle", [0, 30])
def test_a_small_light_watermark_all_over_the_page_is_separated(angle):
    page = page_of_text()
    for row in range(4):
        for column in range(3):
            place = pymupdf.Point(80 + 170 * column, 110 + 150 * row)
            page.insert_text(place, "Licensed to Anna", fontsize=12, color=GREY, morph=(place, pymupdf.Matrix(angle)))
    lines = lines_on(page)
    assert texts(lines, "watermark") == ["Licensed to Anna"] * 12
    assert texts(lines) == [SENTENCES[row % 4] for row in range(24)]


def test_light_words_that_repeat_beside_the_text_stay():
    page = page_of_text(10)
    for row in range(5):
        page.insert_text((72, 400 + 20 * row), "optional", fontsize=11, color=GREY)
    assert texts(lines_on(page), "watermark") == []

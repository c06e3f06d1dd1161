import pymupdf
import pytest

from pdfbatch.documents.textlayer.unwrap import Hyphens, joined_rows, rows_of
from tests.documents.sample_lines import line, lines_on, texts

JAPANESE = ["春の海は静かで船は港に", "並んでいる。夏になると", "子供たちが浜で遊ぶ。"]
CHINESE = ["春眠不觉晓处处闻啼鸟", "夜来风雨声花落知多少"]


def placed(columns: list[str], font: str, size: float, pitch: float, apart: float, page=None, top=100) -> pymupdf.Page:
    page = page or pymupdf.open().new_page()
    for column, text in enumerate(columns):
        for row, char in enumerate(text):
            page.insert_text((480 - apart * column, top + pitch * row), char, fontname=font, fontsize=size)
    return page


@pytest.mark.parametrize(
    ("columns", "font", "size", "pitch", "apart"),
    [
        (JAPANESE, "japan", 16, 20, 30),
        (JAPANESE, "japan", 10, 10.5, 18),
        (JAPANESE, "japan", 14, 17, 24),
        (CHINESE, "china-s", 20, 26, 40),
    ],
)
def test_characters_placed_one_by_one_form_columns_from_the_right(columns, font, size, pitch, apart):
    lines = lines_on(placed(columns, font, size, pitch, apart))
    assert texts(lines, "vertical") == columns
    pieces = joined_rows(rows_of(lines), Hyphens(lines))
    assert "".join(piece.text for piece in pieces) == "".join(columns)


def test_columns_below_each_other_are_two_texts():
    page = placed(CHINESE, "china-s", 16, 20, 30)
    lines = lines_on(placed(CHINESE, "china-s", 16, 20, 30, page, top=450))
    assert texts(lines, "vertical") == CHINESE * 2
    assert len({one.block for one in lines}) == 2


def test_a_horizontal_heading_beside_vertical_text_stays_horizontal():
    page = placed(JAPANESE, "japan", 16, 20, 30)
    page.insert_text((72, 60), "港の話", fontname="japan", fontsize=20)
    assert texts(lines_on(page)) == ["港の話"]


def test_the_cells_of_a_table_are_not_columns():
    page = pymupdf.open().new_page()
    for row in range(8):
        for left in (200, 300):
            page.insert_text((left, 100 + 24 * row), "有無"[row % 2], fontname="japan", fontsize=11)
    assert not texts(lines_on(page), "vertical")


def test_digits_below_each_other_are_not_columns():
    from pdfbatch.documents.textlayer.vertical import with_columns

    lines = [line(str(row), 100, 100 + 12 * row) for row in range(9)]
    assert with_columns(lines) == lines


def test_small_characters_beside_a_column_are_ruby_text():
    page = placed(JAPANESE, "japan", 16, 20, 30)
    for column, row, reading in [(0, 2, "うみ"), (1, 0, "なら")]:
        for number, char in enumerate(reading):
            place = (480 - 30 * column + 16.5, 100 + 20 * row - 9 + 6.5 * number)
            page.insert_text(place, char, fontname="japan", fontsize=6)
    lines = lines_on(page)
    assert texts(lines) == []
    assert texts(lines, "vertical") == [
        "春の海うみは静かで船は港に",
        "並ならんでいる。夏になると",
        "子供たちが浜で遊ぶ。",
    ]
    assert [p.text for one in lines for p in one.pieces if p.raised] == ["うみ", "なら"]

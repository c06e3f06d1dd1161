import pymupdf
import pytest

from pdfbatch.documents.textlayer.annotations import CheckBox
from pdfbatch.documents.textlayer.check_boxes import with_check_boxes
from pdfbatch.documents.textlayer.dingbats import signs_meant
from tests.documents.sample_lines import line, lines_on, texts


def marked(lines):
    return [(one.marker, one.text.strip()) for one in lines if one.role == "form_field"]


def add_box(page, kind, name, left, top, checked):
    widget = pymupdf.Widget()
    widget.field_name, widget.field_type, widget.field_value = name, kind, checked
    widget.rect = pymupdf.Rect(left, top, left + 12, top + 12)
    page.add_widget(widget)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("cropped", [False, True])
def test_check_boxes_show_whether_they_are_checked(rotation, cropped):
    page = pymupdf.open().new_page()
    for row, (label, checked) in enumerate([("Shore power", True), ("Fresh water", False), ("Insurance", True)]):
        add_box(page, pymupdf.PDF_WIDGET_TYPE_CHECKBOX, f"c{row}", 100, 200 + 24 * row, checked)
        page.insert_text((120, 211 + 24 * row), label, fontsize=11)
    if cropped:
        page.set_cropbox(pymupdf.Rect(50, 60, 500, 500))
    page.set_rotation(rotation)
    lines = lines_on(page)
    assert marked(lines) == [("[x]", "Shore power"), ("[ ]", "Fresh water"), ("[x]", "Insurance")]
    assert texts(lines) == []


def test_radio_buttons_in_a_row_each_have_the_label_to_their_right():
    page = pymupdf.open().new_page()
    for column, label in enumerate(["North", "South", "East"]):
        add_box(page, pymupdf.PDF_WIDGET_TYPE_CHECKBOX, f"r{column}", 72 + 90 * column, 200, column == 1)
        page.insert_text((90 + 90 * column, 210), label, fontsize=11)
    assert marked(lines_on(page)) == [("[ ]", "North"), ("[x]", "South"), ("[ ]", "East")]


def test_a_label_may_stand_to_the_left():
    lines = [line("I own a boat", 40, 100), line("I rent a berth", 40, 120)]
    boxes = [CheckBox((110, 90, 120, 100), True), CheckBox((110, 110, 120, 120), False)]
    assert marked(with_check_boxes(lines, boxes)) == [("[x]", "I own a boat"), ("[ ]", "I rent a berth")]


def test_a_box_without_a_label_is_a_line_with_its_name():
    lines = with_check_boxes([line("Some text elsewhere", 40, 300)], [CheckBox((40, 90, 50, 100), True, "Agreed")])
    assert marked(lines) == [("[x]", "Agreed")]


def test_the_mark_drawn_into_a_box_is_not_text():
    lines = with_check_boxes([line("3", 42, 100), line("Cash", 60, 100)], [CheckBox((40, 90, 50, 100), True)])
    assert marked(lines) == [("[x]", "Cash")]
    assert texts(lines) == []


@pytest.mark.parametrize(("sign", "marker"), [("☒", "[x]"), ("☑", "[x]"), ("☐", "[ ]"), ("\uf0fe", "[x]")])
def test_box_characters_in_the_text_are_check_boxes(sign, marker):
    assert marked(with_check_boxes([line(f"{sign} Cash", 40, 100)], [])) == [(marker, "Cash")]
    alone = [line(sign, 40, 100), line("Cash", 70, 100), line("Other text", 40, 140)]
    assert marked(with_check_boxes(alone, [])) == [(marker, "Cash")]


def test_text_fields_stay_where_they_are():
    page = pymupdf.open().new_page()
    page.insert_text((72, 100), "Name of the boat:", fontsize=11)
    widget = pymupdf.Widget()
    widget.field_name, widget.field_type, widget.field_value = "boat", pymupdf.PDF_WIDGET_TYPE_TEXT, "Grey Heron"
    widget.rect = pymupdf.Rect(190, 88, 400, 104)
    page.add_widget(widget)
    assert texts(lines_on(page)) == ["Name of the boat:", "Grey Heron"]


def drawn(page, top, label, mark=""):
    """Draw a square before a label, with a mark in it."""
    page.draw_rect(pymupdf.Rect(72, top, 82, top + 10))
    if mark == "cross":
        page.draw_line((72, top), (82, top + 10))
        page.draw_line((82, top), (72, top + 10))
    elif mark == "tick":
        page.draw_polyline([(74, top + 5), (76, top + 8), (80, top + 2)])
    elif mark == "filled":
        page.draw_rect(pymupdf.Rect(74, top + 2, 80, top + 8), color=None, fill=(0, 0, 0))
    elif mark:
        page.insert_text((73.5, top + 8.5), mark[0], fontsize=9, fontname=mark[1:] or "helv")
    page.insert_text((90, top + 9), label, fontsize=11)


@pytest.mark.parametrize("mark", ["cross", "tick", "filled", "x", "X", "4zadb", "8zadb"])
def test_drawn_squares_are_boxes_and_marks_in_them_check_them(mark):
    page = pymupdf.open().new_page()
    drawn(page, 200, "Shore power", mark)
    drawn(page, 220, "Fresh water")
    lines = lines_on(page)
    assert marked(lines) == [("[x]", "Shore power"), ("[ ]", "Fresh water")]
    assert texts(lines) == []


def test_squares_without_a_label_and_cells_of_a_grid_are_not_boxes():
    page = pymupdf.open().new_page()
    page.draw_rect(pymupdf.Rect(72, 100, 82, 110))
    for column in range(4):
        page.draw_rect(pymupdf.Rect(72 + 12 * column, 200, 84 + 12 * column, 212))
    page.insert_text((126, 210), "Post code", fontsize=11)
    assert marked(lines_on(page)) == []


@pytest.mark.parametrize(
    ("font", "checked", "unchecked"),
    [("zadb", "n", "o"), ("zadb", "l", "m"), ("Wingdings", "\xfe", "\xa8"), ("Wingdings", "\uf0fd", "\uf06f")],
)
def test_boxes_in_symbol_fonts_are_check_boxes(font, checked, unchecked):
    if font == "zadb":
        page = pymupdf.open().new_page()
        for row, (sign, label) in enumerate([(checked, "Shore power"), (unchecked, "Fresh water")]):
            page.insert_text((72, 200 + 20 * row), sign, fontname=font, fontsize=11)
            page.insert_text((90, 200 + 20 * row), label, fontsize=11)
        lines = lines_on(page)
    else:
        signs = [signs_meant(sign, "ABCDEF+Wingdings-Regular") for sign in (checked, unchecked)]
        lines = with_check_boxes(
            [line(f"{signs[0]} Shore power", 72, 100), line(f"{signs[1]} Fresh water", 72, 120)], []
        )
    assert marked(lines) == [("[x]", "Shore power"), ("[ ]", "Fresh water")]


def test_a_filled_and_an_empty_sign_in_one_row_are_choices():
    lines = with_check_boxes([line("◉ Adult", 72, 100), line("○ Child", 172, 100)], [])
    assert marked(lines) == [("[x]", "Adult"), ("[ ]", "Child")]


def test_bullets_of_nested_lists_are_not_choices():
    assert marked(with_check_boxes([line("● Boats", 72, 100), line("○ with a mast", 90, 120)], [])) == []

import pymupdf
import pytest

from tests.documents.sample_lines import lines_on

TEXT = "The tide tables are on the pages of the harbour office and are renewed."


def styled(page: pymupdf.Page, style: str):
    return [
        (piece.text.strip(), getattr(piece, style))
        for one in lines_on(page)
        for piece in one.pieces
        if getattr(piece, style)
    ]


def page_with_text(font: str = "tiro", size: float = 12) -> pymupdf.Page:
    page = pymupdf.open().new_page()
    page.insert_text((72, 100), TEXT, fontname=font, fontsize=size)
    return page


@pytest.mark.parametrize("font", ["tiro", "helv", "cour"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_words_under_a_link_get_its_uri(font, rotation):
    page = page_with_text(font, 9)
    for words, uri in [("tide tables", "https://a.example/x_(y)"), ("harbour office", "mailto:a@b.example")]:
        place = page.search_for(words)[0]
        page.insert_link({"kind": pymupdf.LINK_URI, "from": place, "uri": uri})
    page.set_rotation(rotation)
    assert styled(page, "link") == [
        ("tide tables", "https://a.example/x_(y)"),
        ("harbour office", "mailto:a@b.example"),
    ]
    assert "".join(piece.text for one in lines_on(page) for piece in one.pieces) == TEXT


def test_links_within_the_document_leave_the_text_alone():
    page = page_with_text()
    page.insert_link({"kind": pymupdf.LINK_GOTO, "from": page.search_for("tide tables")[0], "page": 0})
    assert styled(page, "link") == []


def strike(page: pymupdf.Page, words: str, how: str) -> None:
    box = page.search_for(words)[0]
    middle = 100 - 3.5
    if how == "annotation":
        page.add_strikeout_annot(box)
    elif how == "rule":
        page.draw_line((box.x0, middle), (box.x1, middle), width=0.8)
    elif how == "two rules":
        page.draw_line((box.x0, middle - 1), (box.x1, middle - 1))
        page.draw_line((box.x0, middle + 1), (box.x1, middle + 1))
    elif how == "thin box":
        page.draw_rect((box.x0, middle, box.x1, middle + 0.7), color=None, fill=(1, 0, 0))
    elif how == "underline":
        page.draw_line((box.x0, 101.5), (box.x1, 101.5))
    elif how == "long rule":
        page.draw_line((20, middle), (590, middle))


@pytest.mark.parametrize("how", ["annotation", "rule", "two rules", "thin box"])
@pytest.mark.parametrize("words", ["harbour office", "pages", "renewed."])
def test_words_with_a_rule_through_them_are_struck_out(how, words):
    page = page_with_text()
    strike(page, words, how)
    assert styled(page, "struck") == [(words, True)]


def test_an_underlined_word_is_not_struck_out():
    page = page_with_text()
    strike(page, "harbour office", "underline")
    assert styled(page, "struck") == []


def test_a_rule_across_the_page_does_not_strike_out_chart_labels():
    page = pymupdf.open().new_page()
    page.insert_text((72, 100), "label", fontsize=12)
    strike(page, "label", "long rule")
    assert styled(page, "struck") == []


def test_a_rule_through_one_letter_does_not_strike_it_out():
    page = pymupdf.open().new_page()
    page.insert_text((72, 100), "20", fontsize=12)
    page.draw_line((79.5, 96), (85, 96))
    assert styled(page, "struck") == []

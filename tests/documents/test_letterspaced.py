import pymupdf
import pytest

from pdfbatch.documents.textlayer.letterspaced import looks_spaced
from tests.documents.sample_lines import lines_on, texts


def spaced(text: str, size: float, gap: float) -> pymupdf.Page:
    page, left = pymupdf.open().new_page(), 72.0
    for char in text:
        page.insert_text((left, 100), char, fontsize=size)
        left += pymupdf.get_text_length(char, fontsize=size) + gap
    return page


@pytest.mark.parametrize("text", ["CHAPTER ONE", "INTRODUCTION", "NOTES ON THE TIDES"])
@pytest.mark.parametrize(("size", "gap"), [(12, 4), (16, 8), (20, 10), (9, 4)])
def test_letterspaced_words_are_closed(text, size, gap):
    assert texts(lines_on(spaced(text, size, gap))) == [text]


def test_words_typed_with_blanks_between_their_letters_are_closed():
    page = pymupdf.open().new_page()
    page.insert_text((72, 100), "S U M M A R Y   O F   R E S U L T S", fontsize=14)
    page.insert_text((72, 130), "Das ist w i c h t i g und bleibt.", fontsize=11)
    assert texts(lines_on(page)) == ["SUMMARY OF RESULTS", "Das ist wichtig und bleibt."]


@pytest.mark.parametrize("text", ["A B C D E F", "x y z t", "J. R. R. Tolkien", "A C B D A", "S M T W T F S", "U S A"])
def test_letters_that_form_no_word_stay_apart(text):
    assert not looks_spaced(text)
    page = pymupdf.open().new_page()
    page.insert_text((72, 100), text, fontsize=11)
    assert texts(lines_on(page)) == [text]

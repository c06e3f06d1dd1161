import pymupdf
import pytest

from pdfbatch.documents.textlayer.bidi import Glyph
from pdfbatch.documents.textlayer.lines import RAW_FLAGS
from pdfbatch.documents.textlayer.twice import once, printed_once
from tests.documents.sample_lines import MODEL_FLAGS, line, lines_on, texts

TEXT = "The slipway is closed until March."


def page() -> pymupdf.Page:
    return pymupdf.open().new_page()


@pytest.mark.parametrize("flags", [RAW_FLAGS, MODEL_FLAGS])
@pytest.mark.parametrize("size", [8, 11, 24, 40])
@pytest.mark.parametrize("shifts", [[0, 0.03], [0.03, 0], [0, 0.03, 0.05], [0, 0.02, 0.04, 0.06], [-0.06, 0]])
def test_lines_printed_twice_are_read_once_as_bold(flags: int, size: float, shifts: list[float]):
    made = page()
    for shift in shifts:
        made.insert_text((80 + shift * size, 100 + shift * size), "Closed until May", fontsize=size)
    lines = lines_on(made, flags)
    assert texts(lines) == ["Closed until May"]
    assert all(piece.bold for piece in lines[0].pieces)


@pytest.mark.parametrize("flags", [RAW_FLAGS, MODEL_FLAGS])
def test_words_printed_twice_one_by_one_are_read_once(flags: int):
    made, left = page(), 72.0
    for word in TEXT.split():
        for shift in (0, 0.4):
            made.insert_text((left + shift, 100), word, fontsize=12)
        left += pymupdf.get_text_length(word + " ", fontsize=12)
    assert " ".join(texts(lines_on(made, flags))) == TEXT


def test_only_the_word_printed_again_is_bold():
    whole = line("Only one word is strong", 0, 10)
    (kept,) = once([whole, line("word", 45.4, 10)])
    assert [piece.text for piece in kept.pieces if piece.bold] == ["word"]
    assert kept.text == whole.text


def test_the_same_text_in_another_place_is_kept():
    lines = [line("10", 0, 10), line("10", 14, 10), line("10", 0, 22), line("the the", 50, 10), line("the", 90, 10)]
    assert once(lines) == lines


def test_a_hidden_copy_does_not_make_text_bold():
    (kept,) = once([line("Total", 0, 10), line("Total", 0.2, 10, hidden=True)])
    assert not kept.pieces[0].bold


def test_double_letters_are_not_letters_printed_twice():
    glyphs = [Glyph(char, 2.4 * place, 2.4 * place + 2.4) for place, char in enumerate("illl")]
    assert len(printed_once(glyphs, 11)) == 4

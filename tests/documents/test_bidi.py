import pytest

from pdfbatch.documents.textlayer.bidi import Glyph, line_runs_to_left, logical_order, runs_to_left

HARBOUR = "נמל"
BOOK = "ספר"
# In visual order from left to right, and in reading order.
LINES = [
    (f"{BOOK[::-1]} {HARBOUR[::-1]}", f"{HARBOUR} {BOOK}"),
    (f".{BOOK[::-1]} 45000 {HARBOUR[::-1]}", f"{HARBOUR} 45000 {BOOK}."),
    (f".1,204.50 {HARBOUR[::-1]}", f"{HARBOUR} 1,204.50."),
    (f"8:30 {HARBOUR[::-1]} 12/05/2024 {BOOK[::-1]}", f"{BOOK} 12/05/2024 {HARBOUR} 8:30"),
    (f"50% {HARBOUR[::-1]}", f"{HARBOUR} 50%"),
    (f".Adobe Reader 9 {HARBOUR[::-1]}", f"{HARBOUR} Adobe Reader 9."),
    (f"({BOOK[::-1]}) {HARBOUR[::-1]}", f"{HARBOUR} ({BOOK})"),
    (f"{HARBOUR[::-1]} {BOOK[::-1]} [7]", f"[7] {BOOK} {HARBOUR}"),
]
ARABIC = "مرحبا"


def seen(text: str, gap: float = 0.0) -> list[Glyph]:
    return [Glyph(char, 6 * place, 6 * place + 6 - gap) for place, char in enumerate(text)]


def read(glyphs: list[Glyph], to_left: bool = True) -> str:
    return "".join(glyph.text for glyph in logical_order(glyphs, to_left, 10, 0.17))


@pytest.mark.parametrize(("shown", "wanted"), LINES)
def test_a_line_in_visual_order_is_put_into_reading_order(shown: str, wanted: str):
    assert read(seen(shown)) == wanted


@pytest.mark.parametrize(("shown", "wanted"), LINES)
def test_the_stored_order_of_letters_does_not_matter(shown: str, wanted: str):
    glyphs = seen(shown)
    assert read(glyphs[::-1]) == read(glyphs[3:] + glyphs[:3]) == wanted


def test_arabic_signs_beside_numbers_are_not_part_of_them():
    assert read(seen(f"%50 {ARABIC[::-1]}")) == f"{ARABIC} 50%"


def test_brackets_stored_by_their_meaning_are_kept():
    assert read(seen(f"){BOOK[::-1]}( {HARBOUR[::-1]}")) == f"{HARBOUR} ({BOOK})"


def test_in_a_latin_sentence_only_the_right_to_left_words_are_reversed():
    shown = f"The word {BOOK[::-1]} {HARBOUR[::-1]} is two words."
    assert read(seen(shown), to_left=False) == f"The word {HARBOUR} {BOOK} is two words."


def test_vowel_points_stay_after_their_letter():
    glyphs = [Glyph("\u05b8", 7, 9), Glyph("ב", 0, 6), Glyph("א", 6, 12)]
    assert read(glyphs) == "א\u05b8ב"


def test_the_letters_of_one_glyph_stay_in_order():
    glyphs = [Glyph("ل", 0, 6), Glyph("ا", 6, 6), Glyph("ن", 8, 14)]
    assert read(glyphs, to_left=True).replace(" ", "") == "نلا"


def test_a_gap_is_a_blank_and_two_blanks_are_one():
    glyphs = [Glyph("א", 20, 26), Glyph("ב", 10, 16), Glyph(" ", 16, 18), Glyph(" ", 18, 20), Glyph("ג", 0, 6)]
    assert read(glyphs) == "א ב ג"


@pytest.mark.parametrize(
    ("shown", "paragraph", "wanted"),
    [
        (f".LibreOffice Writer {HARBOUR[::-1]}", False, True),
        (f"The {HARBOUR[::-1]} is near.", True, False),
        (f"LibreOffice {HARBOUR[::-1]}", True, True),
        (f"{HARBOUR[::-1]} 12:", False, True),
    ],
)
def test_a_line_runs_towards_the_end_of_its_sentence(shown: str, paragraph: bool, wanted: bool):
    assert line_runs_to_left(seen(shown), paragraph) is wanted


def test_words_and_not_letters_decide_the_direction_of_a_text():
    assert runs_to_left(f"{HARBOUR} {BOOK} LibreOfficeWriter")
    assert not runs_to_left(f"{HARBOUR} two words")

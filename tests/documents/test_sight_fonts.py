"""Fonts with a wrong map are found by reading a line from the picture; good fonts are never replaced."""

from __future__ import annotations

import pymupdf
import pytest

from pdfbatch.documents.reading import read_page
from pdfbatch.documents.sight.fonts import (
    Font,
    FontBook,
    FontSample,
    FontVerdict,
    best_samples,
    has_swapped_letters,
    verdict_of,
)
from pdfbatch.records import PageResult
from tests.documents.sight_pages import (
    SENTENCES,
    blank,
    half_missing,
    honest,
    saved,
    shifted,
    shuffled,
    swapped,
    write,
    write_mapped,
)
from tests.pages import markdown_of


def read(page: pymupdf.Page, tmp_path) -> PageResult:
    return read_page(saved(page, tmp_path / "a.pdf"), 1).page


BAD_MAPS = {
    "shifted by 29": shifted(29),
    "shifted by 1": shifted(1),
    "shuffled": shuffled(3),
    "vowels swapped": swapped("ae", "ot"),
    "half missing": half_missing,
    "shifted, stops without meaning": lambda char: "\ufffd" if char == "." else shifted(29)(char),
    "shifted down, into controls": lambda char: chr(max(1, ord(char) - 29)),
    "all private": lambda char: chr(0xE000 + ord(char)),
    "all blanks": lambda char: " ",
    "all one letter": lambda char: "x",
}


@pytest.mark.parametrize("name", BAD_MAPS)
def test_lines_in_a_font_with_a_bad_map_are_read_from_the_picture(tmp_path, name):
    page = blank()
    write(page, SENTENCES[:3])
    write_mapped(page, SENTENCES[3:7], 140, BAD_MAPS[name])
    text = " ".join(markdown_of(read(page, tmp_path)).split())
    for sentence in SENTENCES[:7]:
        assert sentence in text


def test_a_page_with_a_misread_font_is_flagged(tmp_path):
    page = blank()
    write(page, SENTENCES[:3])
    write_mapped(page, SENTENCES[3:7], 140, shifted(29))
    assert "font_misread" in read(page, tmp_path).flags


@pytest.mark.parametrize("fontname", ["helv", "tiro", "cour", "tibi", "hebo", "heit"])
@pytest.mark.parametrize("size", [7, 11, 20])
def test_a_good_font_is_never_replaced(tmp_path, fontname, size):
    page = blank(720, 600)
    write(page, SENTENCES, size=size, fontname=fontname)
    result = read(page, tmp_path)
    assert result.flags == []
    for sentence in SENTENCES:
        assert sentence in " ".join(markdown_of(result).split()).replace("*", "")


def test_a_good_font_with_a_map_of_its_own_is_never_replaced(tmp_path):
    page = blank()
    write_mapped(page, SENTENCES, 40, honest)
    assert read(page, tmp_path).flags == []


def test_one_disagreeing_line_does_not_condemn_a_font():
    good, bad = FontSample(SENTENCES[0], SENTENCES[0], 0.99), FontSample(SENTENCES[1], "nothing of the kind here", 0.99)
    assert verdict_of([bad]) is FontVerdict.UNKNOWN
    assert verdict_of([bad, bad]) is FontVerdict.MISREAD
    assert verdict_of([bad, good]) is not FontVerdict.MISREAD


def test_results_with_low_confidence_do_not_count():
    assert verdict_of([FontSample(SENTENCES[0], "nothing of the kind here", 0.7)] * 3) is FontVerdict.UNKNOWN


@pytest.mark.parametrize(
    ("layer", "seen"),
    [
        ("Начальник порта записывает прилив", "             ."),
        ("ΕΛΛΗΝΙΚΗ ΔΗΜΟΚΡΑΤΙΑ ΤΜΗΜΑ", "EAΛHNIKH ΔHMOKPATIA TMHMA"),
        ("שלום לכולם וברוכים הבאים לנמל", "00000 0000 000000 0000"),
        ("МОСКВА РЕКОРД ТОРГ НЕТ РОССИЯ", "MOCKBA PEKOPД TOPГ HET"),
    ],
)
def test_a_script_unknown_to_the_recogniser_is_not_a_wrong_map(layer, seen):
    assert verdict_of([FontSample(layer, seen, 0.98)] * 2) is FontVerdict.UNKNOWN
    assert Font(samples=[FontSample(layer, seen, 0.98)]).agreement == 1.0


def test_small_latin_letters_seen_under_another_script_are_a_wrong_map():
    shifted_to = "".join(chr(0x400 + ord(char) - 33) if char > " " else char for char in SENTENCES[0])
    assert verdict_of([FontSample(shifted_to, SENTENCES[0], 0.98)] * 2) is FontVerdict.MISREAD


def test_a_single_heading_in_its_own_font_can_condemn_it():
    wrong = FontSample("o4+$2 .% 3'$ '~1!.41", "Rules of the harbour", 0.99)
    assert verdict_of([wrong], is_all=True) is FontVerdict.MISREAD
    assert verdict_of([wrong]) is FontVerdict.UNKNOWN
    assert verdict_of([wrong._replace(sure=0.94)], is_all=True) is FontVerdict.UNKNOWN
    assert (
        verdict_of([FontSample("Fees of the barbers", "Rules of the harbour", 0.99)], is_all=True)
        is FontVerdict.UNKNOWN
    )


def test_numbers_in_cells_are_read_together():
    rows = [span(text, box=(0, 20 * n, 30, 20 * n + 12)) for n, text in enumerate(["4244", "6483", "5153", "4257"] * 2)]
    seen = {"4244": "1911", "6483": "3150", "5153": "2820", "4257": "1924"}
    book = FontBook()
    book.check(rows, lambda one: (seen[one["text"]], 0.99))
    assert book.misread() == {"F"}
    book = FontBook()
    book.check(rows, lambda one: (one["text"], 0.99))
    assert book.misread() == set()


@pytest.mark.parametrize(
    ("layer", "seen", "verdict"),
    [
        ("tHE HARBOUR MASTER", "The harbour master", FontVerdict.MISREAD),
        ("The hArbour mAster And the gAtes", "The harbour master and the gates", FontVerdict.MISREAD),
        ("The Harbour Master", "THE HARBOUR MASTER", FontVerdict.RIGHT),  # small capitals
        ("THE HARBOUR MASTER", "THE HARBOUR MASTER", FontVerdict.RIGHT),
    ],
)
def test_capitals_seen_as_small_letters_are_a_wrong_map(layer, seen, verdict):
    assert verdict_of([FontSample(layer, seen, 0.99)] * 3) is verdict


def test_a_sum_in_a_font_of_its_own_is_compared_with_the_picture(tmp_path):
    page = blank()
    write(page, SENTENCES[:3])
    write_mapped(page, ["4,310.00"], 150, swapped("0123", "5678"))
    result = read_page(saved(page, tmp_path / "a.pdf"), 1).page
    assert "4,310.00" in markdown_of(result)


def test_letters_that_look_alike_are_not_swapped():
    samples = [FontSample("IIIegal 1etters 0f 0ur 0wn", "illegal letters of our own", 0.99)] * 2
    assert not has_swapped_letters(samples)
    samples = [FontSample("the ketter was sent ko the ketkle", "the better was sent bo the bebble", 0.99)] * 2
    assert has_swapped_letters(samples)


def span(text: str, box=(0, 0, 200, 12), direction=(1, 0), font="F") -> dict:
    return {"text": text, "bbox": box, "dir": direction, "font": font}


@pytest.mark.parametrize(
    "unfit",
    [
        span("short"),
        span("x = a + b − c · d / (e − f)"),
        span(SENTENCES[0], direction=(0.8, 0.6)),
    ],
)
def test_formulas_and_slanted_lines_are_not_samples(unfit):
    assert best_samples([unfit], [unfit]) == []


def test_a_line_crossed_by_another_is_not_a_sample():
    one, other = span(SENTENCES[0]), span("DRAFT", box=(50, 2, 150, 30))
    assert best_samples([one], [one, other]) == []
    assert best_samples([one], [one]) == [one]


def test_the_shortest_line_with_enough_letters_is_read_first():
    texts = [
        "The harbour master writes down each tide and each ship that comes in with it before noon",
        "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
        "The ships that leave at night pay nothing for the pilot boat",
        "Rules of the harbour",
    ]
    spans = [span(text, box=(0, 20 * n, 300, 20 * n + 12)) for n, text in enumerate(texts)]
    assert [one["text"] for one in best_samples(spans, spans)] == [texts[2], texts[0], texts[3]]


def test_a_font_is_read_once_per_document():
    book, asked = FontBook(), []

    def look(span):
        asked.append(span["text"])
        return span["text"], 0.99

    for _ in range(5):
        book.check([span(SENTENCES[0]), span(SENTENCES[1], box=(0, 20, 200, 32))], look)
    assert len(asked) == 1


def test_text_read_from_the_picture_takes_the_place_of_the_old(tmp_path):
    page = blank()
    write_mapped(page, ["Rules of the harbour"], 20, shifted(29))
    write(page, SENTENCES[:4], top=90)
    elements = read(page, tmp_path).elements
    assert elements[0].text == "Rules of the harbour"
    assert [element.source for element in elements] == ["ocr"] + ["layer"] * (len(elements) - 1)

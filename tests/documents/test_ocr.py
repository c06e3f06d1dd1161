"""Scans read with the real RapidOCR: generated pictures of text, and real scans if available."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pymupdf
import pytest

from pdfbatch.documents.ocr import scan as ocr
from pdfbatch.documents.ocr.decode import decode
from pdfbatch.documents.ocr.page import ScanPage, read_scan
from pdfbatch.documents.ocr.searchable import OcrLine, searchable
from pdfbatch.documents.textlayer.words import words_of
from pdfbatch.records import PageResult
from tests.markdown_words import words_of_markdown
from tests.pages import markdown_of

SAMPLES = Path(__file__).parents[3] / "shared" / "pdfs"
PARAGRAPHS = (
    "The quick brown fox jumps over the lazy dog while seventeen engineers measure the temperature of the river.",
    "In the second paragraph nothing is said about foxes, although several animals are mentioned by accident.",
)
WORDS = words_of("\n".join(PARAGRAPHS))


def scan_of(draw, width: float = 420, height: float = 595) -> pymupdf.Page:
    """Return a page with only a picture of what `draw` puts on another page."""
    source = pymupdf.open().new_page(width=width, height=height)
    draw(source)
    page = pymupdf.open().new_page(width=width, height=height)
    page.insert_image(page.rect, pixmap=source.get_pixmap(dpi=150))
    return page


def two_paragraphs(page: pymupdf.Page) -> None:
    for number, text in enumerate(PARAGRAPHS):
        page.insert_textbox(pymupdf.Rect(40, 60 + 120 * number, 380, 160 + 120 * number), text, fontsize=13)


def two_columns(page: pymupdf.Page) -> None:
    for number, text in enumerate(PARAGRAPHS):
        page.insert_textbox(pymupdf.Rect(40 + 180 * number, 60, 200 + 180 * number, 400), text, fontsize=11)


def _markdown(read: ScanPage) -> str:
    return markdown_of(PageResult(number=1, elements=read.elements))


def words_kept(markdown: str) -> float:
    return (WORDS & words_of_markdown(markdown)).total() / WORDS.total()


def test_a_scan_becomes_paragraphs():
    read = read_scan(scan_of(two_paragraphs), 1)
    assert words_kept(_markdown(read)) == 1
    assert len(_markdown(read).split("\n\n")) == 2
    assert read.turned == 0
    assert read.confidence > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_sideways_or_upside_down_scan_is_read_upright(turned):
    page = scan_of(two_paragraphs)
    page.set_rotation(turned)
    read = read_scan(page, 1)
    assert " ".join(_markdown(read).split()) == " ".join(PARAGRAPHS)
    assert (turned + read.turned) % 360 == 0


def test_a_crooked_scan_is_read_whole():
    upright = scan_of(two_paragraphs).get_pixmap(dpi=150)
    pixels = np.frombuffer(upright.samples, np.uint8).reshape(upright.height, upright.width, 3)
    assert words_kept(_text(ocr.read_picture(ocr.orientation.level(pixels, 4.0), 150 / 72))) >= 0.95


def test_two_columns_are_read_one_after_the_other():
    markdown = _markdown(read_scan(scan_of(two_columns), 1))
    assert words_kept(markdown) >= 0.95
    assert markdown.index("temperature") < markdown.index("second")


def test_a_blank_scan_is_empty():
    assert read_scan(scan_of(lambda page: None), 1) == ScanPage([], {}, 0, 1.0)


@pytest.mark.slow
def test_a_strip_is_read_to_its_end_without_repeating_a_line():
    def lines(page):
        for number in range(60):
            page.insert_text((30, 40 + 50 * number), f"Milestone number {1000 + number}", fontsize=14)

    read = read_scan(scan_of(lines, width=220, height=3040), 1)
    assert [word for word in _markdown(read).split() if word.isdigit()] == [str(1000 + number) for number in range(60)]


def test_accents_are_read():
    text = "Über die Straße führt ein façade déjà vu señor"
    read = read_scan(scan_of(lambda page: page.insert_text((40, 100), text, fontsize=14)), 1)
    assert set(text.split()) - set(_markdown(read).split()) == set()


def test_nothing_is_printed(capfd):
    read_scan(scan_of(two_paragraphs), 1)
    assert capfd.readouterr() == ("", "")


def test_the_same_page_reads_the_same_twice():
    page = scan_of(two_columns)
    assert read_scan(page, 1) == read_scan(page, 1)


def test_this_installation_can_read_scans():
    assert ocr.available()


@pytest.mark.parametrize(
    ("line", "believed"),
    [
        (OcrLine("Ordinary words", 0.7, (0, 0, 9, 9)), True),
        (OcrLine("Ordinary words", 0.4, (0, 0, 9, 9)), False),
        (OcrLine("12", 0.95, (0, 0, 9, 9)), True),
        (OcrLine("lj", 0.6, (0, 0, 9, 9)), False),
        (OcrLine("-.,", 0.99, (0, 0, 9, 9)), False),
    ],
)
def test_specks_are_not_taken_for_text(line, believed):
    assert ocr.is_text(line) == believed


def test_an_unlikely_space_between_letters_is_kept():
    signs = ["blank", "o", "f", "t", " "]
    steps = np.zeros((7, 5), np.float32)
    steps[[0, 2, 4], [1, 2, 3]] = 0.9
    steps[[1, 3, 5, 6], 0] = 0.9
    assert decode(steps, signs)[0] == "oft"
    steps[3, 4] = 0.08
    text, sure = decode(steps, signs)
    assert text == "of t"
    assert sure == pytest.approx(0.9)


def test_repeated_steps_are_one_letter_and_blanks_are_no_text():
    signs = ["blank", "o", " "]
    assert decode(np.eye(3, dtype=np.float32)[[1, 1, 0, 1]], signs)[0] == "oo"
    assert decode(np.eye(3, dtype=np.float32)[[0, 0]], signs) == ("", 0.0)


@pytest.mark.parametrize(("turn", "direction"), [(0, (1, 0)), (90, (0, -1)), (270, (0, 1))])
def test_a_line_is_put_into_its_box_in_its_direction(turn, direction):
    box = (50, 100, 250, 120) if turn == 0 else (50, 100, 70, 300)
    with searchable(
        np.full((800, 700, 3), 255, np.uint8), 1.0, [OcrLine("Sideways words", 1.0, box, turn)]
    ) as document:
        ((line,),) = [block["lines"] for block in document[0].get_text("dict")["blocks"] if block["type"] == 0]
    assert line["dir"] == pytest.approx(direction)
    assert line["spans"][0]["text"].strip() == "Sideways words"
    assert abs(pymupdf.Rect(line["bbox"]) & pymupdf.Rect(box)) > 0.75 * abs(pymupdf.Rect(box))


@pytest.mark.slow
@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample PDFs are not here")
def test_a_real_scan_turned_loses_no_words():
    with pymupdf.open(SAMPLES / "docling__sample_with_rotation_mismatch.pdf") as document:
        upright = words_of(_markdown(read_scan(document[0], 1)))
        document[0].set_rotation((document[0].rotation + 90) % 360)
        found = words_of(_markdown(read_scan(document[0], 1)))
    assert (upright & found).total() >= 0.98 * upright.total()


def _text(reading: ocr.Reading) -> str:
    return "\n".join(line.text for line in reading.lines)

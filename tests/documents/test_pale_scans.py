"""Scans with ink hardly darker than the paper are read like others; blank and ordinary ones stay the same."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pymupdf
import pytest

from pdfbatch.documents.ocr.pale import pale_rest, range_of, spread
from pdfbatch.documents.reading import read_page
from tests.documents.sight_pages import SENTENCES, blank, saved, write
from tests.pages import markdown_of

NARROW = 230
SHORT = [" ".join(line.split()[:5]) for line in SENTENCES[:5]]
"""What fits a narrow page: the time of the recogniser is that of the print."""


def pale(
    paper: int,
    contrast: int,
    noise: float = 0.0,
    mirrored: bool = False,
    lines: Sequence[str] = SHORT,
    width: float = NARROW,
) -> np.ndarray:
    """Return a grey picture of the lines on `paper`, its ink `contrast` shades darker."""
    page = blank(width)
    write(page, lines)
    pixmap = page.get_pixmap(dpi=150, colorspace=pymupdf.csGRAY)
    gray = np.frombuffer(pixmap.samples, np.uint8).reshape(pixmap.height, pixmap.width).astype(float)
    if mirrored:
        gray = cv2.GaussianBlur(gray[:, ::-1], (0, 0), 1.5)
    gray = paper - contrast * (1 - gray / 255) + np.random.default_rng(1).normal(0, noise, gray.shape)
    return gray.clip(0, 255).astype(np.uint8)


def put(page: pymupdf.Page, gray: np.ndarray, top: float = 0) -> None:
    picture = pymupdf.Pixmap(pymupdf.csGRAY, gray.shape[1], gray.shape[0], gray.tobytes(), False)
    page.insert_image(pymupdf.Rect(0, top, page.rect.width, page.rect.height), pixmap=picture)


def text_of(page: pymupdf.Page, tmp_path) -> str:
    return " ".join(markdown_of(read_page(saved(page, tmp_path / "a.pdf"), 1).page).split())


@pytest.mark.parametrize("noise", [0, 3])
@pytest.mark.parametrize("contrast", [25, 35, 45])
@pytest.mark.parametrize("paper", [255, 200])
def test_a_pale_scan_is_read(tmp_path, paper, contrast, noise):
    page = blank(NARROW)
    put(page, pale(paper, contrast, noise))
    text = text_of(page, tmp_path)
    assert [line for line in SHORT if line not in text] == []


@pytest.mark.parametrize("contrast", [25, 40])
def test_pale_print_beside_a_dark_stamp_is_read(tmp_path, contrast):
    page = blank(NARROW)
    put(page, pale(255, contrast))
    page.insert_text((40, 330), "RECEIVED 3 May 2021", fontsize=16)
    text = text_of(page, tmp_path)
    assert [line for line in [*SHORT, "RECEIVED 3 May 2021"] if line not in text] == []


def test_the_grain_of_ordinary_paper_is_not_pale_print():
    page = pale(235, 200, 6, lines=SENTENCES, width=420)
    lines = [(60.0, 90.0 + 36 * row, 800.0, 130.0 + 36 * row) for row in range(len(SENTENCES))]
    assert pale_rest(cv2.cvtColor(page, cv2.COLOR_GRAY2RGB), lines) is None


@pytest.mark.parametrize("contrast", [25, 40])
def test_a_pale_picture_on_a_typed_page_is_read(tmp_path, contrast):
    page = blank(NARROW, 800)
    write(page, [line.upper() for line in SHORT], top=40)
    put(page, pale(255, contrast), top=400)
    text = text_of(page, tmp_path)
    assert [line for line in SHORT if line not in text] == []


def test_a_pale_picture_under_text_adds_nothing(tmp_path):
    page = blank()
    put(page, pale(255, 30, lines=SENTENCES, width=420))
    write(page, [line.upper() for line in SENTENCES], top=49)
    text = text_of(page, tmp_path)
    assert not any(line in text for line in SENTENCES)


@pytest.mark.parametrize("contrast", [15, 25, 40])
def test_print_showing_through_from_the_back_is_not_read(tmp_path, contrast):
    page = blank(NARROW)
    put(page, pale(250, contrast, 2, mirrored=True))
    assert text_of(page, tmp_path) == ""


def test_blank_paper_and_ordinary_print_are_not_pale():
    assert not range_of(pale(230, 0, 1)).is_pale
    assert not range_of(pale(255, 100)).is_pale
    assert not range_of(np.zeros((0, 5), np.uint8)).is_pale


def test_stretched_shades_reach_from_ink_to_white():
    gray = np.array([[200, 225, 230]], np.uint8)
    assert spread(gray, range_of(gray)).tolist()[0][2] == 255
    assert spread(gray, range_of(gray)).min() < 60

"""Draw pages: limits hold before anything is drawn, and long strips are cut without losing a line."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pymupdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.documents.pdf import raster
from pdfbatch.documents.pdf.failures import TooLarge
from pdfbatch.documents.pdf.raster import cuts, fitting_scale, ink_box, own_dpi, rasterise, tiles

SIDES = st.floats(1, 200_000)


def page_of(width: float, height: float) -> pymupdf.Page:
    return pymupdf.open().new_page(width=width, height=height)


def page_with_declared_picture(width: int, height: int) -> pymupdf.Page:
    """Return a page whose single image only declares its size, without data."""
    page = page_of(600, 800)
    page.insert_image(page.rect, pixmap=pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 4, 4)))
    xref = page.get_images()[0][0]
    page.parent.xref_set_key(xref, "Width", str(width))
    page.parent.xref_set_key(xref, "Height", str(height))
    return page


def test_a_page_is_drawn_at_the_requested_resolution():
    drawn = rasterise(page_of(360, 720), dpi=100)
    assert drawn.pixels.shape == (1000, 500, 3)
    assert drawn.pixels.dtype == np.uint8
    assert drawn.scale == pytest.approx(100 / 72)


def test_a_poster_is_drawn_smaller_than_requested():
    drawn = rasterise(page_of(36_000, 18_000), dpi=200, max_pixels=1_000_000, max_side=8_000)
    assert drawn.pixels.shape[0] * drawn.pixels.shape[1] <= 1_000_000 * 1.01
    assert drawn.pixels.shape[1] == pytest.approx(2 * drawn.pixels.shape[0], rel=0.01)


@given(SIDES, SIDES, st.floats(0.1, 10), st.integers(10_000, 10**8), st.integers(100, 10**5))
def test_the_scale_keeps_within_both_limits(width, height, wished, max_pixels, max_side):
    scale = fitting_scale(width, height, wished, max_pixels, max_side)
    assert 0 < scale <= wished
    assert max(width, height) * scale <= max_side * 1.001
    assert width * height * scale**2 <= max_pixels * 1.001


def test_an_image_that_declares_gigabytes_is_refused_before_it_is_decoded():
    with pytest.raises(TooLarge, match="too large: an image of 40000 x 40000 pixels"):
        rasterise(page_with_declared_picture(40_000, 40_000))


def test_a_picture_of_ordinary_size_is_not_refused():
    rasterise(page_with_declared_picture(5_000, 7_000), dpi=20)


@given(SIDES, SIDES)
def test_cuts_cover_the_length_without_gap_or_overlap(first, second):
    breadth, length = sorted((first, second))
    pieces = cuts(length, breadth)
    assert pieces[0][0] == 0
    assert pieces[-1][1] == pytest.approx(length)
    assert all(end == pytest.approx(start) for (_, end), (start, _) in pairwise(pieces))
    assert len(pieces) <= raster.MAX_TILES


def test_ordinary_paper_is_one_tile():
    assert [tile.raster.clip for tile in tiles(page_of(595, 842), dpi=20)] == [pymupdf.Rect(0, 0, 595, 842)]


@pytest.mark.parametrize(("width", "height"), [(200, 4000), (4000, 200)])
def test_a_strip_is_cut_into_tiles_that_overlap(width, height):
    pieces = list(tiles(page_of(width, height), dpi=20))
    assert len(pieces) > 1
    for one, next_one in pairwise(pieces):
        assert abs(one.raster.clip & next_one.raster.clip) > 0
        assert one.last == next_one.first


def test_the_resolution_of_a_pages_image_is_known():
    page = page_of(72, 144)
    page.insert_image(page.rect, pixmap=pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 300, 600)))
    assert own_dpi(page) == pytest.approx(300)
    assert own_dpi(page_of(72, 144)) == 0


def test_ink_is_found_with_a_margin_and_a_blank_picture_has_none():
    pixels = np.full((400, 600, 3), 255, np.uint8)
    assert ink_box(pixels) is None
    pixels[100:120, 200:300] = 0
    left, top, right, bottom = ink_box(pixels)
    assert 150 < left < 200 < 300 < right < 350
    assert 50 < top < 100 < 120 < bottom < 170

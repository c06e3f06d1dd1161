"""Pages drawn for a model: in the requested size, upright according to their text, and failures as results."""

from __future__ import annotations

import numpy as np
import pymupdf
import pytest

from pdfbatch.documents.picture import Drawn, draw_page, draw_page_to_side
from pdfbatch.records import PageResult, Reason
from tests.documents.sample_pages import LINES, saved, scan_of, text_pdf, turned_pdf, write_lines


def drawn(result: Drawn | PageResult) -> Drawn:
    assert isinstance(result, Drawn)
    return result


def alike(one: Drawn, other: Drawn) -> bool:
    """Compare except for the edges of letters, which MuPDF smooths differently when rotated."""
    same_size = one.pixels.shape == other.pixels.shape
    return same_size and np.abs(one.pixels.astype(int) - other.pixels).mean() < 3


def test_a_page_is_drawn_at_the_requested_resolution(tmp_path):
    page = drawn(draw_page(text_pdf(tmp_path / "a.pdf"), 1, 200, 896))
    assert page.pixels.shape == (2339, 1653, 3)
    assert page.dpi == pytest.approx(200)
    assert page.turned == 0


def test_a_small_page_is_drawn_at_least_as_large_as_the_models_pictures(tmp_path):
    document = pymupdf.open()
    document.new_page(width=100, height=50)
    page = drawn(draw_page(saved(document, tmp_path / "a.pdf"), 1, 200, 896))
    assert page.pixels.shape == (448, 896, 3)
    assert page.dpi == pytest.approx(72 * 8.96)


def test_a_poster_is_drawn_at_a_lower_resolution(tmp_path):
    document = pymupdf.open()
    document.new_page(width=14_000, height=200)
    page = drawn(draw_page(saved(document, tmp_path / "a.pdf"), 1, 200, 896))
    assert page.pixels.shape[1] <= 8000
    assert page.dpi < 200


@pytest.mark.parametrize("size", [(595.28, 841.89), (612, 792), (841.89, 595.28), (333.3, 1000.7), (20, 30)])
@pytest.mark.parametrize("rotation", [0, 90])
def test_a_page_drawn_to_a_side_matches_the_published_program(tmp_path, size, rotation):
    document = pymupdf.open()
    page = document.new_page(width=size[0], height=size[1])
    write_lines(page, LINES)
    page.set_rotation(rotation)
    path = saved(document, tmp_path / "a.pdf")
    page = pymupdf.open(path)[0]
    scale = 896 / max(page.rect.width, page.rect.height)
    published = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale))
    ours = drawn(draw_page_to_side(path, 1, 896)).pixels
    assert ours.shape == (published.height, published.width, 3)
    assert ours.tobytes() == published.samples


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_text_on_an_upright_page_is_turned_upright(tmp_path, degrees):
    upright = text_pdf(tmp_path / "a.pdf")
    turned = turned_pdf(tmp_path / "b.pdf", upright, degrees)
    expected, page = (drawn(draw_page(path, 1, 72, 100)) for path in (upright, turned))
    assert page.turned == degrees  # they were turned counterclockwise
    assert alike(page, expected)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotation_entry_that_lays_the_text_on_its_side_is_undone(tmp_path, degrees):
    upright = text_pdf(tmp_path / "a.pdf")
    document = pymupdf.open(upright)
    document[0].set_rotation(degrees)
    page = drawn(draw_page(saved(document, tmp_path / "b.pdf"), 1, 72, 100))
    assert page.turned == 360 - degrees
    assert alike(page, drawn(draw_page(upright, 1, 72, 100)))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotation_entry_that_sets_the_text_upright_is_kept(tmp_path, degrees):
    upright = text_pdf(tmp_path / "a.pdf")
    document = pymupdf.open(turned_pdf(tmp_path / "b.pdf", upright, degrees))
    document[0].set_rotation(degrees)
    page = drawn(draw_page(saved(document, tmp_path / "c.pdf"), 1, 72, 100))
    assert page.turned == 0
    assert alike(page, drawn(draw_page(upright, 1, 72, 100)))


def test_a_stamp_along_the_edge_of_a_scan_does_not_turn_it(tmp_path):
    document = scan_of(pymupdf.open(text_pdf(tmp_path / "a.pdf")))
    stamp = "Downloaded from the archive of the old library on the second of May in the year 2024 by somebody at all"
    document[0].insert_text((30, 800), stamp, rotate=90, fontsize=12)
    assert drawn(draw_page(saved(document, tmp_path / "b.pdf"), 1, 72, 100)).turned == 0


def test_the_published_way_does_not_turn_pages(tmp_path):
    turned = turned_pdf(tmp_path / "b.pdf", text_pdf(tmp_path / "a.pdf"), 90)
    page = drawn(draw_page_to_side(turned, 1, 896))
    assert page.pixels.shape[1] == 896
    assert page.turned == 0


def test_an_image_too_large_to_decode_is_a_reason(tmp_path):
    document = pymupdf.open()
    page = document.new_page()
    page.insert_image(page.rect, pixmap=pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 4, 4)))
    xref = page.get_images()[0][0]
    document.xref_set_key(xref, "Width", "40000")
    document.xref_set_key(xref, "Height", "40000")
    result = draw_page(saved(document, tmp_path / "a.pdf"), 1, 200, 896)
    assert isinstance(result, PageResult)
    assert (result.number, result.reason) == (1, Reason.TOO_LARGE)
    assert "40000 x 40000" in result.detail


def test_a_file_that_is_not_a_pdf_is_a_reason_and_nothing_is_printed(tmp_path, capfd):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    result = draw_page(str(tmp_path / "a.pdf"), 3, 200, 896)
    assert isinstance(result, PageResult)
    assert (result.number, result.reason) == (3, Reason.CORRUPT)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_scan_is_turned_upright(tmp_path, degrees):
    upright = text_pdf(tmp_path / "a.pdf")
    scan = scan_of(pymupdf.open(turned_pdf(tmp_path / "b.pdf", upright, degrees)))
    page = drawn(draw_page(saved(scan, tmp_path / "c.pdf"), 1, 150, 896))
    assert page.turned == degrees
    assert page.lines == ()


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_lines_of_the_text_layer_lie_where_they_are_drawn(tmp_path, degrees):
    path = turned_pdf(tmp_path / "b.pdf", text_pdf(tmp_path / "a.pdf"), degrees)
    page = drawn(draw_page(path, 1, 150, 896))
    assert [line.text.strip() for line in page.lines] == [line.strip() for line in LINES]
    for line in page.lines:
        x0, y0, x1, y1 = (round(place) for place in line.box)
        inside = page.pixels[y0 : y1 + 1, x0 : x1 + 1]
        assert (inside < 128).any()
        assert x1 - x0 > y1 - y0
    outside = page.pixels.copy()
    for line in page.lines:
        x0, y0, x1, y1 = (round(place) for place in line.box)
        outside[y0 - 2 : y1 + 3, x0 - 2 : x1 + 3] = 255
    assert (outside > 128).all()

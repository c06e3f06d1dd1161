"""A page on its way through the children: drawn, then cut up as the model says."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pymupdf
import pytest
from PIL import Image

from pdfbatch.documents.page_read import PageRead
from pdfbatch.documents.picture import draw_page, draw_page_to_side
from pdfbatch.documents.reading import read_page
from pdfbatch.documents.sandbox.children import Children
from pdfbatch.documents.sorting import Sorting
from pdfbatch.engines.dolphin import tasks
from pdfbatch.engines.dolphin.images import crop, fit, two_pass
from pdfbatch.engines.dolphin.layout import FORMULA_PROMPT, TABLE_PROMPT, TEXT_PROMPT, Box
from pdfbatch.engines.dolphin.tasks import Crop, Cut, Prepared, Refine, cut_page, prepare_page
from pdfbatch.engines.refine import Wanted
from pdfbatch.records import ReadOptions, Reason
from tests.documents.sample_pages import LINES, saved, scan_of, text_pdf, turned_pdf, write_lines
from tests.dolphin.layered import layered_pdf
from tests.pages import markdown_of

SIDE = 896
PLAIN = ReadOptions()
PUBLISHED = ReadOptions(as_published=True)


def prepared(path: str, folder: Path, options: ReadOptions = PLAIN, text_layer: bool = False) -> Prepared:
    result = prepare_page(path, 1, options, SIDE, str(folder / "a.rgb"), text_layer)
    assert isinstance(result, Prepared)
    return result


def pixels_of(page: Prepared) -> np.ndarray:
    return np.fromfile(page.file, np.uint8).reshape(page.height, page.width, 3)


def square_pdf(path: Path, *boxes: tuple[float, float, float, float]) -> str:
    """A page of 448 points with those boxes filled in grey stripes: coordinates of 1.5 are twice as large."""
    document = pymupdf.open()
    page = document.new_page(width=448, height=448)
    for x0, y0, x1, y1 in boxes:
        for y in np.arange(y0, y1, 4):
            page.draw_rect(pymupdf.Rect(x0, y, x1, min(y1, y + 2)), color=None, fill=(0.2, 0.2, 0.2))
    return saved(document, path)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def test_a_page_is_drawn_into_a_file_and_made_ready_for_the_layout(tmp_path, scratch):
    page = prepared(text_pdf(tmp_path / "a.pdf"), scratch)
    assert (page.width, page.height, round(page.dpi), page.turned) == (1653, 2339, 200, 0)
    assert np.array_equal(page.layout, two_pass(pixels_of(page)))
    assert Path(page.file).parent == scratch


def test_the_resolution_is_an_option(tmp_path, scratch):
    page = prepared(text_pdf(tmp_path / "a.pdf"), scratch, ReadOptions(dpi=150))
    assert (page.width, page.height) == (1240, 1755)


def test_the_published_way_draws_no_more_than_the_model_sees(tmp_path, scratch):
    page = prepared(text_pdf(tmp_path / "a.pdf"), scratch, PUBLISHED)
    assert max(page.width, page.height) == SIDE
    assert np.array_equal(page.layout, two_pass(pixels_of(page)))


@pytest.mark.parametrize("text_layer", [False, True])
@pytest.mark.parametrize("scanned", [False, True])
def test_a_blank_page_is_a_result(tmp_path, scratch, text_layer, scanned):
    document = pymupdf.open()
    document.new_page()
    if scanned:
        document = scan_of(document)
    result = prepare_page(saved(document, tmp_path / "a.pdf"), 1, PLAIN, SIDE, str(scratch / "a.rgb"), text_layer)
    assert isinstance(result, PageRead)
    assert (result.page.read_by, result.page.reason, markdown_of(result.page)) == ("blank", None, "")
    assert list(scratch.iterdir()) == []


def test_a_healthy_text_layer_is_read_instead_where_that_is_asked_for(tmp_path, scratch):
    path = text_pdf(tmp_path / "a.pdf")
    result = prepare_page(path, 1, PLAIN, SIDE, str(scratch / "a.rgb"), True)
    assert isinstance(result, PageRead)
    assert markdown_of(result.page) == markdown_of(read_page(path, 1, Sorting(ocr=False)).page)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("options", [PLAIN, PUBLISHED])
def test_what_the_layer_has_not_right_is_cut_out_for_the_model(tmp_path, scratch, options):
    path = str(layered_pdf(tmp_path / "a.pdf"))
    result = prepare_page(path, 1, options, SIDE, str(scratch / "a.rgb"), True)
    assert isinstance(result, Refine)
    assert result.wanted == [Wanted(1, "formula"), Wanted(3, "table")]
    assert list(scratch.iterdir()) == [], "the page's picture goes nowhere"
    page = draw_page_to_side(path, 1, SIDE) if options.as_published else draw_page(path, 1, options.dpi, SIDE)
    for asked, image in zip(result.wanted, result.images, strict=True):
        x0, y0, x1, y1 = result.read.page.elements[asked.place].box
        unit = page.dpi / 72
        box = (int((x0 - 2) * unit), int((y0 - 2) * unit), int((x1 + 2) * unit) + 1, int((y1 + 2) * unit) + 1)
        part = crop(page.pixels, Box(*box))
        assert np.array_equal(image, two_pass(part, SIDE) if options.as_published else fit(part, SIDE))


def test_a_page_is_never_drawn_for_its_elements_on_the_last_attempts(tmp_path, scratch):
    path = str(layered_pdf(tmp_path / "a.pdf"))
    result = prepare_page(path, 1, PLAIN, SIDE, str(scratch / "a.rgb"), True, attempt=2)
    assert isinstance(result, PageRead)
    assert result.page.read_by == "plain"


def test_a_page_turned_on_its_side_has_its_elements_cut_out_upright(tmp_path, scratch):
    upright = str(layered_pdf(tmp_path / "a.pdf"))
    turned = turned_pdf(tmp_path / "b.pdf", upright, 90)
    plain, other = (prepare_page(path, 1, PLAIN, SIDE, str(scratch / "a.rgb"), True) for path in (upright, turned))
    assert isinstance(plain, Refine) and isinstance(other, Refine)
    assert [each.kind for each in other.wanted] == [each.kind for each in plain.wanted]
    for image, same in zip(other.images, plain.images, strict=True):
        assert image.shape == pytest.approx(same.shape, abs=12)
        middle = np.array(image.shape[:2]) // 2
        assert image[middle[0] // 2, middle[1] // 4] == pytest.approx(same[middle[0] // 2, middle[1] // 4], abs=30)


def test_a_scan_is_drawn_where_text_layers_are_asked_for(tmp_path, scratch):
    path = saved(scan_of(pymupdf.open(text_pdf(tmp_path / "a.pdf"))), tmp_path / "b.pdf")
    assert max(prepared(path, scratch, text_layer=True).layout.shape) == SIDE


@pytest.mark.parametrize("text_layer", [False, True])
@pytest.mark.parametrize("options", [PLAIN, PUBLISHED])
def test_a_page_that_cannot_be_drawn_is_a_result_with_its_reason(tmp_path, scratch, text_layer, options):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    result = prepare_page(str(tmp_path / "a.pdf"), 1, options, SIDE, str(scratch / "a.rgb"), text_layer)
    assert isinstance(result, PageRead)
    assert result.page.reason is Reason.CORRUPT
    assert result.page.detail


def test_the_elements_come_in_order_with_what_the_model_is_to_be_asked(tmp_path, scratch):
    page = prepared(square_pdf(tmp_path / "a.pdf", (20, 20, 400, 430)), scratch)
    layout = (
        "[100,100,300,200][tab][PAIR_SEP][100,300,300,400][equ][inline][RELATION_SEP]"
        "[400,400,402,700][para][PAIR_SEP][500,500,700,560][fig][PAIR_SEP][830,100,890,400][cap]"
    )
    pixels = pixels_of(page)
    cut = cut_page(page, layout, PLAIN, SIDE)
    asked = [(piece.region.label, piece.region.order, piece.prompt, piece.flag) for piece in cut.pieces]
    assert asked == [
        ("tab", 1, TABLE_PROMPT, ""),
        ("equ", 2, FORMULA_PROMPT, ""),
        ("para", 3, TEXT_PROMPT, ""),
        ("fig", 4, None, ""),
        ("cap", 5, TEXT_PROMPT, "blank"),
    ]
    assert cut.pieces[1].region.tags == ("inline",)
    assert cut.flags == []
    for piece in cut.pieces:
        x0, y0, x1, y1 = piece.region.box
        part = pixels[y0:y1, x0:x1]
        if piece.region.label == "fig":
            assert piece.image is None
            assert np.array_equal(np.asarray(Image.open(io.BytesIO(piece.png or b""))), part)
        elif piece.flag:
            assert (piece.image, piece.png) == (None, None)
        else:
            assert np.array_equal(piece.image, fit(part))


def test_elements_are_cut_from_the_sharp_picture(tmp_path, scratch):
    page = prepared(square_pdf(tmp_path / "a.pdf", (20, 20, 400, 430)), scratch)
    (piece,) = cut_page(page, "[100,100,300,200][para]", PLAIN, SIDE).pieces
    assert piece.region.box == Box(139, 139, 418, 279)  # of 1244 pixels, by 200 dpi


def published_crop(pixels: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    height, width = pixels.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, 3), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    x0, y0, x1, y1 = box
    return square[y0:y1, x0:x1]


def test_published_crops_reach_into_the_black_around_the_page_and_their_boxes_do_not(tmp_path, scratch):
    page = prepared(text_pdf(tmp_path / "a.pdf"), scratch, PUBLISHED)
    pixels = pixels_of(page)
    (piece,) = cut_page(page, "[100,90,500,200][para]", PUBLISHED, SIDE).pieces
    crop = published_crop(pixels, (100, 90, 501, 201))
    assert crop[0, 0].tolist() == [0, 0, 0]
    assert np.array_equal(piece.image, two_pass(crop))
    assert piece.region.box == Box(0, 90, 370, 201)


def test_boxes_of_the_first_grammar_are_widened_to_where_no_ink_is_cut(tmp_path, scratch):
    path = square_pdf(tmp_path / "a.pdf", (100, 100, 300, 140))
    line = "[0.234,0.25,0.66,0.30] para"  # 4 points short on either side
    for options, unit in ((PUBLISHED, 2.0), (PLAIN, 200 / 72)):
        (piece,) = cut_page(prepared(path, scratch, options), line, options, SIDE).pieces
        left, top, right, bottom = (edge / unit for edge in piece.region.box)
        assert 98 < left < 100.5
        assert 299.5 < right < 302
        assert (round(top), round(bottom)) == (112, 134)


@pytest.mark.parametrize("options", [PLAIN, PUBLISHED])
@pytest.mark.parametrize("text", ["", "I am sorry", "[1,2,3", "[PAIR_SEP]" * 50])
def test_a_page_whose_layout_is_not_understood_is_one_element(tmp_path, scratch, options, text):
    page = prepared(text_pdf(tmp_path / "a.pdf"), scratch, options)
    cut = cut_page(page, text, options, SIDE)
    (piece,) = cut.pieces
    assert cut.flags == ["no_layout"]
    assert piece.region.box == Box(0, 0, page.width, page.height)
    assert (piece.region.label, piece.region.order, piece.prompt, piece.flag) == ("para", 1, TEXT_PROMPT, "")
    assert np.array_equal(piece.image, page.layout)


def test_the_picture_need_not_be_sent_back_and_its_file_is_deleted(tmp_path, scratch):
    page = prepared(text_pdf(tmp_path / "a.pdf"), scratch)._replace(layout=np.zeros((0, 0, 3), np.uint8))
    assert cut_page(page, "[100,90,700,200][para]", PLAIN, SIDE).pieces
    assert list(scratch.iterdir()) == []


def test_the_file_is_deleted_after_an_error_too(tmp_path, scratch):
    page = prepared(text_pdf(tmp_path / "a.pdf"), scratch)
    with pytest.raises(ValueError, match="size"):
        cut_page(page._replace(height=10 * page.height), "", PLAIN, SIDE)
    assert list(scratch.iterdir()) == []


def test_a_page_turned_on_its_side_is_cut_upright_and_says_so(tmp_path, scratch):
    turned = turned_pdf(tmp_path / "b.pdf", text_pdf(tmp_path / "a.pdf"), 90)
    page = prepared(turned, scratch)
    assert (page.width, page.height, page.turned) == (1653, 2339, 90)
    assert cut_page(page, "[100,90,700,200][para]", PLAIN, SIDE).flags == ["turned"]


def test_a_page_of_one_pixel_is_too_small_to_be_read(scratch):
    (scratch / "a.rgb").write_bytes(bytes([0, 0, 0, 255, 255, 255]))
    page = Prepared(str(scratch / "a.rgb"), 2, 1, 200, np.zeros((0, 0, 3), np.uint8))
    (piece,) = cut_page(page, "", PLAIN, SIDE).pieces
    assert (piece.flag, piece.image) == ("tiny", None)


@pytest.mark.slow
def test_a_page_of_many_elements_is_cut_up_in_parts_that_lack_none(tmp_path, scratch):
    page = prepared(square_pdf(tmp_path / "a.pdf", (20, 20, 400, 430)), scratch)
    corners = [(100 + 30 * (n % 20), 100 + 30 * (n // 20)) for n in range(180)]
    text = "".join(f"[{x},{y},{x + 8},{y + 8}][para]" for x, y in corners)
    orders, parts, left = [], 0, 180
    while left:
        cut = cut_page(page, text, PLAIN, SIDE, first=len(orders))
        held = sum(piece.image.nbytes for piece in cut.pieces if piece.image is not None)
        assert held <= tasks.MOST_BYTES + SIDE * SIDE * 3
        orders += [piece.region.order for piece in cut.pieces]
        parts, left = parts + 1, cut.left
        assert Path(page.file).exists() is (left > 0)
    assert parts > 1
    assert orders == list(range(1, 181))


@pytest.mark.slow
def test_a_model_that_goes_round_in_circles_is_flagged(tmp_path, scratch):
    page = prepared(square_pdf(tmp_path / "a.pdf", (20, 20, 400, 430)), scratch)
    text = "".join(f"[{100 + n},{100 + n % 7},{160 + n % 600},160][para]" for n in range(tasks.MOST_PIECES + 1))
    assert cut_page(page, text, PLAIN, SIDE, first=tasks.MOST_PIECES - 1).flags == ["too_many_elements"]


def test_both_tasks_run_in_a_real_child(tmp_path, scratch):
    document = pymupdf.open()
    write_lines(document.new_page(), LINES)
    path = saved(document, tmp_path / "a.pdf")
    with Children(1, PLAIN.memory_mib) as children:
        page = children.submit(60, prepare_page, path, 1, PLAIN, SIDE, str(scratch / "a.rgb"), False).result()
        assert isinstance(page, Prepared)
        sent = page._replace(layout=np.zeros((0, 0, 3), np.uint8))
        cut = children.submit(60, cut_page, sent, "[100,90,700,200][para]", PLAIN, SIDE).result()
    assert isinstance(cut, Cut)
    assert isinstance(cut.pieces[0], Crop)
    assert cut.pieces[0].image is not None
    assert list(scratch.iterdir()) == []


def test_importing_the_tasks_loads_nothing_heavy():
    code = "import sys, pdfbatch.engines.dolphin.tasks; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "pymupdf", "numpy", "PIL", "cv2"} & set(loaded)


def test_the_children_never_load_the_models_libraries(tmp_path, scratch):
    code = (
        "import sys\n"
        "from pdfbatch.engines.dolphin.tasks import cut_page, prepare_page\n"
        "from pdfbatch.records import ReadOptions\n"
        "page = prepare_page(sys.argv[1], 1, ReadOptions(), 896, sys.argv[2], False)\n"
        "cut_page(page, '[0.2,0.1,0.8,0.3] para', ReadOptions(), 896)\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    command = [sys.executable, "-c", code, text_pdf(tmp_path / "a.pdf"), str(scratch / "a.rgb")]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers"} & set(loaded)

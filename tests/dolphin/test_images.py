"""Pictures for the model: to the last bit what Dolphin's image processor makes, but bounded and quick for strips."""

from __future__ import annotations

import hashlib
import io
import resource
import sys
from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pdfbatch.documents.blank_picture import is_blank
from pdfbatch.engines.dolphin.images import (
    SIDE,
    Pixels,
    crop,
    edge_widener,
    fit,
    opened,
    png,
    squared,
    two_pass,
)
from pdfbatch.engines.dolphin.layout import Box


def picture(height: int, width: int) -> Pixels:
    """Grain, print and shades in squares of 40 pixels; the same everywhere and always."""
    y, x, c = np.ogrid[:height, :width, :3]
    grain = (x * 7919 + y * 104729 + c * 1299709 + (x * y) % 251 * 31) % 256
    print_ = np.where((x // 3 % 5 < 2) & (y // 4 % 3 < 2), 20, 245)
    ramp = (x * 255 // width + y * 255 // height) // 2
    return np.choose((x // 40 + y // 40) % 3 + 0 * c, [grain, print_ + 0 * c, ramp + 0 * c]).astype(np.uint8)


def paper(height: int = 600, width: int = 400, tint: object = 245, noise: float = 0.0) -> Pixels:
    grain = np.random.RandomState(7).normal(0, noise, (height, width, 3))
    return np.clip(np.broadcast_to(tint, (height, width, 3)) + grain, 0, 255).astype(np.uint8)


# Of what DonutImageProcessor of transformers 4.47.0 and 4.57.6 makes of these pictures (slow, size 896 x 896, bilinear,
# no long-axis alignment, rescaling and normalising off), its black border taken off.
PUBLISHED = [
    ((1169, 827), (896, 634), "89a969ff17dfba10"),
    ((896, 634), (896, 634), "77ef8705bce2592a"),
    ((2339, 1654), (896, 633), "a267603183527ac4"),
    ((51, 816), (56, 896), "02274c815c1bd5dc"),
    ((816, 51), (896, 56), "2b34af5b8586b134"),
    ((25, 400), (56, 896), "845ded733a6a5d9e"),
    ((20, 820), (21, 896), "68376f21a799904d"),
    ((820, 20), (896, 21), "e15b2a86f1d19396"),
    ((896, 896), (896, 896), "d817f0dcf6f370d5"),
    ((700, 896), (700, 896), "15a6fb441c590579"),
    ((1200, 1200), (896, 896), "550d5bcc0ad61a34"),
    ((37, 41), (809, 896), "d9155d70946d68bd"),
    ((1, 1), (896, 896), "de11cfd055966788"),
    ((897, 896), (896, 895), "2276b391985d29eb"),
    ((120, 9), (896, 67), "298e4583a1cc26fb"),
]


@pytest.mark.parametrize(("shape", "size", "digest"), PUBLISHED)
def test_the_published_preparation_is_repeated_to_the_last_bit(shape, size, digest):
    made = two_pass(picture(*shape))
    assert made.shape == (*size, 3)
    assert hashlib.sha256(made.tobytes()).hexdigest()[:16] == digest


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 300), st.integers(1, 300))
def test_the_cheap_way_gives_the_same_size(height, width):
    pixels = picture(height, width)
    cheap, exact = fit(pixels, 64), two_pass(pixels, 64)
    assert cheap.shape == exact.shape
    assert max(cheap.shape[:2]) == 64
    assert min(cheap.shape[:2]) >= 1


@pytest.mark.parametrize("shape", [(2339, 1654), (896, 896), (1200, 900)])
def test_pictures_that_are_not_enlarged_are_prepared_exactly(shape):
    assert np.array_equal(fit(picture(*shape)), two_pass(picture(*shape)))


@pytest.mark.parametrize("shape", [(1169, 827), (1000, 200), (150, 896), (40, 40), (418, 712), (700, 896)])
def test_pictures_that_are_enlarged_differ_by_how_two_libraries_round(shape):
    difference = np.abs(fit(picture(*shape)).astype(int) - two_pass(picture(*shape)))
    assert difference.mean() < 0.3
    assert difference.max() <= 3


@pytest.mark.parametrize("dots", [[(1, 1)], [(1, 1), (9, 9)], [(1, 1), (1, 2), (2, 2)], [(1, 1), (2, 2), (3, 1)]])
@pytest.mark.parametrize("more", [[], [(4, 4), (4, 5), (5, 4), (5, 5)], [(4, 4), (4, 5), (4, 6), (4, 7)]])
def test_specks_are_ink_from_four_connected_pixels_on(dots, more):
    pixels = paper(200, 200)
    for y, x in [*dots, *more]:
        pixels[10 * y : 10 * y + 10, 10 * x : 10 * x + 10] = pixels[0, 0]
        pixels[20 + y, 20 + x] = 0
    assert is_blank(pixels) is (not more)


def line_of_text(width: int) -> Pixels:
    line = np.full((34, width, 3), 248, np.uint8)
    cv2.putText(line, "The quick brown fox jumps over the lazy dog", (5, 24), 0, 0.8, (25, 20, 30), 2, cv2.LINE_AA)
    return line


@pytest.mark.parametrize("upright", [False, True])
def test_a_strip_prepared_cheaply_looks_the_same(upright):
    line = line_of_text(620)
    if upright:
        line = line.transpose(1, 0, 2)
    difference = np.abs(fit(line).astype(int) - two_pass(line))
    assert difference.mean() < 0.5
    assert difference.max() <= 16


@pytest.mark.parametrize(
    ("shape", "size"), [((20, 8000), (2, 896)), ((8000, 20), (896, 2)), ((1, 3000), (1, 896)), ((3000, 1), (896, 1))]
)
def test_a_very_long_strip_is_not_enlarged_beyond_all_bounds(shape, size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert fit(picture(*shape)).shape == (*size, 3)
    if sys.platform == "linux":  # KiB there
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize("shape", [(0, 0), (0, 50), (50, 0)])
@pytest.mark.parametrize("prepare", [two_pass, fit])
def test_a_picture_without_pixels_stays_without(prepare, shape):
    empty = np.zeros((*shape, 3), np.uint8)
    assert prepare(empty).size == 0
    assert is_blank(empty)


def test_a_picture_that_is_read_only_or_not_contiguous_can_be_prepared(tmp_path):
    pixels = picture(300, 200)
    (tmp_path / "page.rgb").write_bytes(pixels.tobytes())
    page = opened(str(tmp_path / "page.rgb"), 200, 300)
    assert np.array_equal(page, pixels)
    part = page[10:210, 20:120]
    assert np.array_equal(fit(part), fit(part.copy()))
    assert is_blank(part) is False


def test_a_crop_ends_where_the_picture_ends():
    pixels = picture(100, 80)
    part = crop(pixels, Box(70, -5, 200, 20))
    assert np.array_equal(part, pixels[:20, 70:])
    assert crop(pixels, Box(90, 10, 95, 20)).size == 0


def test_a_page_stands_in_the_middle_of_its_black_square():
    square, left, top = squared(np.full((5, 2, 3), 9, np.uint8))
    assert (square.shape, left, top) == ((5, 5, 3), 1, 0)
    assert square[:, 1:3].min() == 9
    assert square.sum() == 5 * 2 * 3 * 9


def test_a_figure_keeps_every_pixel():
    pixels = picture(60, 90)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png(pixels[:, ::-1])))), pixels[:, ::-1])


def with_specks(pixels: Pixels) -> Pixels:
    pixels[37::61, 23::59] = 0
    return pixels


def with_shadow(pixels: Pixels) -> Pixels:
    shadow = np.linspace(0, 90, pixels.shape[1])[None, :, None]
    return np.clip(pixels - shadow, 0, 255).astype(np.uint8)


def with_bleeding(pixels: Pixels) -> Pixels:
    pixels[100:110, 50:300:7] -= 15
    return pixels


BLANK: dict[str, Callable[[], Pixels]] = {
    "clean": paper,
    "black": lambda: paper(tint=0),
    "tinted": lambda: paper(tint=(240, 225, 180), noise=4),
    "blue": lambda: paper(tint=(90, 120, 200), noise=4),
    "noisy": lambda: paper(2339, 1654, noise=12),
    "crop": lambda: paper(40, 700, noise=8),
    "pixel": lambda: paper(1, 1),
    "specks": lambda: with_specks(paper(2339, 1654, noise=4)),
    "shadow": lambda: with_shadow(paper(1200, 900, tint=250, noise=4)),
    "bleeding": lambda: with_bleeding(paper()),
}


@pytest.mark.parametrize("name", BLANK)
def test_paper_is_blank_whatever_its_tint_noise_dust_and_shadow(name):
    assert is_blank(BLANK[name]())


def with_sign(pixels: Pixels, colour: object, size: float = 0.9) -> Pixels:
    return np.asarray(cv2.putText(pixels, "7", (120, 30), 0, size, colour, 2))


SIGNS: dict[str, Callable[[], Pixels]] = {
    "page": lambda: with_sign(paper(2339, 1654, noise=8), (30, 30, 30)),
    "faint": lambda: with_sign(paper(2339, 1654), (200, 200, 200)),
    "noisy": lambda: with_sign(paper(60, 400, noise=12), (60, 60, 60), 0.5),
    "inverse": lambda: with_sign(paper(60, 400, tint=30), (220, 220, 220)),
    "colour": lambda: with_sign(paper(60, 400, tint=(200, 60, 60)), (60, 120, 60)),
    "grain": lambda: picture(50, 50),
    "line": lambda: line_of_text(620),
}


@pytest.mark.parametrize("name", SIGNS)
def test_a_page_with_one_character_is_not_blank(name):
    assert not is_blank(SIGNS[name]())


def test_an_edge_that_cuts_letters_moves_out_to_clean_paper():
    page = np.full((SIDE, SIDE, 3), 255, np.uint8)
    page[100:120, 100:300:2] = 0
    assert edge_widener(page)(Box(95, 105, 305, 112)) == Box(95, 99, 305, 120)


def test_an_edge_on_clean_paper_stays_and_none_moves_inwards():
    page = np.full((SIDE, SIDE, 3), 255, np.uint8)
    page[100:120, 100:300:2] = 0
    assert edge_widener(page)(Box(50, 50, 400, 400)) == Box(50, 50, 400, 400)


def test_on_a_larger_picture_edges_may_move_as_much_further():
    page = np.full((SIDE, SIDE, 3), 255, np.uint8)
    page[100:120, 100:300:2] = 0
    large = page.repeat(3, axis=0).repeat(3, axis=1)
    assert edge_widener(large)(Box(285, 315, 915, 336)) == Box(285, 299, 915, 360)


def published_widening(page: Pixels, box: Box) -> Box:
    """Slowly, with the bytes that wrap around and the mask made anew."""

    def score(edges: list[int], side: int) -> float:
        gray = cv2.cvtColor(page[:, :, ::-1].copy(), cv2.COLOR_BGR2GRAY)
        mask = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)[1]
        first, last = (edges[1], edges[3]) if side in (0, 2) else (edges[0], edges[2])
        line = mask[first : last + 1, edges[side]] if side in (0, 2) else mask[edges[side], first : last + 1]
        steps = [(int(after) - int(before)) % 256 for before, after in pairwise(line)]
        return sum(steps) / len(steps) if steps else float("nan")

    last = (page.shape[1] - 1, page.shape[0] - 1) * 2
    edges = [min(max(edge, 0), most) for edge, most in zip(box, last, strict=True)]
    chosen = list(box)
    for side, way in ((0, -1), (2, 1), (1, -1), (3, 1)):
        lowest = score(edges, side)
        taken = 0
        while not lowest <= 0.2 and taken < 15:
            taken += 1
            edges[side] = min(max(edges[side] + way, 0), last[side])
            now = score(edges, side)
            if now < lowest:
                lowest, chosen = now, list(edges)
    return Box(*chosen)


@settings(deadline=None, max_examples=15)
@given(st.tuples(*[st.integers(0, 160)] * 2), st.tuples(*[st.integers(1, 120)] * 2), st.integers(0, 2**31))
def test_edges_move_as_they_do_in_the_published_program(corner, size, seed):
    page = np.full((SIDE, 200, 3), 250, np.uint8)
    blots = np.random.RandomState(seed).randint(0, 190, (60, 2))
    for x, y in blots:
        page[y : y + 3, x : x + 9] = (10, 60, 110)
    box = Box(*corner, min(200, corner[0] + size[0]), corner[1] + size[1])
    assert edge_widener(page)(box) == published_widening(page, box)

"""The orientation of a page is decided from boxes and the recogniser's confidence; no model is needed here."""

from __future__ import annotations

import numpy as np
import pytest

from pdfbatch.documents.ocr.orientation import (
    cut,
    find_turn,
    is_crooked,
    is_sideways,
    level,
    sample,
    skew,
    stands_tall,
    turn,
)

# A line's picture whose ink is in the left half when upright: a stand-in for the recogniser's confidence.
UPRIGHT = np.full((20, 200, 3), 255, np.uint8)
UPRIGHT[5:15, :60] = 0


def box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def page_and_boxes(turned: int):
    """Return a page with six lines, turned clockwise, and the boxes around them."""
    page = np.full((400, 300, 3), 255, np.uint8)
    tops = range(20, 380, 60)
    for top in tops:
        page[top : top + 20, 40:240] = UPRIGHT
    corners = np.array([box(40, top, 240, top + 20) for top in tops], np.float32)
    x, y = corners[..., 0], corners[..., 1]
    moved = {0: (x, y), 90: (400 - y, x), 180: (300 - x, 400 - y), 270: (y, 300 - x)}[turned]
    return turn(page, turned), np.stack(moved, axis=-1)


def sure_of_ink_on_the_left(pieces):
    return [
        0.95 if piece[:, : piece.shape[1] // 2].mean() < piece[:, piece.shape[1] // 2 :].mean() else 0.5
        for piece in pieces
    ]


def turn_found(pixels, boxes, judge):
    return find_turn(pixels, boxes, judge, lambda some: [cut(pixels, one) for one in some])


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_a_turned_page_is_turned_back(turned):
    pixels, boxes = page_and_boxes(turned)
    found = turn_found(pixels, boxes, sure_of_ink_on_the_left)
    assert (turned + found) % 360 == 0
    assert np.array_equal(turn(pixels, found), page_and_boxes(0)[0])


def test_an_upright_page_is_read_only_one_way():
    asked = []

    def judge(pieces):
        asked.append(len(pieces))
        return [0.97] * len(pieces)

    assert turn_found(*page_and_boxes(0), judge) == 0
    assert asked == [6]


def test_the_samples_of_a_level_page_are_cut_out_as_they_will_be_read():
    asked = []
    pixels, boxes = page_and_boxes(0)
    found = find_turn(pixels, boxes, lambda pieces: asked.extend(pieces) or [0.97] * len(pieces), lambda _: [UPRIGHT])
    assert found == 0 and len(asked) == 1 and np.array_equal(asked[0], UPRIGHT)


def test_a_page_without_lines_is_left_as_it_is():
    assert turn_found(page_and_boxes(0)[0], np.zeros((0, 4, 2), np.float32), sure_of_ink_on_the_left) == 0


def test_a_few_tall_boxes_do_not_make_a_page_sideways():
    boxes = np.array([box(0, 0, 20, 150), *(box(50, y, 250, y + 20) for y in (0, 40, 80))], np.float32)
    assert not is_sideways(boxes)
    assert len(sample(boxes, sideways=False)) == 3


def test_the_slope_is_the_median_of_the_long_lines_and_levelling_undoes_it():
    slope = np.tan(np.radians(2.0))
    boxes = np.array(
        [[(50, y), (550, y + 500 * slope), (550, y + 20 + 500 * slope), (50, y + 20)] for y in range(0, 400, 50)],
        np.float32,
    )
    assert skew(boxes) == pytest.approx(2.0, abs=0.05)
    assert is_crooked(skew(boxes))
    pixels = np.full((600, 600, 3), 255, np.uint8)
    for x in range(100, 500):
        pixels[int(300 + (x - 300) * slope), x] = 0
    rows = np.flatnonzero((level(pixels, 2.0) < 200).any(axis=(1, 2)))
    assert rows.max() - rows.min() <= 3


def test_a_level_page_is_not_crooked():
    _, boxes = page_and_boxes(0)
    assert not is_crooked(skew(boxes))


def test_a_box_one_and_a_half_times_as_tall_as_wide_is_upright():
    assert stands_tall(np.array(box(0, 0, 20, 100), np.float32))
    assert not stands_tall(np.array(box(0, 0, 100, 20), np.float32))

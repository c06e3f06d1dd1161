"""Which way up a scanned page is, whatever its /Rotate says.

Lines of text are wide when the page stands upright, or upside down, and tall when it lies on its side. Which of the
two ways remains is asked of the recogniser: a few lines read both ways, for it is sure of itself only the right way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from pdfbatch.documents.pdf.raster import Pixels

Boxes = npt.NDArray[np.float32]
"""Lines found on a picture: n x 4 corners x (x, y) in pixels, clockwise from the top left one."""

Judge = Callable[[Sequence[Pixels]], list[float]]
"""How sure the recogniser is of each of some pictures of one line, 0 to 1."""

SAMPLES = 6
ELONGATED = 1.5
"""Shapes nearer a square than this say nothing about direction."""
SURE = 0.90
"""Print read the right way up gives 0.93 and more, upside down 0.4 to 0.8."""
CROOKED = 0.5
"""Degrees of slope from which a page is levelled; the layout model bears less."""
MOST_CROOKED = 20.0
"""Beyond this the boxes are not lines of a page that was laid askew."""
SAMPLE_RATIO = 12
"""Longer lines are cut to this times their height: enough to judge by, and quick."""


def find_turn(pixels: Pixels, boxes: Boxes, judge: Judge) -> int:
    """How far the picture must be turned clockwise to stand upright: 0, 90, 180 or 270 degrees."""
    sideways = is_sideways(boxes)
    samples = [cut(pixels, box) for box in sample(boxes, sideways)]
    if not samples:
        return 0
    # A tall box cut and turned clockwise reads as it will on the page turned clockwise.
    first, second = (90, 270) if sideways else (0, 180)
    as_first = [turn(one, first) for one in samples]
    sure = float(np.mean(judge(as_first)))
    if sure >= SURE:
        return first
    other = float(np.mean(judge([turn(one, 180) for one in as_first])))
    return second if other > sure else first


def is_sideways(boxes: Boxes) -> bool:
    """Whether more length of text runs down the picture than across it."""
    wide, tall = extents(boxes)
    across = wide[wide > ELONGATED * tall].sum()
    down = tall[tall > ELONGATED * wide].sum()
    return bool(down > across)


def sample(boxes: Boxes, sideways: bool) -> Boxes:
    """The longest lines that run the way most do, at most SAMPLES of them."""
    wide, tall = extents(boxes)
    length, breadth = (tall, wide) if sideways else (wide, tall)
    chosen = [int(i) for i in np.argsort(-length, kind="stable") if length[i] > ELONGATED * breadth[i]]
    return boxes[chosen[:SAMPLES]]


def extents(boxes: Boxes) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Width and height of each box, square to the picture."""
    low, high = boxes.min(axis=1), boxes.max(axis=1)
    return high[:, 0] - low[:, 0], high[:, 1] - low[:, 1]


def line_height(boxes: Boxes) -> float:
    """The median of the boxes' shorter sides, pixels."""
    return float(np.median(np.minimum(*extents(boxes))))


def cut(pixels: Pixels, box: npt.NDArray[np.float32]) -> Pixels:
    """The piece of the picture around one box, square to the picture, at most SAMPLE_RATIO times as long as broad."""
    left, top = np.maximum(box.min(axis=0), 0).astype(int)
    right, bottom = np.ceil(box.max(axis=0)).astype(int)
    longest = SAMPLE_RATIO * min(right - left, bottom - top)
    return pixels[top : min(bottom, top + longest), left : min(right, left + longest)]


def turn(pixels: Pixels, degrees: int) -> Pixels:
    """The picture turned clockwise by a multiple of 90 degrees."""
    return np.ascontiguousarray(np.rot90(pixels, k=-degrees // 90))


def skew(boxes: Boxes) -> float:
    """The slope of the text in degrees, clockwise positive: the median over the long lines of an upright page, 0.0 when
    there are too few to tell."""
    wide, tall = extents(boxes)
    long = boxes[wide > 8 * np.minimum(tall, np.linalg.norm(boxes[:, 3] - boxes[:, 0], axis=1))]
    if len(long) < SAMPLES:
        return 0.0
    run = long[:, 1] - long[:, 0]
    return float(np.median(np.degrees(np.arctan2(run[:, 1], run[:, 0]))))


def is_crooked(degrees: float) -> bool:
    return CROOKED < abs(degrees) < MOST_CROOKED


def level(pixels: Pixels, degrees: float) -> Pixels:
    """The picture turned against a slope of `degrees` about its middle, its size kept, its paper continued."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    paper = [int(value) for value in np.median(pixels[::8, ::8], axis=(0, 1))]
    return np.asarray(cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=paper))


def stands_tall(box: npt.NDArray[np.float32]) -> bool:
    """Whether the recogniser's cropping lays this box on its side: its rule, a height of 1.5 times the width."""
    width = max(np.linalg.norm(box[0] - box[1]), np.linalg.norm(box[2] - box[3]))
    height = max(np.linalg.norm(box[0] - box[3]), np.linalg.norm(box[1] - box[2]))
    return bool(int(height) >= ELONGATED * int(width))

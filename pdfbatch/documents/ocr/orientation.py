"""Find out which way up a scanned page is, whatever its /Rotate says.

Lines of text are wide if the page is upright or upside down, and tall if it lies on its side. To choose between the two
remaining ways, the recogniser reads a few lines both ways: its confidence is high only the right way up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from pdfbatch.documents.pdf.raster import Pixels

Boxes = npt.NDArray[np.float32]
"""Lines found in a picture: n x 4 corners x (x, y) in pixels, clockwise from the top left."""

Judge = Callable[[Sequence[Pixels]], list[float]]
"""Returns the recogniser's confidence for each of some pictures of one line, 0 to 1."""

Crop = Callable[[Boxes], Sequence[Pixels]]
"""Cuts out lines as they are cut out to be read, so that an upright page's samples need not be read again."""

SAMPLES = 6
ELONGATED = 1.5
"""Shapes closer to a square than this give no direction."""
SURE = 0.90
"""Text read the right way up has a confidence of 0.93 and more, upside down 0.4 to 0.8."""
CROOKED = 0.5
"""Degrees of slope from which a page is levelled; the layout model tolerates less."""
MOST_CROOKED = 20.0
"""Beyond this slope the boxes are not lines of a crooked page."""
SAMPLE_RATIO = 12
"""Longer lines that will not be read as they are now are cut to this times their height, which is enough for a
decision, and fast."""


def find_turn(pixels: Pixels, boxes: Boxes, judge: Judge, crop: Crop) -> int:
    """Return how far the picture must be turned clockwise to stand upright: 0, 90, 180 or 270 degrees."""
    sideways = is_sideways(boxes)
    chosen = sample(boxes, sideways)
    samples = [cut(pixels, box) for box in chosen] if sideways or is_crooked(skew(boxes)) else crop(chosen)
    if not samples:
        return 0
    # A tall box that is cut out and turned clockwise looks as it will on the page turned clockwise.
    first, second = (90, 270) if sideways else (0, 180)
    as_first = [turn(one, first) for one in samples]
    sure = float(np.mean(judge(as_first)))
    if sure >= SURE:
        return first
    other = float(np.mean(judge([turn(one, 180) for one in as_first])))
    return second if other > sure else first


def is_sideways(boxes: Boxes) -> bool:
    """Check whether more length of text runs down the picture than across it."""
    wide, tall = extents(boxes)
    across = wide[wide > ELONGATED * tall].sum()
    down = tall[tall > ELONGATED * wide].sum()
    return bool(down > across)


def sample(boxes: Boxes, sideways: bool) -> Boxes:
    """Return the longest lines of the prevailing direction, at most SAMPLES of them."""
    wide, tall = extents(boxes)
    length, breadth = (tall, wide) if sideways else (wide, tall)
    chosen = [int(i) for i in np.argsort(-length, kind="stable") if length[i] > ELONGATED * breadth[i]]
    return boxes[chosen[:SAMPLES]]


def extents(boxes: Boxes) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the width and height of each box along the picture's axes."""
    low, high = boxes.min(axis=1), boxes.max(axis=1)
    return high[:, 0] - low[:, 0], high[:, 1] - low[:, 1]


def line_height(boxes: Boxes) -> float:
    """Return the median of the boxes' shorter sides in pixels."""
    return float(np.median(np.minimum(*extents(boxes))))


def cut(pixels: Pixels, box: npt.NDArray[np.float32]) -> Pixels:
    """Cut out the part of the picture around one box, along the picture's axes, at most SAMPLE_RATIO times as long as
    wide."""
    left, top = np.maximum(box.min(axis=0), 0).astype(int)
    right, bottom = np.ceil(box.max(axis=0)).astype(int)
    longest = SAMPLE_RATIO * min(right - left, bottom - top)
    return pixels[top : min(bottom, top + longest), left : min(right, left + longest)]


def turn(pixels: Pixels, degrees: int) -> Pixels:
    """Turn the picture clockwise by a multiple of 90 degrees."""
    return np.ascontiguousarray(np.rot90(pixels, k=-degrees // 90))


def skew(boxes: Boxes) -> float:
    """Return the slope of the text in degrees, clockwise positive: the median over the long lines of an upright page,
    0.0 if there are too few."""
    wide, tall = extents(boxes)
    long = boxes[wide > 8 * np.minimum(tall, np.linalg.norm(boxes[:, 3] - boxes[:, 0], axis=1))]
    if len(long) < SAMPLES:
        return 0.0
    run = long[:, 1] - long[:, 0]
    return float(np.median(np.degrees(np.arctan2(run[:, 1], run[:, 0]))))


def is_crooked(degrees: float) -> bool:
    return CROOKED < abs(degrees) < MOST_CROOKED


def level(pixels: Pixels, degrees: float) -> Pixels:
    """Rotate the picture by `degrees` about its centre to level it, keeping its size and extending its paper."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    paper = [int(value) for value in np.median(pixels[::8, ::8], axis=(0, 1))]
    return np.asarray(cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=paper))


def stands_tall(box: npt.NDArray[np.float32]) -> bool:
    """Check whether the recogniser's cropping lays this box on its side: its rule is a height of 1.5 times the
    width."""
    width = max(np.linalg.norm(box[0] - box[1]), np.linalg.norm(box[2] - box[3]))
    height = max(np.linalg.norm(box[0] - box[3]), np.linalg.norm(box[1] - box[2]))
    return bool(int(height) >= ELONGATED * int(width))

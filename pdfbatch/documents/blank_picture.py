"""Tell whether a picture shows only paper. Runs in the child processes."""

from __future__ import annotations

import math

import cv2
import numpy as np

from pdfbatch.documents.pdf.raster import Pixels

BLANK_SIDE = 1200
"""Pictures are checked for blankness at this size at most, in pixels of the longer side."""
FAINTEST_INK, CERTAIN_INK = 20, 40
"""Shades of 255 by which ink differs from the paper around it: on clean paper, and on the noisiest."""
NOISE_SPAN = 6.0
"""Deviations of up to this many standard deviations are noise, not ink."""
FEWEST_INK = 4
"""Connected pixels; fewer are dust."""


def is_blank(pixels: Pixels) -> bool:
    """Whether the picture shows only paper, of any tint, including noise, specks and soft shadows."""
    if not pixels.size:
        return True
    small = _shrunk(pixels, math.ceil(max(pixels.shape[:2]) / BLANK_SIDE))
    around = max(3, max(small.shape[:2]) // 8)
    contrast = cv2.absdiff(small, cv2.blur(small, (around, around)))
    noise = 1.4826 * float(np.median(contrast[::3, ::3]))  # of a normal distribution, from its median deviation
    red, green, blue = cv2.split(contrast)
    ink = cv2.max(cv2.max(red, green), blue) > min(max(FAINTEST_INK, NOISE_SPAN * noise), CERTAIN_INK)
    if not ink.any():
        return True
    if (ink[1:, 1:] & ink[1:, :-1] & ink[:-1, 1:] & ink[:-1, :-1]).any():
        return False  # a square of FEWEST_INK pixels, which ordinary print has; the general way takes ten times as long
    areas = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8)[2][1:, cv2.CC_STAT_AREA]
    return bool(areas.max() < FEWEST_INK)


def _shrunk(pixels: Pixels, step: int) -> Pixels:
    """The picture reduced by a whole factor (five times as fast as a fraction); a remainder at the edge is cut off."""
    height, width = (max(1, length // step) for length in pixels.shape[:2])
    return np.asarray(
        cv2.resize(pixels[: height * step, : width * step], (width, height), interpolation=cv2.INTER_AREA)
    )

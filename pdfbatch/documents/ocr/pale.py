"""Stretch the contrast of pictures whose ink differs little from their paper, such as faded print and repeated
copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from pdfbatch.records import Box

SIDE = 1000
"""Pixels of the longer side of the picture in which shades are measured; noise added by a scanner averages out
there."""
PALE = 64
"""Shades between ink and paper, below which a picture is pale. The detector finds print from 45 on; ordinary print has
more than 100."""
BLANK = 12
"""Shades, below which a picture shows only one colour."""
SPECKS = 0.02
"""Percentage of pixels that may be darker or lighter without counting."""
SPREAD = 220
"""Shades between ink and paper after stretching."""

PAPER = 12
"""Pixels at `SIDE`; no stroke of print is that wide."""
AROUND_DARK = 3
GRAINS = 3.0
"""Times the usual step between neighbouring pixels, from which a step is ink and not grain of the paper."""
CROWD, CROWDED, FEWEST_CROWDED = 9, 40, 400
"""Pixels of a square, the percentage of steps in it from which it may be within print, and how many such squares make a
line of print: a short line of small print has more."""

Shades = npt.NDArray[np.uint8]


class InkRange(NamedTuple):
    """The darkest and the lightest shade of a picture, 0 to 255."""

    dark: float
    light: float

    @property
    def is_pale(self) -> bool:
        """Whether the picture shows something, but faintly."""
        return BLANK <= self.light - self.dark < PALE


def range_of(pixels: Shades) -> InkRange:
    """Return the shades of a grey or RGB picture. Pure."""
    if pixels.size == 0:
        return InkRange(255.0, 255.0)
    shrink = min(1.0, SIDE / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else pixels
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) if small.ndim == 3 else small
    dark, light = np.percentile(gray, (SPECKS, 100 - SPECKS))
    return InkRange(float(dark), float(light))


def spread(pixels: Shades, shades: InkRange) -> Shades:
    """Return the picture with white paper and nearly black ink. Pure."""
    gain = SPREAD / max(shades.light - shades.dark, 1.0)
    table = (255 - (shades.light - np.arange(256)) * gain).clip(0, 255).astype(np.uint8)
    return np.asarray(table[pixels], np.uint8)


def pale_rest(pixels: Shades, boxes: Sequence[Box]) -> Shades | None:
    """Return an RGB picture with white paper and only the pale print left, nearly black: darker ink, and the `boxes`
    already read (pixels), count as paper. None if there is no pale print. Pure."""
    shrink = min(1.0, SIDE / max(pixels.shape[:2]))
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    if not _shows_pale_print(small, [_scaled(box, shrink) for box in boxes]):
        return None
    depth = _depth(gray, round(PAPER / shrink))
    depth[_dark(depth, round(AROUND_DARK / shrink)) > 0] = 0
    for x0, y0, x1, y1 in boxes:
        depth[max(0, int(y0)) : max(0, int(y1) + 1), max(0, int(x0)) : max(0, int(x1) + 1)] = 0
    deepest = max(float(np.percentile(depth, 100 - SPECKS)), float(BLANK))
    rest = (255 - depth.astype(np.float32) * (SPREAD / deepest)).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(rest, cv2.COLOR_GRAY2RGB), np.uint8)


def _shows_pale_print(small: Shades, boxes: Sequence[Box]) -> bool:
    """Check whether steps of shade are as dense as in print, away from dark ink and from what was read. The grain of
    paper, which is everywhere, does not count."""
    steps = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    known = _dark(_depth(small, PAPER), AROUND_DARK)
    for x0, y0, x1, y1 in boxes:
        known[max(0, int(y0) - 2) : max(0, int(y1) + 3), max(0, int(x0) - 2) : max(0, int(x1) + 3)] = 1
    grain = float(np.median(steps[known == 0])) if (known == 0).any() else 255.0
    marks = ((steps > max(BLANK, GRAINS * grain)) & (known == 0)).astype(np.uint8)
    crowded = cv2.boxFilter(marks * np.uint8(100), -1, (CROWD, CROWD)) >= CROWDED
    return int(np.count_nonzero(crowded)) >= FEWEST_CROWDED


def _depth(gray: Shades, room: int) -> Shades:
    """Return how much darker each pixel is than the paper around it."""
    kernel = np.ones((2 * room + 1, 2 * room + 1), np.uint8)
    return np.asarray(cv2.morphologyEx(gray, cv2.MORPH_BLACKHAT, kernel), np.uint8)


def _dark(depth: Shades, room: int) -> Shades:
    """Return 1 at ordinary ink and close to it, as far as its edges reach."""
    kernel = np.ones((2 * room + 1, 2 * room + 1), np.uint8)
    return np.asarray(cv2.dilate((depth >= PALE).astype(np.uint8), kernel), np.uint8)


def _scaled(box: Box, scale: float) -> Box:
    x0, y0, x1, y1 = box
    return x0 * scale, y0 * scale, x1 * scale, y1 * scale

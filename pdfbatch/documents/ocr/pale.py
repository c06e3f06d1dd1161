"""Pictures whose ink differs little from their paper, as faded print and copies of copies: their shades are spread."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 1000
"""Pixels of the longer side at which shades are told; what a scanner adds to smooth paper is evened out there."""
PALE = 64
"""Shades between ink and paper, below which a picture is pale. The detector finds print of 45 on, ordinary print has
more than 100."""
BLANK = 12
"""Shades, below which a picture shows one colour only."""
SPECKS = 0.02
"""Percentage of pixels that may be darker or lighter without counting."""
SPREAD = 220
"""Shades between ink and paper afterwards."""

Shades = npt.NDArray[np.uint8]


class Range(NamedTuple):
    """The darkest and the lightest shade of a picture, 0 to 255."""

    dark: float
    light: float

    @property
    def is_pale(self) -> bool:
        """Whether the picture shows something, but faintly."""
        return BLANK <= self.light - self.dark < PALE


def range_of(pixels: Shades) -> Range:
    """Of a grey or RGB picture; pure."""
    if pixels.size == 0:
        return Range(255.0, 255.0)
    shrink = min(1.0, SIDE / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else pixels
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) if small.ndim == 3 else small
    dark, light = np.percentile(gray, (SPECKS, 100 - SPECKS))
    return Range(float(dark), float(light))


def spread(pixels: Shades, shades: Range) -> Shades:
    """The picture with its paper white and its ink nearly black; pure."""
    gain = SPREAD / max(shades.light - shades.dark, 1.0)
    table = (255 - (shades.light - np.arange(256)) * gain).clip(0, 255).astype(np.uint8)
    return np.asarray(table[pixels], np.uint8)

"""Draw a part of a page larger and in colour, to check whether a word is visible there."""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt

from pdfbatch.documents.pdf.boxes import union
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.sight.look import core, draw_part
from pdfbatch.documents.textlayer.lines import Box

FLAT = 12
"""Shades, of 255, by which visible text differs from its background at least; on a screen people see no smaller
difference."""
LETTER_PIXELS = 16.0
MOST_PIXELS = 6e6
LARGEST_SCALE = 4.0
CROSSING = 0.04
"""Share of a word's pixels that may differ from the background without being a word, such as a rule or a speck."""


class Seen(Enum):
    SHOWN = "shown"
    FLAT = "flat"
    """Only one colour."""
    SAME = "same"
    """There is ink, but the word itself has its background's colour."""


class Closer:
    """The part of the page that holds `boxes` (unrotated space, points), with letters about `LETTER_PIXELS` high."""

    def __init__(self, page: pymupdf.Page, boxes: list[Box], points: float) -> None:
        """Draw the part. `points`: the font size."""
        x0, y0, x1, y1 = union(boxes)
        area = max((x1 - x0) * (y1 - y0), 1.0)
        self._scale = min(LETTER_PIXELS / max(points, 1.0), LARGEST_SCALE, (MOST_PIXELS / area) ** 0.5)
        self._pixels, (self._left, self._top) = draw_part(page, (x0, y0, x1, y1), self._scale)

    def sees(self, box: Box, direction: tuple[float, float], colour: int, alpha: int) -> Seen:
        """Decide whether a word of `colour` (sRGB) and `alpha` (0 to 255) is visible in its `box`."""
        whole, middle = self._part(box), self._part(core(box, direction))
        if middle.size == 0:
            return Seen.FLAT
        ground = np.median(whole.reshape(-1, 3), axis=0)
        differs = np.abs(middle - ground).max(axis=2) > FLAT
        if not differs.any():
            return Seen.FLAT
        own = np.array([colour >> 16 & 255, colour >> 8 & 255, colour & 255])
        contrast = float(np.abs(own - ground).max()) * alpha / 255
        return Seen.SAME if contrast <= FLAT else Seen.SHOWN

    def is_ground(self, box: Box, colour: int) -> bool:
        """Check whether `colour` is the background colour in a word's `box`."""
        ground = np.median(self._part(box).reshape(-1, 3), axis=0)
        own = np.array([colour >> 16 & 255, colour >> 8 & 255, colour & 255])
        return bool(np.abs(own - ground).max() <= FLAT)

    def ink(self, box: Box, direction: tuple[float, float]) -> float:
        """Return the share of a word's pixels that differ from its background, 0 to 1."""
        whole, middle = self._part(box), self._part(core(box, direction))
        if middle.size == 0:
            return 0.0
        ground = np.median(whole.reshape(-1, 3), axis=0)
        return float((np.abs(middle - ground).max(axis=2) > FLAT).mean())

    def _part(self, box: Box) -> npt.NDArray[np.int16]:
        x0, x1 = (round((value - self._left) * self._scale) for value in (box[0], box[2]))
        y0, y1 = (round((value - self._top) * self._scale) for value in (box[1], box[3]))
        part = self._pixels[max(0, y0) : max(y1, y0 + 1, 0), max(0, x0) : max(x1, x0 + 1, 0)]
        return part.astype(np.int16)

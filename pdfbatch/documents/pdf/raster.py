"""A page as a picture, at a scale that is chosen before anything is allocated.

A page's size and the pictures on it are declared in a few bytes, so an 11 KB file can ask for gigabytes. What is
declared is therefore weighed first; only then is something decoded or drawn. Knows nothing of text or OCR.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from pdfbatch.documents.pdf.drawing import draw
from pdfbatch.documents.pdf.mupdf import pymupdf

Pixels = npt.NDArray[np.uint8]
"""Height x width x 3, RGB."""

POINTS_PER_INCH = 72
MAX_PIXELS = 16_000_000
MAX_SIDE = 8_000
MAX_PICTURE_BYTES = 600_000_000
"""Of one embedded picture, unpacked. MuPDF shrinks while it unpacks most kinds (35,000 x 35,000 black and white pixels
take 250 MB and 2 s), but JPEG 2000 comes whole, and the time grows with these bytes in any case."""

STRIP_RATIO = 3.0
"""Pages longer than this times their width are cut; ordinary paper, even a till receipt's start, is below."""
TILE_RATIO = 2.0
TILE_POINTS = 800.0
OVERLAP_POINTS = 72.0
MAX_TILES = 32

INK_SIDE = 1000
"""Ink is looked for at this size, pixels of the longer side."""
INK_CONTRAST = 40
INK_MARGIN = 12

_COMPONENTS = {"": 1, "DeviceGray": 1, "CalGray": 1, "Indexed": 1, "Separation": 1, "DeviceCMYK": 4}


class TooLarge(Exception):
    """The page holds more pixels than may be unpacked; the message says what and how much."""


@dataclass(frozen=True)
class Raster:
    """A drawn part of a page, turned as /Rotate says. `scale` is pixels per point; `clip` is that part, in points."""

    pixels: Pixels
    scale: float
    clip: pymupdf.Rect


class Tile(NamedTuple):
    """A piece of a very long page: what is drawn, and the part of it, `[first, last)` in points along the page's long
    side, that no other tile answers for (tiles overlap, so that no line of text is cut)."""

    raster: Raster
    first: float
    last: float
    tall: bool

    @property
    def whole(self) -> bool:
        """Whether it is the whole page, as with all but strips."""
        length = self.raster.clip.height if self.tall else self.raster.clip.width
        return bool(self.last - self.first >= length)


def rasterise(
    page: pymupdf.Page,
    dpi: float = 200,
    max_pixels: int = MAX_PIXELS,
    max_side: int = MAX_SIDE,
    clip: pymupdf.Rect | None = None,
) -> Raster:
    """Draw the page (or the part `clip` of it, in points) at `dpi`, or at less where it would exceed a limit.

    Raises TooLarge when a picture on the page is too big to unpack at any scale.
    """
    refuse_giant_pictures(page)
    area = clip or page.rect
    scale = fitting_scale(area.width, area.height, dpi / POINTS_PER_INCH, max_pixels, max_side)
    pixmap = draw(page, pymupdf.Matrix(scale, scale), area)
    rows = np.frombuffer(pixmap.samples_mv, dtype=np.uint8).reshape(pixmap.height, pixmap.stride)
    pixels = rows[:, : pixmap.width * 3].reshape(pixmap.height, pixmap.width, 3).copy()
    pymupdf.TOOLS.store_shrink(100)  # drops the unpacked pictures, up to 256 MB, that no later page asks for
    return Raster(pixels, scale, area)


def fitting_scale(width: float, height: float, scale: float, max_pixels: int, max_side: int) -> float:
    """The wished-for scale, or the largest that keeps `width` x `height` points within both limits (and above 0 px)."""
    longest = max(width, height, 1e-6)
    area = max(width * height, 1e-6)
    return min(scale, max_side / longest, math.sqrt(max_pixels / area))


def own_dpi(page: pymupdf.Page) -> float:
    """The resolution of the largest picture on the page, dots per inch; 0.0 where there is none."""
    shown = [(abs(pymupdf.Rect(info["bbox"])), info["width"] * info["height"]) for info in page.get_image_info()]
    area, dots = max(shown, default=(0.0, 0))
    return POINTS_PER_INCH * math.sqrt(dots / area) if area > 0 else 0.0


def ink_box(pixels: Pixels) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of what is not paper, in pixels with a margin; None for a blank picture."""
    shrink = min(1.0, INK_SIDE / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    ink = np.abs(gray.astype(np.int16) - int(np.median(gray))) > INK_CONTRAST
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(rows) == 0:
        return None
    (left, right), (top, bottom) = (_with_margin(places, shrink) for places in (columns, rows))
    return left, top, right, bottom


def _with_margin(places: npt.NDArray[np.intp], shrink: float) -> tuple[int, int]:
    return int(max(0, places[0] - INK_MARGIN) / shrink), int((places[-1] + 1 + INK_MARGIN) / shrink)


def refuse_giant_pictures(page: pymupdf.Page) -> None:
    """Raise TooLarge if an embedded picture declares more than may be unpacked. Decodes nothing."""
    for picture in page.get_images(full=True):
        width, height, bits, colours = picture[2:6]
        if width * height * bits * _COMPONENTS.get(colours, 3) / 8 > MAX_PICTURE_BYTES:
            raise TooLarge(f"too large: a picture of {width} x {height} pixels, {colours or 'mask'}, {bits} bits each")


def tiles(
    page: pymupdf.Page, dpi: float = 200, max_pixels: int = MAX_PIXELS, max_side: int = MAX_SIDE
) -> Iterator[Tile]:
    """The page in pieces fit for reading: one for ordinary pages, overlapping ones for very long strips, drawn one by
    one in order from the top (or left)."""
    tall = page.rect.height >= page.rect.width
    length, breadth = (page.rect.height, page.rect.width) if tall else (page.rect.width, page.rect.height)
    for first, last in cuts(length, breadth):
        start, end = max(0.0, first - OVERLAP_POINTS / 2), min(length, last + OVERLAP_POINTS / 2)
        clip = pymupdf.Rect(0, start, breadth, end) if tall else pymupdf.Rect(start, 0, end, breadth)
        yield Tile(rasterise(page, dpi, max_pixels, max_side, clip), first, last, tall)


def cuts(length: float, breadth: float) -> list[tuple[float, float]]:
    """Where to cut a page of `length` x `breadth` points: `[first, last)` of each piece along its length."""
    if length <= STRIP_RATIO * breadth:
        return [(0.0, length)]
    step = max(TILE_RATIO * breadth, TILE_POINTS, length / MAX_TILES)
    count = math.ceil(length / step)
    return [(length * n / count, length * (n + 1) / count) for n in range(count)]

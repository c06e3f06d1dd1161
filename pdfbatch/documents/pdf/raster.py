"""Draw a page at a scale that is chosen before memory is allocated.

A page's size and its images are declared in a few bytes, so an 11 KB file can ask for gigabytes. The declared sizes are
therefore checked first; only then is anything decoded or drawn. Knows nothing of text or OCR.
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
from pdfbatch.documents.pdf.failures import TooLarge
from pdfbatch.documents.pdf.mupdf import pymupdf

Pixels = npt.NDArray[np.uint8]
"""Height x width x 3, RGB."""

POINTS_PER_INCH = 72
MAX_PIXELS = 16_000_000
MAX_SIDE = 8_000
MAX_PICTURE_BYTES = 600_000_000
"""Limit for one embedded image, decoded. MuPDF shrinks most kinds while decoding (35,000 x 35,000 black and white
pixels take 250 MB and 2 s), but decodes JPEG 2000 whole, and the time grows with these bytes in any case."""

STRIP_RATIO = 3.0
"""Pages longer than this times their width are cut into tiles; ordinary paper and short receipts are below it."""
TILE_RATIO = 2.0
TILE_POINTS = 800.0
OVERLAP_POINTS = 72.0
MAX_TILES = 32

INK_SIDE = 1000
"""Pixels of the longer side of the picture in which ink is searched."""
INK_CONTRAST = 40
INK_MARGIN = 12

_COMPONENTS = {"": 1, "DeviceGray": 1, "CalGray": 1, "Indexed": 1, "Separation": 1, "DeviceCMYK": 4}


@dataclass(frozen=True)
class Raster:
    """A drawn part of a page, turned by its /Rotate. `scale` is pixels per point; `clip` is that part, in points."""

    pixels: Pixels
    scale: float
    clip: pymupdf.Rect


class Tile(NamedTuple):
    """A piece of a very long page: the drawn raster, and the range `[first, last)` along the page's long side, in
    points, that belongs to this tile alone. Tiles overlap, so that no line of text is cut."""

    raster: Raster
    first: float
    last: float
    tall: bool

    @property
    def whole(self) -> bool:
        """Whether the tile is the whole page, as for all pages but strips."""
        length = self.raster.clip.height if self.tall else self.raster.clip.width
        return bool(self.last - self.first >= length)


def rasterise(
    page: pymupdf.Page,
    dpi: float = 200,
    max_pixels: int = MAX_PIXELS,
    max_side: int = MAX_SIDE,
    clip: pymupdf.Rect | None = None,
) -> Raster:
    """Draw the page (or the part `clip` of it, in points) at `dpi`, or lower if it would exceed a limit.

    Raises:
        TooLarge: an image on the page is too big to decode at any scale.
    """
    refuse_giant_pictures(page)
    area = clip or page.rect
    scale = fitting_scale(area.width, area.height, dpi / POINTS_PER_INCH, max_pixels, max_side)
    pixmap = draw(page, pymupdf.Matrix(scale, scale), area)
    rows = np.frombuffer(pixmap.samples_mv, dtype=np.uint8).reshape(pixmap.height, pixmap.stride)
    pixels = rows[:, : pixmap.width * 3].reshape(pixmap.height, pixmap.width, 3).copy()
    pymupdf.TOOLS.store_shrink(100)  # frees decoded images, up to 256 MB, which no later page needs
    return Raster(pixels, scale, area)


def fitting_scale(width: float, height: float, scale: float, max_pixels: int, max_side: int) -> float:
    """Return `scale`, or the largest that keeps `width` x `height` points within both limits (and above 0 px)."""
    longest = max(width, height, 1e-6)
    area = max(width * height, 1e-6)
    return min(scale, max_side / longest, math.sqrt(max_pixels / area))


def own_dpi(page: pymupdf.Page) -> float:
    """Return the resolution of the largest image on the page in dots per inch, 0.0 if there is none."""
    shown = [(abs(pymupdf.Rect(info["bbox"])), info["width"] * info["height"]) for info in page.get_image_info()]
    area, dots = max(shown, default=(0.0, 0))
    return POINTS_PER_INCH * math.sqrt(dots / area) if area > 0 else 0.0


def ink_box(pixels: Pixels) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom of the inked area in pixels, with a margin; None for a blank picture."""
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
    """Check the declared sizes of embedded images. Decodes nothing.

    Raises:
        TooLarge: an image declares more than may be decoded.
    """
    for picture in page.get_images(full=True):
        width, height, bits, colours = picture[2:6]
        if width * height * bits * _COMPONENTS.get(colours, 3) / 8 > MAX_PICTURE_BYTES:
            raise TooLarge(f"too large: an image of {width} x {height} pixels, {colours or 'mask'}, {bits} bits each")


def tiles(
    page: pymupdf.Page, dpi: float = 200, max_pixels: int = MAX_PIXELS, max_side: int = MAX_SIDE
) -> Iterator[Tile]:
    """Draw the page in pieces fit for OCR: one for ordinary pages, overlapping ones for very long strips, one at a time
    from the top (or left)."""
    tall = page.rect.height >= page.rect.width
    length, breadth = (page.rect.height, page.rect.width) if tall else (page.rect.width, page.rect.height)
    for first, last in cuts(length, breadth):
        start, end = max(0.0, first - OVERLAP_POINTS / 2), min(length, last + OVERLAP_POINTS / 2)
        clip = pymupdf.Rect(0, start, breadth, end) if tall else pymupdf.Rect(start, 0, end, breadth)
        yield Tile(rasterise(page, dpi, max_pixels, max_side, clip), first, last, tall)


def cuts(length: float, breadth: float) -> list[tuple[float, float]]:
    """Return where to cut a page of `length` x `breadth` points: `[first, last)` of each piece along its length."""
    if length <= STRIP_RATIO * breadth:
        return [(0.0, length)]
    step = max(TILE_RATIO * breadth, TILE_POINTS, length / MAX_TILES)
    count = math.ceil(length / step)
    return [(length * n / count, length * (n + 1) / count) for n in range(count)]

"""Draw a page for a model that reads images, upright: by its text layer, or by OCR of a few lines where it has none.

Runs in a child process.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import NamedTuple

import numpy as np

from pdfbatch.documents.forms import shell_page
from pdfbatch.documents.ocr.scan import available, turn_of
from pdfbatch.documents.pdf.damage import damage_of, lost_picture, take_warnings
from pdfbatch.documents.pdf.document_cache import forget, give_back_memory, open_page
from pdfbatch.documents.pdf.failures import detail_of, reason_of
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.raster import POINTS_PER_INCH, Pixels, Raster, rasterise
from pdfbatch.documents.pdf.silence import silenced
from pdfbatch.documents.pdf.upright import Pose, unrotated_size, upright_matrix
from pdfbatch.documents.textlayer.health import Health, health_of
from pdfbatch.documents.textlayer.lines import RAW_FLAGS, Box, Line, lines_of
from pdfbatch.records import PageResult, Reason

FEWEST_LETTERS = 100
CLEAR_SHARE = 0.7
"""Share of the letters that must run in one direction for the page to be turned that way."""


class PrintedLine(NamedTuple):
    """A line of the text layer; `box` in pixels of the drawn page."""

    box: Box
    text: str


class Drawn(NamedTuple):
    """`turned`: degrees clockwise by which the page was turned beyond its /Rotate; `rotation`: both together. `lines`:
    those of the text layer, be it right or wrong."""

    pixels: Pixels
    dpi: float
    turned: int
    rotation: int = 0
    lines: tuple[PrintedLine, ...] = ()

    def edges_of(self, box: Box, margin: float) -> tuple[int, int, int, int]:
        """Returns the left, top, right and bottom edge in pixels of a box in points, widened by a margin in points and
        cut off where the page ends."""
        height, width = self.pixels.shape[:2]
        x0, y0 = (int((place - margin) * self.dpi / POINTS_PER_INCH) for place in box[:2])
        x1, y1 = (int((place + margin) * self.dpi / POINTS_PER_INCH) + 1 for place in box[2:])
        return max(0, x0), max(0, y0), min(width, x1), min(height, y1)


def draw_page(path: str, number: int, dpi: float, side: int) -> Drawn | PageResult:
    """Draw page `number` (from 1) of the PDF at `path`, upright, at `dpi`. The resolution is higher if the longer side
    would otherwise have fewer than `side` pixels, and lower if the page would exceed the limits of raster.py. A failure
    becomes a result with its reason. Prints nothing."""
    return _drawn(path, number, dpi, side)


def draw_page_to_side(path: str, number: int, side: int) -> Drawn | PageResult:
    """Draw a page as `draw_page` does, but not turned, and with a longer side of `side` pixels."""
    return _drawn(path, number, None, side)


def _drawn(path: str, number: int, dpi: float | None, side: int) -> Drawn | PageResult:
    with silenced():
        try:
            document, page = open_page(path, number)
            take_warnings()  # discard warnings of earlier pages
            if shell := shell_page(document, number):
                return shell
            drawn = _of_page(page, dpi, side)
            if drawn.pixels.size and drawn.pixels.min() == drawn.pixels.max() and (lost := _lost(page)):
                return PageResult(number=number, reason=Reason.CORRUPT, detail=lost)
            return drawn
        except Exception as error:
            forget(path)
            return PageResult(number=number, reason=reason_of(error), detail=detail_of(error))
        finally:
            give_back_memory(at_once=True)


def _of_page(page: pymupdf.Page, dpi: float | None, side: int) -> Drawn:
    if dpi is None:
        return _plain(rasterise(page, dpi=math.inf, max_side=side), 0, page.rotation)
    least = POINTS_PER_INCH * side / max(page.rect.width, page.rect.height, 1.0)
    raster = rasterise(page, max(dpi, least))
    lines = lines_of(page.get_textpage(flags=RAW_FLAGS).extractDICT()["blocks"])
    drawn = _plain(raster, _turn(page, lines, raster.pixels), page.rotation)
    return drawn._replace(lines=_printed(page, lines, drawn.rotation, raster.scale))


def _printed(page: pymupdf.Page, lines: list[Line], rotation: int, scale: float) -> tuple[PrintedLine, ...]:
    matrix = upright_matrix(Pose(rotation), *unrotated_size(page)) * pymupdf.Matrix(scale, scale)
    return tuple(PrintedLine(tuple(pymupdf.Rect(line.box) * matrix), line.text) for line in lines if line.text.strip())


def _lost(page: pymupdf.Page) -> str:
    """Explain why a page that shows only one colour is not blank; "" if it is blank."""
    warnings = take_warnings()
    return damage_of(page, warnings, shows_nothing=True) or lost_picture(warnings)


def _plain(raster: Raster, turned: int, rotation: int) -> Drawn:
    pixels = np.ascontiguousarray(np.rot90(raster.pixels, k=-turned // 90))
    return Drawn(pixels, raster.scale * POINTS_PER_INCH, turned, (rotation + turned) % 360)


def _turn(page: pymupdf.Page, lines: list[Line], pixels: Pixels) -> int:
    """Return the degrees clockwise that make the text of a page, drawn as `pixels`, run to the right; 0 if that is
    unclear."""
    # The text may be a stamp along the edge of a scan, whose direction means nothing.
    if health_of(page, lines) not in (Health.GOOD, Health.HIDDEN):
        return turn_of(pixels) if available() else 0
    pose = _clear_pose(lines)
    return (pose.turn - page.rotation) % 360 if pose and not pose.mirrored else 0


def _clear_pose(lines: list[Line]) -> Pose | None:
    letters: Counter[Pose] = Counter()
    for line in lines:
        letters[line.pose] += len(line.text)
    if letters.total() < FEWEST_LETTERS:
        return None
    pose, count = letters.most_common(1)[0]
    return pose if count >= CLEAR_SHARE * letters.total() else None

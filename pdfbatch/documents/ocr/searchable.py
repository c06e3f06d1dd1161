"""Make a page from OCR results: the upright picture with its lines as invisible text, like a searchable scan.

The layout model can then treat a scan like a page with a text layer: columns, headings, tables, pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2

from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.raster import POINTS_PER_INCH, Pixels

PICTURE_DPI = 100
"""The layout model sees a page at 72 DPI; more would only cost time."""
LETTER_SHARE = 0.72
"""Font size as a share of the height of a line's box, which the detector draws around ascenders and descenders."""
BASELINE_SHARE = 0.25
"""Height of the baseline above the box's lower edge, as a share of the box."""
SHORTEST, LONGEST = 700.0, 1700.0
"""Points of the longer side of a page made here: the layout model was trained on ordinary paper sizes."""
INVISIBLE = 3  # PDF text render mode


class OcrLine(NamedTuple):
    """One line as read. `sure` is the confidence, 0 to 1; `box` is left, top, right, bottom in pixels of the upright
    picture; `turn` is how far the line, not the page, must be turned clockwise to run to the right: 0, 90 (it runs up)
    or 270."""

    text: str
    sure: float
    box: tuple[float, float, float, float]
    turn: int = 0


def searchable(pixels: Pixels, scale: float, lines: Sequence[OcrLine]) -> pymupdf.Document:
    """Make an in-memory document of one page, sized by `scale` (pixels per point) within bounds."""
    scale = page_scale(pixels, scale)
    document = pymupdf.open()
    page = document.new_page(width=pixels.shape[1] / scale, height=pixels.shape[0] / scale)
    page.insert_image(page.rect, stream=_jpeg(pixels, scale))
    font = pymupdf.Font("helv")  # for glyphs it lacks, TextWriter uses MuPDF's fallback fonts
    for line in lines:
        _lay(page, font, line, scale)
    return document


def page_scale(pixels: Pixels, scale: float) -> float:
    """Return the pixels per point of the page that `searchable` makes."""
    longest = float(max(pixels.shape[:2]))
    return longest / min(max(longest / scale, SHORTEST), LONGEST)


def _lay(page: pymupdf.Page, font: pymupdf.Font, line: OcrLine, scale: float) -> None:
    """Put the line's text into its box: as high as the box, stretched to its width."""
    left, top, right, bottom = (value / scale for value in line.box)
    length, breadth = (bottom - top, right - left) if line.turn else (right - left, bottom - top)
    size = max(1.0, LETTER_SHARE * breadth)
    natural = font.text_length(line.text, size)
    if natural <= 0 or length <= 0:
        return
    rise = BASELINE_SHARE * breadth
    x, y = {0: (left, bottom - rise), 90: (right - rise, bottom), 270: (left + rise, top)}[line.turn]
    start = pymupdf.Point(x, y)
    writer = pymupdf.TextWriter(page.rect)
    writer.append(start, line.text + " ", font=font, fontsize=size)
    fit = pymupdf.Matrix(length / natural, 1) * pymupdf.Matrix(line.turn)
    writer.write_text(page, render_mode=INVISIBLE, morph=(start, fit))


def _jpeg(pixels: Pixels, scale: float) -> bytes:
    shrink = min(1.0, PICTURE_DPI / POINTS_PER_INCH / scale)
    small = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    done, coded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return bytes(coded)

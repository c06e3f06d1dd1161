"""Turn a scanned page into elements: its lines read by OCR and laid out by the layout model.

The lines are put invisibly on a page made of the picture, see searchable.py, so that a scan has columns, headings and
tables like a page with a text layer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pdfbatch.documents.layout.elements import elements_of
from pdfbatch.documents.layout.figures import with_figures
from pdfbatch.documents.layout.regions import regions_of
from pdfbatch.documents.ocr.scan import DPI, Reading, read_pieces, runs_backwards
from pdfbatch.documents.ocr.searchable import OcrLine, page_scale, searchable
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.upright import UprightPage
from pdfbatch.records import Box, Element


class ScanPage(NamedTuple):
    """What was read on a page. `turned`: how far its picture had to be turned clockwise, degrees; `confidence`: the
    recogniser's, 0 to 1, the mean over the letters (1.0 for a blank page); `figures`: PNG files by name."""

    elements: list[Element]
    figures: dict[str, bytes]
    turned: int
    confidence: float


def read_scan(page: pymupdf.Page, number: int, dpi: float = DPI) -> ScanPage:
    """Read the picture of the page, the `number`-th of its document, drawn at `dpi` or more.

    Raises:
        TooLarge: it cannot be decoded.
    """
    parts: list[list[Element]] = []
    figures: dict[str, bytes] = {}
    lines: list[OcrLine] = []
    turned = before = 0
    for reading in read_pieces(page, dpi):
        elements, files = _elements(page, reading, number, before)
        before += len(elements)
        parts.append(elements)
        figures |= files
        lines += reading.lines
        turned = reading.turned
    if runs_backwards(page, turned):
        parts.reverse()
    letters = sum(len(line.text) for line in lines)
    sure = sum(line.sure * len(line.text) for line in lines) / letters if letters else 1.0
    return ScanPage([element for part in parts for element in part], figures, turned, round(sure, 4))


def _elements(page: pymupdf.Page, reading: Reading, number: int, before: int) -> tuple[list[Element], dict[str, bytes]]:
    """Return the elements of one piece, in points of the upright page, and its figures. The page has `before` earlier
    elements."""
    if not reading.lines:
        return [], {}
    scale = page_scale(reading.pixels, reading.scale)
    with searchable(reading.pixels, reading.scale, reading.lines) as document:
        found = elements_of(regions_of(UprightPage(document[0])))
    elements, figures = with_figures(found, number, before, lambda box: _picture(reading, box, scale))
    left, top = _corner(page, reading)
    share = scale / reading.scale
    return [
        element.model_copy(
            update={
                "box": _moved(element.box, share, left, top),
                "size": round(element.size * share, 1),
                "source": "ocr",
                "score": _score(reading.lines, element.box, scale),
            }
        )
        for element in elements
    ], figures


def _score(lines: list[OcrLine], box: Box, scale: float) -> float:
    """Return the recogniser's confidence for the lines in a box, the mean over their letters."""
    inside = [line for line in lines if _is_inside(line, box, scale)]
    letters = sum(len(line.text) for line in inside)
    return round(sum(line.sure * len(line.text) for line in inside) / letters, 3) if letters else 1.0


def _is_inside(line: OcrLine, box: Box, scale: float) -> bool:
    x = (line.box[0] + line.box[2]) / 2 / scale
    y = (line.box[1] + line.box[3]) / 2 / scale
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _moved(box: Box, share: float, left: float, top: float) -> Box:
    x0, y0, x1, y1 = (round(place * share, 1) for place in box)
    return (x0 + left, y0 + top, x1 + left, y1 + top)


def _corner(page: pymupdf.Page, reading: Reading) -> tuple[float, float]:
    """Return where the piece lies on the upright page, in points."""
    x0, y0, x1, y1 = reading.clip
    width, height = page.rect.width, page.rect.height
    return {
        0: (x0, y0),
        90: (height - y1, x0),
        180: (width - x1, height - y1),
        270: (y0, width - x1),
    }[reading.turned]


def _picture(reading: Reading, box: Box, scale: float) -> pymupdf.Pixmap:
    left, top = (max(0, int(place * scale)) for place in box[:2])
    part = np.ascontiguousarray(reading.pixels[top : int(box[3] * scale) + 1, left : int(box[2] * scale) + 1])
    return pymupdf.Pixmap(pymupdf.csRGB, part.shape[1], part.shape[0], part.tobytes(), False)

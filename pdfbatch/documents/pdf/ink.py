"""Find where a page shows ink, on a small grey bitmap. Imports numpy, so it is itself imported only where needed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy

from pdfbatch.documents.pdf.drawing import draw
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.upright import unrotated_size

LOOK_PIXELS = 900.0
"""Longest side of the bitmap."""
CELL = 6
"""Pixels: about one letter of ordinary text at `LOOK_PIXELS`."""
FEWEST_CELLS = 20
ROUNDING = 4
"""Shades of grey by which white may vary where shapes meet."""


def is_white(page: pymupdf.Page) -> bool:
    """Check whether the page shows only one colour."""
    gray = gray_picture(page)
    return bool(gray.size == 0 or int(gray.max()) - int(gray.min()) <= ROUNDING)


def uncovered_ink(page: pymupdf.Page, boxes: Iterable[tuple[float, float, float, float]]) -> float:
    """Return the share of the page's text-like cells that no box of `boxes` covers, 0 to 1. `boxes` are in the page's
    unrotated space, in points."""
    cells = _text_like(gray_picture(page))
    total = int(cells.sum())
    scale = picture_scale(page) / CELL
    for x0, y0, x1, y1 in boxes:
        rows = slice(max(0, int(y0 * scale) - 1), int(y1 * scale) + 2)
        columns = slice(max(0, int(x0 * scale) - 1), int(x1 * scale) + 2)
        cells[rows, columns] = False
    return float(cells.sum() / total) if total >= FEWEST_CELLS else 0.0


def picture_scale(page: pymupdf.Page) -> float:
    return LOOK_PIXELS / max(*unrotated_size(page), 1.0)


def gray_picture(page: pymupdf.Page) -> numpy.ndarray:
    """Draw the page in its unrotated space, 0 (black) to 255 (white)."""
    matrix = pymupdf.Matrix(-page.rotation) * pymupdf.Matrix(picture_scale(page), picture_scale(page))
    pixmap = draw(page, matrix, colours=pymupdf.csGRAY)
    rows: numpy.ndarray = numpy.frombuffer(pixmap.samples, dtype=numpy.uint8).reshape(pixmap.height, pixmap.stride)
    return rows[:, : pixmap.width]


def _text_like(gray: numpy.ndarray) -> numpy.ndarray:
    """Mark cells with some ink on much paper: letters have such cells, photographs do not."""
    rows, columns = gray.shape[0] // CELL, gray.shape[1] // CELL
    cells = gray[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
    paper = float(numpy.percentile(gray, 75))
    ink = (cells < paper - 70).mean(axis=(1, 3))
    bright = (cells > paper - 35).mean(axis=(1, 3))
    like: numpy.ndarray = (ink > 0.05) & (ink < 0.7) & (bright > 0.2)
    return like

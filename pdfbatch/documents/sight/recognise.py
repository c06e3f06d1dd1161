"""Read lines from a page's picture by OCR: whole regions, or places where the layer says there is a line."""

from __future__ import annotations

import numpy as np

from pdfbatch.documents.ocr import orientation, searchable
from pdfbatch.documents.ocr import scan as ocr
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.upright import Pose
from pdfbatch.documents.sight.look import Colours, draw_part
from pdfbatch.documents.textlayer.lines import Box, Line, LinePiece

LINE_PIXELS = 48.0
"""The height at which a line is drawn for reading; the recogniser's input has the same height."""
LARGEST_SCALE = 6.0
REGION_SCALE = 200 / 72
MOST_PIXELS = 12e6
LETTER_SHARE = 0.72
"""Font size as a share of the height of a detected line's box."""
MARGIN = 0.08
"""Margin around a line as a share of its height."""


def read_line(page: pymupdf.Page, box: Box, pose: Pose) -> tuple[str, float]:
    """Read the picture in the box of one line (unrotated space, points); return the text and the confidence, 0 to 1."""
    x0, y0, x1, y1 = box
    breadth = max(min(x1 - x0, y1 - y0), 1.0)
    room = MARGIN * breadth
    scale = min(LINE_PIXELS / breadth, LARGEST_SCALE)
    pixels, _ = draw_part(page, (x0 - room, y0 - room, x1 + room, y1 + room), scale)
    if pixels.size == 0:
        return "", 0.0
    pixels = orientation.turn(pixels, pose.turn)
    if pose.mirrored:
        pixels = np.ascontiguousarray(pixels[::-1])
    return ocr.read_crops([pixels])[0]


def read_region(page: pymupdf.Page, box: Box, covered: list[Box], turn: int | None = 0) -> list[tuple[Line, float]]:
    """Read the lines that the picture shows in a region (unrotated space, points), each with its confidence, 0 to 1.
    The boxes `covered` hold known text and are painted over. `turn` degrees clockwise make the region upright; None:
    find out."""
    area = max((box[2] - box[0]) * (box[3] - box[1]), 1.0)
    scale = min(REGION_SCALE, (MOST_PIXELS / area) ** 0.5)
    drawn, corner = draw_part(page, box, scale)
    if min(drawn.shape[:2]) < 4:
        return []
    pixels = drawn.copy()
    for known in covered:
        _paint_over(pixels, known, corner, scale)
    reading = ocr.read_picture(pixels, scale, turn)
    size = (pixels.shape[1], pixels.shape[0])
    return [(_line(line, reading.turned, size, corner, scale), line.sure) for line in reading.lines]


def _paint_over(pixels: Colours, box: Box, corner: tuple[float, float], scale: float) -> None:
    x0, x1 = (max(0, round((value - corner[0]) * scale)) for value in (box[0], box[2]))
    y0, y1 = (max(0, round((value - corner[1]) * scale)) for value in (box[1], box[3]))
    part = pixels[y0:y1, x0:x1]
    if part.size:
        part[:] = np.median(part.reshape(-1, 3), axis=0)


def _line(
    line: searchable.OcrLine, turned: int, size: tuple[int, int], corner: tuple[float, float], scale: float
) -> Line:
    x0, y0, x1, y1 = turned_back(line.box, turned, size)
    box = (corner[0] + x0 / scale, corner[1] + y0 / scale, corner[0] + x1 / scale, corner[1] + y1 / scale)
    breadth = min(line.box[2] - line.box[0], line.box[3] - line.box[1]) if not line.turn else line.box[2] - line.box[0]
    return Line(box, Pose((turned + line.turn) % 360), LETTER_SHARE * breadth / scale, [LinePiece(line.text)])


def turned_back(box: Box, turned: int, size: tuple[int, int]) -> Box:
    """Return a box of a picture turned clockwise by `turned` degrees in coordinates of the picture before, of
    `size`."""
    x0, y0, x1, y1 = box
    wide, high = size
    return {
        0: (x0, y0, x1, y1),
        90: (y0, high - x1, y1, high - x0),
        180: (wide - x1, high - y1, wide - x0, high - y0),
        270: (wide - y1, x0, wide - y0, x1),
    }[turned]

"""A small grey picture of a page, drawn once for many checks, and the spans of its text layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pdfbatch.documents.pdf.drawing import draw
from pdfbatch.documents.pdf.ink import gray_picture, picture_scale
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.upright import unrotated_size
from pdfbatch.documents.textlayer.lines import Box, text_blocks

Gray = npt.NDArray[np.uint8]
Colours = npt.NDArray[np.uint8]
"""Height x width x 3, RGB."""
Span = dict[str, Any]
"""MuPDF's span, plus its line's direction (`dir`) and writing mode (`wmode`, 1: vertical), and the numbers of its line
and block."""
LEVEL = 0.99
"""Cosine from which a line runs along an axis of the page."""


class Look(NamedTuple):
    """A page in its unrotated space: the grey picture of `scale` pixels per point, its size in points, its text in
    MuPDF's blocks, the non-blank spans, and the text page that they come from."""

    gray: Gray
    scale: float
    size: tuple[float, float]
    blocks: list[dict[str, Any]]
    spans: list[Span]
    textpage: pymupdf.TextPage

    def part(self, box: Box) -> Gray:
        """Return the pixels in a box; empty if it lies off the page."""
        x0, y0, x1, y1 = (max(0, round(value * self.scale)) for value in box)
        return self.gray[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


def look_at(page: pymupdf.Page, textpage: pymupdf.TextPage) -> Look:
    """Draw the page, which takes about 5 ms for a page of text. `textpage`: its text in unrotated space."""
    blocks = textpage.extractDICT()["blocks"]
    return Look(gray_picture(page), picture_scale(page), unrotated_size(page), blocks, list(spans_of(blocks)), textpage)


def draw_part(page: pymupdf.Page, box: Box, scale: float) -> tuple[Colours, tuple[float, float]]:
    """Draw a box of the page's unrotated space at `scale` pixels per point; return also the point at the picture's
    corner."""
    matrix = pymupdf.Matrix(-page.rotation) * pymupdf.Matrix(scale, scale)
    corner = (page.rect * matrix).tl
    matrix = matrix * pymupdf.Matrix(1, 0, 0, 1, -corner.x, -corner.y)
    clip = pymupdf.Rect(box) * page.rotation_matrix & page.rect
    pixmap = draw(page, matrix, clip)
    rows = np.frombuffer(pixmap.samples, dtype=np.uint8).reshape(pixmap.height, pixmap.stride)
    pixels = rows[:, : pixmap.width * 3].reshape(pixmap.height, pixmap.width, 3)
    return pixels, (pixmap.x / scale, pixmap.y / scale)


def spans_of(blocks: list[dict[str, Any]]) -> Iterator[Span]:
    """Yield every non-blank span."""
    count = 0
    for number, block in enumerate(text_blocks(blocks)):
        for line in block["lines"]:
            count += 1
            for span in line["spans"]:
                text = span["text"] if "text" in span else "".join(char["c"] for char in span["chars"])
                if text and not text.isspace():
                    yield span | {
                        "dir": line["dir"],
                        "wmode": line.get("wmode", 0),
                        "text": text,
                        "line": count,
                        "block": number,
                    }


def core(box: Box, direction: tuple[float, float]) -> Box:
    """Return the middle of a line's box, where small letters stand and neighbouring lines do not reach."""
    x0, y0, x1, y1 = box
    wide, high = x1 - x0, y1 - y0
    if abs(direction[0]) > LEVEL:
        return x0, y0 + 0.3 * high, x1, y1 - 0.25 * high
    if abs(direction[1]) > LEVEL:
        return x0 + 0.27 * wide, y0, x1 - 0.27 * wide, y1
    return box


def inked(span: Span) -> Box:
    """Return where a span's ink is: its box, and in a font for vertical writing also one glyph before it. MuPDF puts
    the box of such a glyph at its origin for horizontal writing, nearly one glyph after its ink."""
    x0, y0, x1, y1 = span["bbox"]
    if span["wmode"] != 1:
        return x0, y0, x1, y1
    right, down = (component * span["size"] for component in span["dir"])
    return x0 - max(0.0, right), y0 - max(0.0, down), x1 - min(0.0, right), y1 - min(0.0, down)


def area_of(box: Box) -> float:
    """Return the area of a box in square points."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])

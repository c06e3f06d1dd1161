"""Pages that a server can read from their picture alone: eight squares at the top of a page write a number."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pymupdf
from PIL import Image

WIDTH, HEIGHT = 300, 400
_SIDE, _LEFT, _TOP = 20, 40, 30
_LINES = ("A page that anybody can read, and that a server", "reads from the black squares at its top alone,", "for")


def make_pdf(path: Path, numbers: Sequence[int]) -> Path:
    """Writes a PDF with a page for each number, from 0 to 255. Its text layer is what no server sees."""
    with pymupdf.open() as document:
        for number in numbers:
            page = document.new_page(width=WIDTH, height=HEIGHT)
            draw_number(page, number)
            for row in range(4):
                page.insert_text((40, 100 + 40 * row), _LINES[0], fontsize=9)
                page.insert_text((40, 113 + 40 * row), _LINES[1], fontsize=9)
        document.save(path)
    return path


def draw_number(page: pymupdf.Page, number: int) -> None:
    """Draws the squares for a number, and one more that is always black."""
    for bit in [bit for bit in range(8) if number >> bit & 1] + [8]:
        page.draw_rect(pymupdf.Rect(*_square(bit)), color=(0, 0, 0), fill=(0, 0, 0))


def number_in(png: bytes) -> int:
    """Returns the number that a page's picture shows."""
    picture = Image.open(io.BytesIO(png)).convert("L")
    scale = picture.width / WIDTH
    found = 0
    for bit in range(8):
        x0, y0, x1, y1 = _square(bit)
        if picture.getpixel((round((x0 + x1) / 2 * scale), round((y0 + y1) / 2 * scale))) < 128:
            found |= 1 << bit
    return found


def _square(bit: int) -> tuple[int, int, int, int]:
    left = _LEFT + bit * (_SIDE + 4)
    return (left, _TOP, left + _SIDE, _TOP + _SIDE)

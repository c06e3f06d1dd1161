"""Draws a PDF page beside its Markdown, for light and dark readers."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pymupdf
from markdown_it import MarkdownIt
from PIL import Image

from pdfbatch.demo.pdfs import paper

WIDTH, HEIGHT = 595, 842
GAP = 24
SCALE = 1.1
COLOURS = 64
FIRST_PAGE = re.compile(r"<!-- page 1 -->\n(.*?)(?=<!-- page 2 -->|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Look:
    ground: tuple[float, float, float]
    ink: str
    faint: str


LOOKS = {
    "light": Look((1, 1, 1), "#24292f", "#d0d7de"),
    "dark": Look((0.051, 0.067, 0.09), "#e6edf3", "#3d444d"),
}


def draw(folder: Path) -> None:
    pdf = paper()
    html = MarkdownIt("commonmark").enable("table").render(_markdown_of(pdf))
    for name, look in LOOKS.items():
        (folder / f"page-{name}.png").write_bytes(_png(_beside(pdf, html, look)))


def _markdown_of(pdf: bytes) -> str:
    """Returns the Markdown of the first page, made by the command itself."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "in"), Path(folder, "out")
        source.mkdir()
        (source / "paper.pdf").write_bytes(pdf)
        command = [sys.executable, "-m", "pdfbatch", "local-run", str(source), str(output), "--engine", "cpu"]
        subprocess.run(command, check=True, capture_output=True)
        found = FIRST_PAGE.search((output / "paper.md").read_text(encoding="utf-8"))
    assert found, "no first page in the Markdown"
    return found[1]


def _beside(pdf: bytes, html: str, look: Look) -> pymupdf.Document:
    """Draws the PDF's first page on the left and its rendered Markdown on the right."""
    drawn = pymupdf.open()
    sheet = drawn.new_page(width=2 * WIDTH + 3 * GAP, height=HEIGHT + 2 * GAP)
    sheet.draw_rect(sheet.rect, color=look.ground, fill=look.ground)
    left = pymupdf.Rect(GAP, GAP, GAP + WIDTH, GAP + HEIGHT)
    sheet.draw_rect(left, color=(0.6, 0.6, 0.6), fill=(1, 1, 1), width=0.8)
    with pymupdf.open(stream=pdf) as source:
        sheet.show_pdf_page(left, source, 0)
    right = pymupdf.Rect(left.x1 + GAP, GAP, left.x1 + GAP + WIDTH, GAP + HEIGHT)
    sheet.insert_htmlbox(right, html, css=_style(look), scale_low=0.3)
    return drawn


def _style(look: Look) -> str:
    return (
        f"* {{color: {look.ink}; font-family: sans-serif;}} body {{font-size: 11px; line-height: 1.35;}}"
        "h1 {font-size: 20px; margin: 0 0 8px 0;} h2 {font-size: 15px; margin: 10px 0 4px 0;} p {margin: 0 0 6px 0;}"
        f"th, td {{border: 1px solid {look.faint}; padding: 2px 8px;}}"
    )


def _png(drawn: pymupdf.Document) -> bytes:
    """Reduces the colours, so that the file is small."""
    pixels = drawn[0].get_pixmap(matrix=pymupdf.Matrix(SCALE, SCALE))
    picture = Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples)
    out = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()

"""Generate PDF pages for the tests of documents/."""

from pathlib import Path

import pymupdf

LINES = [
    "The quick brown fox jumps over the lazy dog near the river bank.",
    "Every document that goes in comes out again exactly once, whole.",
    "Numbers such as 1234 and 5678 are words as well as letters are.",
    "A fourth line of ordinary text makes the page long enough to judge.",
    "Finally the last line of this small page ends with a full stop.",
]


def write_lines(page: pymupdf.Page, lines: list[str], top: float = 100, hidden: bool = False) -> None:
    for number, line in enumerate(lines):
        page.insert_text((72, top + 16 * number), line, fontsize=12, render_mode=3 if hidden else 0)


def text_pdf(path: Path, pages: int = 1) -> str:
    document = pymupdf.open()
    for _ in range(pages):
        write_lines(document.new_page(), LINES)
    return saved(document, path)


def turned_pdf(path: Path, source: str, degrees: int) -> str:
    """Save the first page of `source` with its content turned instead of its /Rotate."""
    original = pymupdf.open(source)
    width, height = original[0].rect.width, original[0].rect.height
    if degrees % 180:
        width, height = height, width
    document = pymupdf.open()
    page = document.new_page(width=width, height=height)
    page.show_pdf_page(page.rect, original, 0, rotate=degrees)
    return saved(document, path)


def scan_of(source: pymupdf.Document) -> pymupdf.Document:
    """Return a document whose page is a picture of the first page of `source`."""
    picture = source[0].get_pixmap(dpi=100)
    document = pymupdf.open()
    page = document.new_page(width=source[0].rect.width, height=source[0].rect.height)
    page.insert_image(page.rect, pixmap=picture)
    return document


def saved(document: pymupdf.Document, path: Path) -> str:
    document.save(path)
    document.close()
    return str(path)

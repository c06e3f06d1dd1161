"""Pictures of a page. MuPDF reads a page's drawing instructions once for all of them."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from pdfbatch.documents.pdf.mupdf import pymupdf

_lists: WeakKeyDictionary[pymupdf.Page, pymupdf.DisplayList] = WeakKeyDictionary()


def draw(
    page: pymupdf.Page,
    matrix: pymupdf.Matrix,
    clip: pymupdf.Rect | None = None,
    colours: pymupdf.Colorspace = pymupdf.csRGB,
) -> pymupdf.Pixmap:
    """What `page.get_pixmap` gives, without transparency, for a page that nobody changes between two calls."""
    if page not in _lists:
        _lists[page] = page.get_displaylist()
    return _lists[page].get_pixmap(matrix=matrix, colorspace=colours, alpha=False, clip=clip)


def forget_drawings() -> None:
    """Let go of all pages' instructions, and the fonts and pictures they hold."""
    _lists.clear()

"""Draw pages. MuPDF parses a page's drawing instructions once for all drawings."""

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
    """Draw what `page.get_pixmap` draws, without transparency. The page must not change between calls."""
    if page not in _lists:
        _lists[page] = page.get_displaylist()
    return _lists[page].get_pixmap(matrix=matrix, colorspace=colours, alpha=False, clip=clip)


def forget_drawings() -> None:
    """Free all cached instructions, and the fonts and images they hold."""
    _lists.clear()

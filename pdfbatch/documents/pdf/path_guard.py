"""A guard against pages made of countless lines and curves: maps, drawings, plots of raw data.

The layout model's feature extraction takes about 0.3 ms for each path, so that a map takes minutes.
"""

from __future__ import annotations

from pdfbatch.documents.pdf.mupdf import pymupdf

MOST_PATHS = 20_000
SUSPECT_BYTES = 50_000
"""Compressed drawing instructions below this size cannot hold so many."""


def has_too_many_paths(page: pymupdf.Page) -> bool:
    """Counted only where the page's drawing instructions are long enough for it."""
    document = page.parent
    streams = {*page.get_contents(), *(form[0] for form in page.get_xobjects())}
    if sum(len(document.xref_stream_raw(xref) or b"") for xref in streams) < SUSPECT_BYTES:
        return False
    return sum("path" in kind for kind, _ in page.get_bboxlog()) > MOST_PATHS

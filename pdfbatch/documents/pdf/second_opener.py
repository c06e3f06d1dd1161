"""A second opener for files that MuPDF refuses: qpdf, through pikepdf, rewrites the document, and MuPDF opens the copy.

Of 60 files, intact and broken in many ways, pikepdf's copies made five readable that MuPDF refused (a page listed
several times in the page tree, a wrong page count, a tree that is a page). PDFium read two of them itself, but MuPDF
still refused what PDFium saved.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pikepdf

MOST_BYTES = 256 * 1024 * 1024
"""Size limit of a file to repair: the copy is held in the child's memory."""
MOST_PAGES = 50_000
MOST_DEPTH = 100


def rewritten(path: str) -> bytes | None:
    """Rewrite the PDF at `path` and return its bytes, None if that fails or would not help."""
    if Path(path).stat().st_size > MOST_BYTES:
        return None
    import pikepdf

    try:
        with pikepdf.open(path) as document:
            if document.is_encrypted or _count(document.Root.Pages, MOST_PAGES, MOST_DEPTH) > MOST_PAGES:
                return None
            if document.get_warnings():
                _mark_lost(document)
            copy = io.BytesIO()
            document.save(copy)
            return copy.getvalue()
    except (pikepdf.PdfError, ValueError, TypeError, AttributeError, KeyError, RuntimeError):
        return None


def _mark_lost(document: pikepdf.Pdf) -> None:
    """Give each page without content a content that is no stream, which damage.py detects. qpdf drops references to
    nothing, so such a page would otherwise look blank."""
    import pikepdf

    for page in document.pages:
        if "/Contents" not in page.obj:
            page.obj.Contents = document.make_indirect(pikepdf.Dictionary())


def _count(node: object, most: int, depth: int) -> int:
    """Count the pages below a node of the page tree, up to `most`: a small file can list a page a million times."""
    import pikepdf

    kids = node.get("/Kids") if isinstance(node, pikepdf.Dictionary) else None
    if not isinstance(kids, pikepdf.Array):
        return 1
    if depth == 0:
        return most + 1
    found = 0
    for kid in kids:
        found += _count(kid, most - found, depth - 1)
        if found > most:
            break
    return found

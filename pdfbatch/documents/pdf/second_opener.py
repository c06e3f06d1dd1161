"""A second opener for what MuPDF refuses: qpdf, through pikepdf, writes the document anew, and MuPDF opens that.

Of 60 files, whole and broken in many ways, pikepdf's copies made five readable that MuPDF refused (a page that stands
several times in the page tree, a wrong number of pages, a tree that is a page); PDFium read two of them itself, but
what it saved MuPDF refused as before.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pikepdf

MOST_BYTES = 256 * 1024 * 1024
"""Of a file that is mended: the copy lies in the child's memory."""
MOST_PAGES = 50_000
MOST_DEPTH = 100


def mended(path: str) -> bytes | None:
    """The PDF at `path` written anew, None where that cannot be done or would not help."""
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
    """qpdf leaves out what points to nothing, and a page that lost its content would become a blank one: it gets
    content that is no stream, which damage.py tells."""
    import pikepdf

    for page in document.pages:
        if "/Contents" not in page.obj:
            page.obj.Contents = document.make_indirect(pikepdf.Dictionary())


def _count(node: object, most: int, depth: int) -> int:
    """Pages below a node of the page tree, not counted beyond `most`: a small file can name a page a million times."""
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

"""Keep a few documents open in a child process, because pages come one task at a time."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from pdfbatch.documents.pdf.attachments import without_their_password
from pdfbatch.documents.pdf.drawing import forget_drawings
from pdfbatch.documents.pdf.layers import settle_memberships
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.path_guard import refuse_endless
from pdfbatch.documents.pdf.pictures import as_pdf, opened_picture, picture_kind
from pdfbatch.documents.pdf.second_opener import rewritten
from pdfbatch.documents.sandbox.passwords import known

KEPT_OPEN = 2
KEPT_PAGES = 12
"""Pages after which the cache is emptied. MuPDF caches decoded fonts and images, up to 256 MiB, and the next pages need
the same fonts."""

_pages_read = itertools.count(1)
_open: OrderedDict[tuple[str, int, int, int], pymupdf.Document] = OrderedDict()
_endless: OrderedDict[tuple[str, int, int], dict[int, bool]] = OrderedDict()
"""What path_guard.py knows of the streams of the last documents. Outlives an error, after which each is closed."""


def hush_mupdf() -> None:
    """Stop MuPDF from reporting through Python and from keeping every warning in memory."""
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)


class PageOf(NamedTuple):
    """A page and its open document: the PDF itself, or a one-page PDF made from an image."""

    document: pymupdf.Document
    page: pymupdf.Page


def open_document(path: str) -> pymupdf.Document:
    """Open the document at `path`, again if the file has changed, or a repaired copy if MuPDF refuses it. An image
    opens as a document of its own kind. If no known password fits, the document stays locked."""
    return _kept(path, 0)


def open_page(path: str, number: int) -> PageOf:
    """Open page `number`, from 1.

    Raises:
        TooLarge: its drawing instructions are endless.
    """
    document = open_document(path)
    if document.is_pdf:
        page = document[number - 1]
        refuse_endless(page, _known_streams(path))
        return PageOf(document, page)
    made = _kept(path, number)
    return PageOf(made, made[0])


def _kept(path: str, number: int) -> pymupdf.Document:
    """Return the document, or for a number above 0 that page of an image as a PDF."""
    key = (*_version(path), number)
    document = _open.pop(key, None)
    if document is None:
        hush_mupdf()
        document = as_pdf(open_document(path), number) if number else _opened(path)
        if document.is_pdf and not document.is_encrypted:  # `needs_pass` would try "" and undo the password
            with contextlib.suppress(Exception):  # damaged layers: MuPDF reads them as well as it can
                settle_memberships(document)
    _open[key] = document
    while len(_open) > KEPT_OPEN:
        _open.popitem(last=False)[1].close()
    return document


def _known_streams(path: str) -> dict[int, bool]:
    key = _version(path)
    _endless[key] = streams = _endless.pop(key, {})
    while len(_endless) > KEPT_OPEN:
        _endless.popitem(last=False)
    return streams


def _version(path: str) -> tuple[str, int, int]:
    facts = Path(path).stat()
    return path, facts.st_size, facts.st_mtime_ns


def _opened(path: str) -> pymupdf.Document:
    """Open the file, or its repaired copy; if that fails too, raise MuPDF's error about the original."""
    if kind := picture_kind(path):
        return opened_picture(path, kind)
    try:
        document = pymupdf.open(path)
        if document.is_pdf and document.needs_pass and not _unlocked(document):
            data = without_their_password(path)
            return pymupdf.open(stream=data, filetype="pdf") if data else document
        if not document.is_pdf or _has_pages(document):
            return document
    except (pymupdf.EmptyFileError, FileNotFoundError):
        raise
    except Exception:
        if copy := _reopened(path):
            return copy
        raise
    return _reopened(path) or document


def _unlocked(document: pymupdf.Document) -> bool:
    """Try the known passwords, as user and owner password."""
    return any(document.authenticate(password) for password in known())


def _reopened(path: str) -> pymupdf.Document | None:
    data = rewritten(path)
    if data is None:
        return None
    try:
        copy = pymupdf.open(stream=data, filetype="pdf")
        return copy if _has_pages(copy) else None
    except Exception:  # the error about the original is more useful
        return None


def _has_pages(document: pymupdf.Document) -> bool:
    """Check that the page count is plausible: each page needs an object of its own.

    Raises:
        RuntimeError: MuPDF refuses the page tree.
    """
    return bool(0 < document.page_count <= document.xref_length())


def forget(path: str) -> None:
    """Close the document at `path`, because MuPDF's state cannot be trusted after an error."""
    forget_drawings()
    for key in [key for key in _open if key[0] == path]:
        _open.pop(key).close()


def give_back_memory(at_once: bool) -> None:
    """Free what MuPDF and the C library keep of pages, `at_once` or after every few pages."""
    pymupdf.TOOLS.reset_mupdf_warnings()
    forget_drawings()
    if next(_pages_read) % KEPT_PAGES == 0 or at_once:
        pymupdf.TOOLS.store_shrink(100)
        _trim_heap()


def _trim_heap() -> None:
    """Return free heap memory to the system; otherwise a child grows by about 1 MiB per page of a long document. glibc
    only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)

"""The few documents a child process keeps open, because pages come one task at a time."""

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
from pdfbatch.documents.pdf.pictures import as_pdf, opened_picture, picture_kind
from pdfbatch.documents.pdf.second_opener import mended
from pdfbatch.documents.sandbox.passwords import known

KEPT_OPEN = 2
KEPT_PAGES = 12
"""MuPDF keeps decoded fonts and pictures, up to 256 MiB, and the next pages want the same fonts again."""

_pages_read = itertools.count(1)
_open: OrderedDict[tuple[str, int, int, int], pymupdf.Document] = OrderedDict()


def hush_mupdf() -> None:
    """MuPDF reports through Python otherwise, and keeps every warning in memory."""
    pymupdf.TOOLS.mupdf_display_errors(False)
    pymupdf.TOOLS.mupdf_display_warnings(False)


class PageOf(NamedTuple):
    """A page in an open document: the PDF itself, or a PDF of one page that was made of a picture."""

    document: pymupdf.Document
    page: pymupdf.Page


def open_document(path: str) -> pymupdf.Document:
    """The document at `path`, opened anew if the file has changed, or a mended copy of it where MuPDF refuses it. A
    picture is a document of its own kind. A password that is not known is left to the caller."""
    return _kept(path, 0)


def open_page(path: str, number: int) -> PageOf:
    """Page `number`, from 1."""
    document = open_document(path)
    if document.is_pdf:
        return PageOf(document, document[number - 1])
    made = _kept(path, number)
    return PageOf(made, made[0])


def _kept(path: str, number: int) -> pymupdf.Document:
    """The document, or for a number above 0 that page of a picture as a PDF."""
    facts = Path(path).stat()
    key = (path, facts.st_size, facts.st_mtime_ns, number)
    document = _open.pop(key, None)
    if document is None:
        hush_mupdf()
        document = as_pdf(open_document(path), number) if number else _opened(path)
        if document.is_pdf and not document.needs_pass:
            with contextlib.suppress(Exception):  # damaged layers: MuPDF takes them as it can
                settle_memberships(document)
    _open[key] = document
    while len(_open) > KEPT_OPEN:
        _open.popitem(last=False)[1].close()
    return document


def _opened(path: str) -> pymupdf.Document:
    """Raises what MuPDF says of the file itself if mending does not help."""
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
    """Whether one of the known passwords opens it, the user's or the owner's."""
    return any(document.authenticate(password) for password in known())


def _reopened(path: str) -> pymupdf.Document | None:
    data = mended(path)
    if data is None:
        return None
    try:
        copy = pymupdf.open(stream=data, filetype="pdf")
        return copy if _has_pages(copy) else None
    except Exception:  # the original's error says more
        return None


def _has_pages(document: pymupdf.Document) -> bool:
    """Pages that can be there: each needs an object of its own.

    Raises:
        RuntimeError: MuPDF refuses the page tree.
    """
    return bool(0 < document.page_count <= document.xref_length())


def forget(path: str) -> None:
    """Close the document at `path`: what MuPDF made of it cannot be trusted after an error."""
    forget_drawings()
    for key in [key for key in _open if key[0] == path]:
        _open.pop(key).close()


def give_back_memory(at_once: bool) -> None:
    """After a page: what MuPDF and the C library keep of pages, `at_once` or when some have come together."""
    pymupdf.TOOLS.reset_mupdf_warnings()
    forget_drawings()
    if next(_pages_read) % KEPT_PAGES == 0 or at_once:
        pymupdf.TOOLS.store_shrink(100)
        _trim_heap()


def _trim_heap() -> None:
    """Without it a child grows by about a MiB with each page of a long document. glibc only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)

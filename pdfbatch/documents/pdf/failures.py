"""Translate a library's exception into the reason for a page or document."""

from __future__ import annotations

import re

from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.records import Reason

_CODE = re.compile(r"^code=\d+: ")
"""MuPDF's prefix of a message."""
_NO_MEMORY = ("malloc", "calloc", "realloc", "bad_alloc", "bad alloc", "out of memory", "cannot allocate")
_TOO_LARGE = ("overly large", "too large", "too big", "limit exceeded")
_ENDLESS = ("stack overflow", "cycle in", "recursion")
"""MuPDF's words for what nests without end."""
_DAMAGED = (
    pymupdf.FileDataError,
    pymupdf.mupdf.FzErrorFormat,
    pymupdf.mupdf.FzErrorSyntax,
    pymupdf.mupdf.FzErrorRepaired,
    pymupdf.mupdf.FzErrorArgument,
)
_DAMAGED_CODE = re.compile(rf"\bcode=(?:{pymupdf.mupdf.FZ_ERROR_FORMAT}|{pymupdf.mupdf.FZ_ERROR_SYNTAX}): ")
"""Codes that pymupdf turns into plain RuntimeErrors."""


class TooLarge(Exception):
    """The page holds more than may be decoded; the message says what and how much."""


def reason_of(error: BaseException) -> Reason:
    """Return the reason for an error: by MuPDF's exception class if it has one, otherwise by its message, including its
    causes."""
    chain = _chain(error)
    words = " ".join(str(link) for link in chain).lower()
    if any(isinstance(link, MemoryError) for link in chain) or any(word in words for word in _NO_MEMORY):
        return Reason.OUT_OF_MEMORY
    if any(isinstance(link, pymupdf.mupdf.FzErrorLimit) for link in chain) or any(w in words for w in _TOO_LARGE):
        return Reason.TOO_LARGE
    if "password" in words or "encrypt" in words:
        return Reason.ENCRYPTED
    if any(isinstance(link, _DAMAGED) for link in chain):
        return Reason.CORRUPT
    is_damaged = _DAMAGED_CODE.search(words) or any(word in words for word in _ENDLESS)
    return Reason.CORRUPT if is_damaged else Reason.ENGINE_ERROR


def detail_of(error: BaseException) -> str:
    """Return one line for the user: the message of the first cause, which unlike its wrappers' contains no temporary
    path."""
    cause = _chain(error)[-1]
    words = _CODE.sub("", " ".join(str(cause).split()))
    return words or type(cause).__name__


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain

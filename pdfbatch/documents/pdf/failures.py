"""What a library's exception means for a page or document."""

from __future__ import annotations

import re

from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.records import Reason

_CODE = re.compile(r"^code=\d+: ")
"""What MuPDF puts before its words."""
_NO_MEMORY = ("malloc", "calloc", "realloc", "bad_alloc", "bad alloc", "out of memory", "cannot allocate")
_TOO_LARGE = ("overly large", "too large", "too big", "limit exceeded")
_DAMAGED = (
    pymupdf.FileDataError,
    pymupdf.mupdf.FzErrorFormat,
    pymupdf.mupdf.FzErrorSyntax,
    pymupdf.mupdf.FzErrorRepaired,
    pymupdf.mupdf.FzErrorArgument,
)
_DAMAGED_CODE = re.compile(rf"\bcode=(?:{pymupdf.mupdf.FZ_ERROR_FORMAT}|{pymupdf.mupdf.FZ_ERROR_SYNTAX}): ")
"""What pymupdf makes plain RuntimeErrors of."""


def reason_of(error: BaseException) -> Reason:
    """MuPDF's errors are told apart by class where it has one, else by their words, causes included."""
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
    return Reason.CORRUPT if _DAMAGED_CODE.search(words) else Reason.ENGINE_ERROR


def detail_of(error: BaseException) -> str:
    """One line for a person: the first cause's words, which unlike its wrappers' name no temporary file."""
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

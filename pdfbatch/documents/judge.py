"""Judge a file before any page of it is read: whether it is a PDF or an image, whether it opens, how many pages it
has."""

from __future__ import annotations

from pathlib import Path

from pdfbatch.documents.judgement import Judgement
from pdfbatch.documents.pdf.document_cache import forget, open_document
from pdfbatch.documents.pdf.failures import detail_of, reason_of
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.pictures import picture_kind
from pdfbatch.documents.pdf.silence import silenced
from pdfbatch.documents.sandbox.passwords import known
from pdfbatch.records import Heading, Reason

MOST_HEADINGS = 5000
HEAD_BYTES = 64 * 1024
"""Bytes searched for a PDF header, which may follow garbage such as the headers of an e-mail or an HTTP response."""


def judge(path: str) -> Judgement:
    """Judge the file at `path` by its content, not its name. Never raises because of the file."""
    with silenced():
        try:
            return _judge(path)
        except Exception as error:
            forget(path)
            return _broken(path, error)


def _judge(path: str) -> Judgement:
    if Path(path).stat().st_size == 0:
        return Judgement(0, Reason.EMPTY_FILE, "the file is empty")
    if picture_kind(path):
        return Judgement(open_document(path).page_count)
    if not _looks_like_pdf(path):
        return Judgement(0, Reason.NOT_A_PDF, "no PDF header and no PDF object in its first 64 KiB")
    document = open_document(path)
    if not document.is_pdf:
        return Judgement(0, Reason.NOT_A_PDF, f"its content is {document.metadata.get('format') or 'something else'}")
    if document.is_encrypted and not document.authenticate(""):
        return Judgement(0, Reason.ENCRYPTED, _locked(len(known())))
    return _counted(document)


def _locked(tried: int) -> str:
    if not tried:
        return "it needs a password: pass --password-file, or --password-secret on a fleet"
    which = "the password given does not open it" if tried == 1 else f"none of the {tried} passwords opens it"
    return f"{which}: add the right one to --password-file, or to --password-secret on a fleet"


def _counted(document: pymupdf.Document) -> Judgement:
    pages = document.page_count
    if pages <= 0 and document.is_repaired:
        return Judgement(0, Reason.CORRUPT, "the file is damaged and its page tree is lost")
    if pages <= 0:
        return Judgement(0, Reason.NO_PAGES, "its page tree is empty")
    if pages > document.xref_length():
        return Judgement(0, Reason.CORRUPT, f"it claims {pages} pages but has fewer objects")
    return Judgement(pages, outline=_outline(document))


def _outline(document: pymupdf.Document) -> list[Heading]:
    """Return the first entries of the document's outline, none if it is damaged."""
    try:
        entries = document.get_toc(simple=True)
    except Exception:
        return []
    return [Heading(level, title, page) for level, title, page in entries[:MOST_HEADINGS] if level > 0]


def _looks_like_pdf(path: str) -> bool:
    """Check the first bytes, because MuPDF would open HTML and archives too."""
    with Path(path).open("rb") as file:
        head = file.read(HEAD_BYTES)
    return b"%PDF-" in head or b" obj" in head


def _broken(path: str, error: Exception) -> Judgement:
    if isinstance(error, FileNotFoundError) and not Path(path).exists():
        return Judgement(0, Reason.MISSING, "the file is gone")
    return Judgement(0, reason_of(error), detail_of(error))

"""Handle files embedded in a PDF: name those of a portfolio, and ignore a password that only they need."""

from __future__ import annotations

import re
from pathlib import Path

from pdfbatch.documents.pdf.mupdf import pymupdf

MOST_BYTES = 256 * 1024 * 1024
MOST_NAMED = 10
_ENCRYPT = re.compile(rb"/Encrypt(?=[\s\d<])")
_HIDDEN_KEY = "Encrypx"
"""As long as the key it replaces, so that every offset stays valid."""


def attachment_note(document: pymupdf.Document) -> str:
    """Describe in one sentence the PDFs embedded in a PDF, or the files of a portfolio; "" for an ordinary document."""
    names = [str(name) for name in document.embfile_names()]
    is_portfolio = document.xref_get_key(document.pdf_catalog(), "Collection")[0] != "null"
    named = names if is_portfolio else [name for name in names if name.lower().endswith(".pdf")]
    if not named:
        return ""
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    files = "1 embedded file is" if len(named) == 1 else f"{len(named)} embedded files are"
    return f"{files} not read: {', '.join(named[:MOST_NAMED])}{more}"


def without_their_password(path: str) -> bytes | None:
    """Return the PDF at `path` without its encryption if only the attachments are encrypted, None otherwise. Streams
    and strings of such a file use the filter Identity (PDF 32000-1, 7.6.5)."""
    if Path(path).stat().st_size > MOST_BYTES:
        return None
    data, count = _ENCRYPT.subn(b"/" + _HIDDEN_KEY.encode(), Path(path).read_bytes())
    if not count:
        return None
    with pymupdf.open(stream=data, filetype="pdf") as document:
        kind, value = document.xref_get_key(-1, _HIDDEN_KEY)
        prefix, xref = (
            (f"{_HIDDEN_KEY}/", -1) if kind == "dict" else ("", int(value.split()[0]) if kind == "xref" else 0)
        )
        if not xref:
            return None
        version = document.xref_get_key(xref, prefix + "V")[1]
        filters = [document.xref_get_key(xref, prefix + key)[1] for key in ("StmF", "StrF")]
    is_plain = version in ("4", "5") and all(name in ("null", "/Identity") for name in filters)
    return data if is_plain else None

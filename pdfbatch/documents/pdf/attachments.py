"""Files within a PDF: those of a portfolio are named, and a password that only they need hinders nobody."""

from __future__ import annotations

import re
from pathlib import Path

from pdfbatch.documents.pdf.mupdf import pymupdf

MOST_BYTES = 256 * 1024 * 1024
MOST_NAMED = 10
_ENCRYPT = re.compile(rb"/Encrypt(?=[\s\d<])")
_HIDDEN_KEY = "Encrypx"
"""As long as the key it takes the place of, so that every offset stays."""


def told_of(document: pymupdf.Document) -> str:
    """One sentence about PDFs embedded in a PDF, or about the files of a portfolio; "" for an ordinary document."""
    names = [str(name) for name in document.embfile_names()]
    is_portfolio = document.xref_get_key(document.pdf_catalog(), "Collection")[0] != "null"
    told = names if is_portfolio else [name for name in names if name.lower().endswith(".pdf")]
    if not told:
        return ""
    more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    files = "1 embedded file is" if len(told) == 1 else f"{len(told)} embedded files are"
    return f"{files} not read: {', '.join(told[:MOST_NAMED])}{more}"


def without_their_password(path: str) -> bytes | None:
    """The PDF at `path` with its encryption left out, where it is of the attachments alone: its streams and strings
    pass through the filter Identity (PDF 32000-1, 7.6.5). None for any other."""
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

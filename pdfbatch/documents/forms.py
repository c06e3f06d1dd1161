"""The page of a document that is only the shell of an XFA form: its values, or the reason why there are none."""

from __future__ import annotations

import re

from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.xfa import is_shell, pairs, says_wait
from pdfbatch.records import PageResult, Reason

_SIGNS = re.compile(r"([\\`*_\[\]<>|~])")


def shell_page(document: pymupdf.Document, number: int) -> PageResult | None:
    """The result for page `number` of an XFA shell; None for any other page, which is read as usual."""
    if number != 1 or not is_shell(document):
        return None
    shown = document[0].get_text().strip()
    found = [f"{label}: {value}" for label, value in pairs(document)]
    if not found and (not shown or says_wait(shown)):
        detail = "its pages are an XFA form, for Acrobat to lay out, and no values of it can be read"
        return PageResult(number=number, reason=Reason.XFA_FORM, detail=detail)
    if not found:
        return None
    kept = [] if says_wait(shown) else [" ".join(line.split()) for line in shown.split("\n\n")]
    markdown = "\n\n".join(_SIGNS.sub(r"\\\1", line) for line in (*kept, *found))
    detail = "an XFA form, for Acrobat to lay out: what is filled in was read, what is printed around it was not"
    return PageResult(
        number=number, markdown=markdown, reason=Reason.XFA_FORM, read_by="plain", flags=["xfa"], detail=detail
    )

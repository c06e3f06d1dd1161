"""Read the page of a document that is only the shell of an XFA form: its field values, or the reason why there are
none."""

from __future__ import annotations

from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.xfa import is_shell, pairs, says_wait
from pdfbatch.records import Box, Element, Label, PageResult, Reason, plain_text


def shell_page(document: pymupdf.Document, number: int) -> PageResult | None:
    """Return the result for page `number` of an XFA shell, None for any other page, which is read as usual."""
    if number != 1 or not is_shell(document):
        return None
    shown = document[0].get_text().strip()
    found = pairs(document)
    if not found and (not shown or says_wait(shown)):
        detail = "an XFA form, which only Acrobat can lay out; no field values could be read"
        return PageResult(number=number, reason=Reason.XFA_FORM, detail=detail)
    if not found:
        return None
    page = document[0]
    kept = [] if says_wait(shown) else [" ".join(part.split()) for part in shown.split("\n\n")]
    box: Box = (0.0, 0.0, page.rect.width, page.rect.height)
    return PageResult(
        number=number,
        width=page.rect.width,
        height=page.rect.height,
        rotation=page.rotation,
        reason=Reason.XFA_FORM,
        read_by="plain",
        flags=["xfa"],
        detail="an XFA form, which only Acrobat can lay out: field values were read, the text around them was not",
        elements=[
            *(Element(label=Label.PARAGRAPH, box=box, spans=plain_text(text)) for text in kept),
            *(
                Element(label=Label.FORM_FIELD, box=box, spans=plain_text(f"{each.label}: {each.value}"), source="form")
                for each in found
            ),
        ],
    )

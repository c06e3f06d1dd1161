"""Open images as documents: PNG, JPEG and TIFF, recognised by their first bytes, each page converted to PDF on demand.

The page size follows the image's resolution as MuPDF reads it (96 dpi if unknown), and the rotation follows EXIF. A
TIFF of many pages is never decoded as a whole.
"""

from __future__ import annotations

from pathlib import Path

from pdfbatch.documents.pdf.mupdf import pymupdf

_SIGNS = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
}
_LONGEST = max(map(len, _SIGNS))


def picture_kind(path: str) -> str:
    """Return `png`, `jpeg` or `tiff`; "" for any other file."""
    with Path(path).open("rb") as file:
        head = file.read(_LONGEST)
    return next((kind for sign, kind in _SIGNS.items() if head.startswith(sign)), "")


def opened_picture(path: str, kind: str) -> pymupdf.Document:
    """Open the file as MuPDF's own kind of document, whatever its file extension."""
    return pymupdf.open(path, filetype=kind)


def as_pdf(picture: pymupdf.Document, number: int) -> pymupdf.Document:
    """Convert page `number` (from 1) to a one-page PDF. pymupdf's own `convert_to_pdf` looks up later pages
    incorrectly."""
    mupdf = pymupdf.mupdf
    page, made = mupdf.fz_load_page(picture.this, number - 1), mupdf.PdfDocument()
    box = mupdf.fz_bound_page(page)
    device, resources, contents = mupdf.pdf_page_write(made, box)
    mupdf.fz_run_page(page, device, mupdf.FzMatrix(), mupdf.FzCookie())
    mupdf.fz_close_device(device)
    mupdf.pdf_insert_page(made, -1, mupdf.pdf_add_page(made, box, 0, resources, contents))
    buffer = mupdf.fz_new_buffer(8192)
    output = mupdf.FzOutput(buffer)
    mupdf.pdf_write_document(made, output, mupdf.PdfWriteOptions())
    output.fz_close_output()
    return pymupdf.open(stream=mupdf.fz_buffer_extract_copy(buffer), filetype="pdf")

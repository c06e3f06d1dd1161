"""Find images of a page whose data end too soon or cannot be decoded. MuPDF paints what there is and fills the rest.

Its warnings show that something is wrong, but not how much: one missing byte does no harm, and many JPEGs lack their
end marker. So this module measures what is missing.
"""

from __future__ import annotations

import numpy as np

from pdfbatch.documents.pdf.mupdf import pymupdf

MOST_MISSING = 0.01
"""Share of an image that may be missing: the last row of a scan is blank paper."""
JPEG_FILL = 128
"""The grey in which a JPEG's missing blocks are shown."""
_LOST = ("cannot load image", "failed to decode", "cannot decode")
_CUT = ("padding truncated image", "premature end of file in jpeg", "jpeg error")
_COMPONENTS = {"": 1, "DeviceGray": 1, "CalGray": 1, "Indexed": 1, "Separation": 1, "DeviceRGB": 3, "CalRGB": 3}
_COMPONENTS |= {"Lab": 3, "DeviceCMYK": 4}
_UNPACKED = ("", "FlateDecode", "LZWDecode", "RunLengthDecode", "ASCIIHexDecode", "ASCII85Decode")


def cut_picture(page: pymupdf.Page, warnings: str) -> str:
    """Describe in one sentence a damaged or truncated image of the page, "" if there is none. `warnings`: MuPDF's,
    in lower case, from drawing the page."""
    if any(words in warnings for words in _LOST):
        return "an image on the page is damaged"
    if not any(words in warnings for words in _CUT):
        return ""
    pictures = page.get_images(full=True)
    missing = max((_missing(page.parent, picture) for picture in pictures), default=1.0)  # else an inline image
    return "an image on the page is truncated" if missing > MOST_MISSING else ""


def _missing(document: pymupdf.Document, picture: tuple[int | str, ...]) -> float:
    """Return the share of the image's rows that its data lack, 0 to 1."""
    xref, _, width, height, bits, colours, alternate, _, packed = picture[:9]
    assert isinstance(xref, int) and isinstance(width, int) and isinstance(height, int) and isinstance(bits, int)
    if packed == "DCTDecode":
        return _filled(document, xref)
    count = _COMPONENTS.get(str(colours)) or _COMPONENTS.get(str(alternate)) or _profile(document, xref)
    if packed not in _UNPACKED or not count:
        return 0.0
    expected = height * ((width * bits * count + 7) // 8)
    return 1 - len(bytes(document.xref_stream(xref) or b"")) / max(expected, 1)


def _filled(document: pymupdf.Document, xref: int) -> float:
    """Return the share of the rows, from the bottom up, that show only the fill colour."""
    pixmap = pymupdf.Pixmap(document, xref)
    rows = np.frombuffer(pixmap.samples, dtype=np.uint8).reshape(pixmap.height, pixmap.stride)
    rows = rows[:, : pixmap.width * pixmap.n]
    whole = np.flatnonzero((np.abs(rows.astype(np.int16) - JPEG_FILL) > 1).any(axis=1))
    last = int(whole[-1]) + 1 if len(whole) else 0
    return 1 - last / max(int(pixmap.height), 1)


def _profile(document: pymupdf.Document, xref: int) -> int:
    """Return the number of components of an image with an ICC profile, 0 if the profile does not say."""
    kind, value = document.xref_get_key(xref, "ColorSpace")
    if kind == "xref":
        value = document.xref_object(int(value.split()[0]))
    numbers = [int(part) for part in value.replace("]", " ").split() if part.isdigit()]
    if "/ICCBased" not in value or not numbers or not 0 < numbers[0] < document.xref_length():
        return 0
    kind, count = document.xref_get_key(numbers[0], "N")
    return int(count) if kind == "int" else 0

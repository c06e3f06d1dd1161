"""An image whose data end too soon makes its page corrupt, and the rest is read; one byte too few does no harm."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
import pymupdf
import pytest

from pdfbatch.documents.reading import read_page
from pdfbatch.records import PageResult, Reason
from tests.documents.sight_pages import SENTENCES, add_resource, append, blank, picture_of, write

GRAY = np.frombuffer((_picture := picture_of(SENTENCES, gray=True)).samples, np.uint8).reshape(_picture.height, -1)
JPEG = bytes(cv2.imencode(".jpg", GRAY)[1])
PACKED = {
    "": GRAY.tobytes(),
    "/Filter/FlateDecode": zlib.compress(GRAY.tobytes()),
    "/Filter/DCTDecode": JPEG,
}


def read(keys: str, data: bytes, folder: Path, typed: int = 0) -> PageResult:
    page = blank(420, 400)
    document = page.parent
    xref = document.get_new_xref()
    high, wide = GRAY.shape
    document.update_object(xref, "<<>>")
    document.update_stream(xref, data, compress=False)
    document.update_object(
        xref,
        f"<</Type/XObject/Subtype/Image/Width {wide}/Height {high}/ColorSpace/DeviceGray/BitsPerComponent 8{keys}"
        f"/Length {len(data)}>>",
    )
    write(page, SENTENCES[:typed])
    add_resource(page, "XObject", "I", xref)
    append(page, b"q 420 0 0 164 0 50 cm /I Do Q")
    path = folder / "a.pdf"
    path.write_bytes(document.tobytes())
    return read_page(str(path), 1).page


@pytest.mark.parametrize("typed", [0, 3])
@pytest.mark.parametrize("keys", PACKED)
def test_a_truncated_image_makes_its_page_corrupt(tmp_path, keys, typed):
    data = PACKED[keys]
    result = read(keys, data[: len(data) * 6 // 10], tmp_path, typed)
    assert result.reason is Reason.CORRUPT and "image" in result.detail
    assert SENTENCES[1] in result.text.replace("\n", " ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "data"),
    [*PACKED.items(), ("", GRAY.tobytes()[:-100]), ("/Filter/DCTDecode", JPEG[:-2])],
    ids=["raw", "flate", "jpeg", "some bytes short", "no end mark"],
)
def test_a_nearly_complete_image_is_read(tmp_path, keys, data):
    result = read(keys, data, tmp_path, typed=1)
    assert result.reason is None and SENTENCES[6] in result.text.replace("\n", " ")


def test_a_truncated_inline_image_makes_its_page_corrupt(tmp_path):
    page = blank(420, 400)
    write(page, SENTENCES[:3])
    high, wide = GRAY.shape
    data = GRAY.tobytes()[: wide * high // 2].hex().encode()
    append(page, b"q 420 0 0 164 0 50 cm BI /W %d /H %d /CS /G /BPC 8 /F /AHx ID " % (wide, high) + data + b"> EI Q")
    page.parent.save(tmp_path / "a.pdf")
    assert read_page(str(tmp_path / "a.pdf"), 1).page.reason is Reason.CORRUPT


def test_pymupdf_fills_a_truncated_jpeg_with_grey():
    """The grey by which missing blocks are detected."""
    pixmap = pymupdf.Pixmap(JPEG[: len(JPEG) // 2])
    assert pixmap.pixel(0, pixmap.height - 1) == (128,)

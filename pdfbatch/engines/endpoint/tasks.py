"""The engine's tasks for child processes: draw a page, and parse what was answered for it.

Children have no network: the parent asks. They never see the endpoint's key.
"""

from __future__ import annotations

from typing import NamedTuple

from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines.parcel import Parcel, parcelled
from pdfbatch.records import Box, Element, PageResult

UNDRAWN = 2
"""From this attempt on a page is not drawn any more; its text layer is read, if it has one."""
_LEAST_DPI = 1.0
_EFFORT = 3
"""Compression level of the PNG, of 9."""


class Drawn(NamedTuple):
    """A page's picture, upright; `turned` degrees clockwise beyond its /Rotate, and `rotation` both together."""

    png: bytes
    width: int
    height: int
    dpi: float
    turned: int
    rotation: int


def draw(path: str, number: int, side: int, attempt: int) -> PageRead | Drawn:
    """Draws page `number` (from 1) of the PDF at `path` with a longer side of `side` pixels, half as many in a second
    attempt. A `PageRead` is final: the page is blank, could not be drawn, or was read plainly."""
    import cv2
    import numpy as np

    from pdfbatch.documents.blank_picture import is_blank
    from pdfbatch.documents.picture import draw_page
    from pdfbatch.documents.reading import read_page

    if attempt >= UNDRAWN:
        return read_page(path, number, ocr=False, attempt=attempt)
    drawn = draw_page(path, number, _LEAST_DPI, side >> attempt)
    if isinstance(drawn, PageResult):
        return PageRead(drawn)
    if is_blank(drawn.pixels):
        return PageRead(PageResult(number=number, read_by="blank"))
    pixels = cv2.cvtColor(np.ascontiguousarray(drawn.pixels), cv2.COLOR_RGB2BGR)
    is_written, data = cv2.imencode(".png", pixels, (cv2.IMWRITE_PNG_COMPRESSION, _EFFORT))
    if not is_written:
        raise ValueError("the picture cannot be written")
    height, width = drawn.pixels.shape[:2]
    return Drawn(data.tobytes(), width, height, drawn.dpi, drawn.turned, drawn.rotation)


def draw_into(parcel: str, path: str, number: int, side: int, attempt: int) -> Parcel[PageRead | Drawn]:
    """Draws a page, and hands it over in the file `parcel`."""
    return parcelled(parcel, draw, path, number, side, attempt)


def parse(answer: str, box: Box) -> list[Element]:
    """Returns the elements of an answer; see markdown.py. In a child, because a stranger wrote it."""
    from pdfbatch.engines.endpoint.markdown import elements_of

    return elements_of(answer, box)

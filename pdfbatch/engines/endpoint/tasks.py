"""The engine's tasks for child processes: draw a page, and parse what was answered for it.

Children have no network: the parent asks. They never see the endpoint's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines.parcel import Parcel, parcelled
from pdfbatch.engines.refine import Kind
from pdfbatch.records import Box, Element, PageResult

if TYPE_CHECKING:
    from pdfbatch.documents.pdf.raster import Pixels
    from pdfbatch.documents.picture import Drawn as PageDrawn

UNDRAWN = 2
"""From this attempt on a page is not drawn any more; its text layer is read, if it has one."""
_LEAST_DPI = 1.0
POINTS_PER_INCH = 72
_MARGIN = 2.0
"""Points added around an element, whose box may cut off parts of its glyphs."""
_TINY = 8
"""Pixels of an element's shorter side; a smaller one has no text in it."""
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
    from pdfbatch.documents.blank_picture import is_blank
    from pdfbatch.documents.picture import draw_page
    from pdfbatch.documents.reading import read_page
    from pdfbatch.documents.sorting import Sorting

    if attempt >= UNDRAWN:
        return read_page(path, number, Sorting(ocr=False), attempt)
    drawn = draw_page(path, number, _LEAST_DPI, side >> attempt)
    if isinstance(drawn, PageResult):
        return PageRead(drawn)
    if is_blank(drawn.pixels):
        return PageRead(PageResult(number=number, read_by="blank"))
    return _picture(drawn.pixels, drawn)


def draw_into(parcel: str, path: str, number: int, side: int, attempt: int) -> Parcel[PageRead | Drawn]:
    """Draws a page, and hands it over in the file `parcel`."""
    return parcelled(parcel, draw, path, number, side, attempt)


class Cut(NamedTuple):
    """Elements of a page that were cut out: their indexes among those that were asked for, and their pictures."""

    places: list[int]
    pictures: list[Drawn]


def cut_into(
    parcel: str, path: str, number: int, rotation: int, boxes: Sequence[Box], dpi: float, side: int
) -> Parcel[Cut]:
    """Cuts the boxes, in points, out of a page that is turned by `rotation`, and hands them over in the file `parcel`.
    None of them if the page cannot be drawn like its text."""
    return parcelled(parcel, cut, path, number, rotation, boxes, dpi, side)


def cut(path: str, number: int, rotation: int, boxes: Sequence[Box], dpi: float, side: int) -> Cut:
    """Cuts elements out of a page; those too small to be read are left out."""
    from pdfbatch.documents.picture import draw_page

    drawn = draw_page(path, number, dpi, side)
    if isinstance(drawn, PageResult) or drawn.rotation != rotation:
        return Cut([], [])
    found = Cut([], [])
    for place, box in enumerate(boxes):
        x0, y0, x1, y1 = drawn.edges_of(box, margin=0.0)
        left, top, right, bottom = drawn.edges_of(box, _MARGIN)
        if min(x1 - x0, y1 - y0) > _TINY:
            found.places.append(place)
            found.pictures.append(_picture(drawn.pixels[top:bottom, left:right], drawn))
    return found


def _picture(pixels: Pixels, drawn: PageDrawn) -> Drawn:
    import cv2
    import numpy as np

    is_written, data = cv2.imencode(
        ".png",
        cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR),
        (cv2.IMWRITE_PNG_COMPRESSION, _EFFORT),
    )
    if not is_written:
        raise ValueError("the picture cannot be written")
    height, width = pixels.shape[:2]
    return Drawn(data.tobytes(), width, height, drawn.dpi, drawn.turned, drawn.rotation)


def parse_elements(asked: Sequence[tuple[Kind, str, Box]]) -> list[list[Element]]:
    """Returns the elements of answers for elements; see markdown.py."""
    from pdfbatch.engines.endpoint.markdown import elements_as

    return [elements_as(kind, answer, box) for kind, answer, box in asked]


def parse(answer: str, box: Box) -> list[Element]:
    """Returns the elements of an answer; see markdown.py. In a child, because a stranger wrote it."""
    from pdfbatch.engines.endpoint.markdown import elements_of

    return elements_of(answer, box)

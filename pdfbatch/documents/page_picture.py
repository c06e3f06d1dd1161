"""Draw a page as a picture for a person or a dataset, turned as its elements are. Runs in a child process."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from pdfbatch.documents.judgement import AS_SHOWN, PagePicture
from pdfbatch.documents.pdf.document_cache import forget, give_back_memory, open_page
from pdfbatch.documents.pdf.failures import detail_of
from pdfbatch.documents.pdf.raster import MAX_SIDE, Pixels, rasterise
from pdfbatch.documents.pdf.silence import silenced
from pdfbatch.records import Box

_WEBP = (cv2.IMWRITE_WEBP_QUALITY, 82)


def page_picture(path: str, number: int, rotation: int, side: int) -> PagePicture:
    """Draw page `number` (from 1) as WebP with a longer side of `side` pixels. `rotation` is that of its `Page` record;
    `AS_SHOWN` leaves it as a viewer shows it. Prints nothing."""
    try:
        return PagePicture(_drawn(path, number, rotation, ".webp", _WEBP, dpi=math.inf, max_side=side), "")
    except (ValueError, IndexError):  # MuPDF's words for it count pages from 0
        return PagePicture(b"", f"the file shows no page {number}")
    except Exception as error:
        return PagePicture(b"", detail_of(error))


def page_png(path: str, number: int, dpi: float, rotation: int) -> bytes:
    """Draw page `number` (from 1) at `dpi` as a PNG file, or lower if it would exceed the limits of raster.py.
    `rotation`: as in `page_picture`. Prints nothing.

    Raises:
        Exception: the page cannot be drawn.
    """
    return _drawn(path, number, rotation, ".png", (), dpi=dpi)


class Cut(NamedTuple):
    """A part of a page to be written: its name, and its box in points of the page turned by `rotation`; None: all."""

    name: str
    box: Box | None


def page_files(
    path: str, number: int, dpi: float, rotation: int, cuts: Iterable[Cut], kind: str, quality: int
) -> Iterator[tuple[str, bytes]]:
    """Yield parts of page `number` (from 1) by their names, drawn at `dpi`, or lower if the page would exceed the
    limits of raster.py. `kind`: `webp`, `png` or `jpeg`, the first and the last with a `quality` from 1 to 100.
    `rotation`: as in `page_picture`. Boxes without an area are left out.

    Raises:
        ValueError: the page cannot be drawn.
    """
    how = {"webp": (cv2.IMWRITE_WEBP_QUALITY, quality), "jpeg": (cv2.IMWRITE_JPEG_QUALITY, quality)}.get(kind, ())
    try:
        pixels, scale = _pixels(path, number, rotation, dpi)
    except Exception as error:
        raise ValueError(detail_of(error)) from error
    height, width = pixels.shape[:2]
    for cut in cuts:
        left, top, right, bottom = (0, 0, width, height) if cut.box is None else _edges(cut.box, scale, width, height)
        if left < right and top < bottom:
            yield cut.name, _encoded(pixels[top:bottom, left:right], f".{kind}", how)


def _edges(box: Box, scale: float, width: int, height: int) -> tuple[int, int, int, int]:
    left, top = (max(0, math.floor(place * scale)) for place in box[:2])
    right, bottom = (math.ceil(place * scale) for place in box[2:])
    return left, top, min(right, width), min(bottom, height)


def _drawn(
    path: str, number: int, rotation: int, suffix: str, how: Sequence[int], dpi: float, max_side: int = MAX_SIDE
) -> bytes:
    return _encoded(_pixels(path, number, rotation, dpi, max_side)[0], suffix, how)


def _encoded(pixels: Pixels, suffix: str, how: Sequence[int]) -> bytes:
    is_written, data = cv2.imencode(suffix, cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR), how)
    if not is_written:
        raise ValueError("the picture cannot be written")
    return bytes(data.tobytes())


def _pixels(path: str, number: int, rotation: int, dpi: float, max_side: int = MAX_SIDE) -> tuple[Pixels, float]:
    """Return the drawn page, and its pixels per point."""
    with silenced():
        try:
            _, page = open_page(path, number)
            raster = rasterise(page, dpi, max_side=max_side)
            turn = 0 if rotation == AS_SHOWN else (page.rotation - rotation) // 90
            return np.rot90(raster.pixels, k=turn), raster.scale
        except Exception:
            forget(path)
            raise
        finally:
            give_back_memory(at_once=True)

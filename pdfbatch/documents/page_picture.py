"""Draw a page as a picture for a person or a dataset, turned as its elements are. Runs in a child process."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from pdfbatch.documents.judgement import AS_SHOWN, PagePicture
from pdfbatch.documents.pdf.document_cache import forget, give_back_memory, open_page
from pdfbatch.documents.pdf.failures import detail_of
from pdfbatch.documents.pdf.raster import MAX_SIDE, rasterise
from pdfbatch.documents.pdf.silence import silenced

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


def _drawn(
    path: str, number: int, rotation: int, suffix: str, how: Sequence[int], dpi: float, max_side: int = MAX_SIDE
) -> bytes:
    with silenced():
        try:
            _, page = open_page(path, number)
            pixels = rasterise(page, dpi, max_side=max_side).pixels
            turned = pixels if rotation == AS_SHOWN else np.rot90(pixels, k=(page.rotation - rotation) // 90)
            is_written, data = cv2.imencode(suffix, cv2.cvtColor(np.ascontiguousarray(turned), cv2.COLOR_RGB2BGR), how)
            if not is_written:
                raise ValueError("the picture cannot be written")
            return data.tobytes()
        except Exception:
            forget(path)
            raise
        finally:
            give_back_memory(at_once=True)

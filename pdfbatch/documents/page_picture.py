"""Draw a page as a picture for a person, turned as its elements are. Runs in a child process."""

from __future__ import annotations

import math

import cv2
import numpy as np

from pdfbatch.documents.judgement import AS_SHOWN, PagePicture
from pdfbatch.documents.pdf.document_cache import forget, give_back_memory, open_page
from pdfbatch.documents.pdf.failures import detail_of
from pdfbatch.documents.pdf.raster import rasterise
from pdfbatch.documents.pdf.silence import silenced

_QUALITY = 82


def page_picture(path: str, number: int, rotation: int, side: int) -> PagePicture:
    """Draw page `number` (from 1) as WebP with a longer side of `side` pixels. `rotation` is that of its `Page` record;
    `AS_SHOWN` leaves it as a viewer shows it. Prints nothing."""
    with silenced():
        try:
            _, page = open_page(path, number)
            pixels = rasterise(page, dpi=math.inf, max_side=side).pixels
            turned = np.rot90(pixels, k=-(((rotation - page.rotation) % 360) // 90)) if rotation != AS_SHOWN else pixels
            bgr = cv2.cvtColor(np.ascontiguousarray(turned), cv2.COLOR_RGB2BGR)
            drawn, data = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
            return PagePicture(data.tobytes() if drawn else b"", "" if drawn else "the picture could not be written")
        except Exception as error:
            forget(path)
            return PagePicture(b"", detail_of(error))
        finally:
            give_back_memory(at_once=True)

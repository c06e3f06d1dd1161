"""Draw a page as a PNG file for a dataset: upright, as its boxes are. Runs in a child process."""

from __future__ import annotations

import cv2
import numpy as np

from pdfbatch.documents.pdf.document_cache import forget, give_back_memory, open_page
from pdfbatch.documents.pdf.raster import rasterise
from pdfbatch.documents.pdf.silence import silenced


def page_png(path: str, number: int, dpi: float, rotation: int) -> bytes:
    """Draw page `number` (from 1) at `dpi`, or lower if it would exceed the limits of raster.py. `rotation`: as in
    `Page`. Prints nothing.

    Raises:
        Exception: the page cannot be drawn.
    """
    with silenced():
        try:
            _, page = open_page(path, number)
            turned = np.rot90(rasterise(page, dpi).pixels, k=(page.rotation - rotation) // 90)
            is_written, data = cv2.imencode(".png", cv2.cvtColor(np.ascontiguousarray(turned), cv2.COLOR_RGB2BGR))
            if not is_written:
                raise ValueError("the picture cannot be written as PNG")
            return data.tobytes()
        except Exception:
            forget(path)
            raise
        finally:
            give_back_memory(at_once=True)

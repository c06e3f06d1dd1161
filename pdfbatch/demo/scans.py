"""Pages as pictures: what a scanner, a camera or an old OCR program would have made of a page."""

from __future__ import annotations

import io

import numpy as np
import pymupdf
from PIL import Image

SCAN_DPI = 200


def scan_of(
    page: pymupdf.Page, *, skew: float = 0.5, noise: float = 4.0, dpi: int = SCAN_DPI, seed: int = 7
) -> Image.Image:
    """The page as a grey picture, `skew` degrees askew, with Gaussian noise of `noise` grey levels."""
    pixels = page.get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY, alpha=False)
    picture = Image.frombytes("L", (pixels.width, pixels.height), pixels.samples)
    if skew:
        picture = picture.rotate(skew, resample=Image.Resampling.BICUBIC, fillcolor=255)
    if not noise:
        return picture
    levels = np.asarray(picture, dtype=np.float32)
    grain = np.random.default_rng(seed).normal(-2.0, noise, levels.shape)
    return Image.fromarray(np.clip(levels + grain, 0, 255).astype(np.uint8))


def put_picture(
    document: pymupdf.Document, picture: Image.Image, *, dpi: int = SCAN_DPI, quality: int = 60
) -> pymupdf.Page:
    """A new page as large as the picture at `dpi` and covered by it, as a JPEG."""
    jpeg = io.BytesIO()
    picture.save(jpeg, format="JPEG", quality=quality)
    page = document.new_page(width=picture.width * 72 / dpi, height=picture.height * 72 / dpi)
    page.insert_image(page.rect, stream=jpeg.getvalue())
    return page

"""Decide whether a page's text layer can be trusted or its picture must be read.

A layer is not trusted if it is garbage (a font without a usable character map), if it is only a stamp on a picture of a
page, or if it is a hidden layer that covers only part of the visible text or is full of misread words.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from pdfbatch.documents.pdf.boxes import inside_share
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.upright import unrotated_size
from pdfbatch.documents.textlayer.lines import Line
from pdfbatch.documents.textlayer.ocr_noise import implausible_share
from pdfbatch.documents.textlayer.words import words_of

BROKEN_SHARE = 0.05
GARBAGE_SHARE = 0.3
PICTURE_SHARE = 0.5
"""An image covering more than half the page counts as a scan of the page."""
STAMP_WORDS = 25
UNCOVERED_SHARE = 0.4
MISREAD_SHARE = 0.05
MOST_PIXELS = 40e6
"""Larger images are not decoded only to see whether they are white."""


class Health(Enum):
    BLANK = "blank"
    GOOD = "good"
    HIDDEN = "hidden"
    """A good hidden layer from an earlier OCR, so its fonts and sizes mean nothing."""
    PICTURE = "picture"
    """No usable layer: read the picture."""
    DOUBTFUL = "doubtful"
    """Read the picture, but the layer may hold more than OCR finds."""


def health_of(page: pymupdf.Page, lines: list[Line]) -> Health:
    """Judge the layer. `lines` are the page's, in its unrotated space. Draws the page only if that can change the
    result."""
    if not lines:
        return Health.BLANK if _is_blank(page) else Health.PICTURE
    if (broken := _broken_share(lines)) > BROKEN_SHARE:
        return Health.PICTURE if broken > GARBAGE_SHARE else Health.DOUBTFUL
    if picture_share(page) < PICTURE_SHARE:
        return Health.GOOD
    if not mostly_hidden(lines) and not _painted_over(page):
        return Health.DOUBTFUL if _is_stamp(lines) else Health.GOOD
    if implausible_share("\n".join(line.text for line in lines)) > MISREAD_SHARE:
        return Health.DOUBTFUL
    from pdfbatch.documents.pdf.ink import uncovered_ink

    if _is_stamp(lines) or uncovered_ink(page, (line.box for line in lines)) > UNCOVERED_SHARE:
        return Health.DOUBTFUL
    return Health.HIDDEN


def mostly_hidden(lines: list[Line]) -> bool:
    return _letters(line for line in lines if line.hidden) * 2 >= _letters(lines)


def picture_share(page: pymupdf.Page) -> float:
    """Return the share of the page covered by its largest image, or by images in strips together."""
    if not page.get_images(full=True):  # checks only the page's resources, and most pages have no images
        return 0.0
    width, height = unrotated_size(page)
    whole = pymupdf.Rect(0, 0, width, height)
    covered = sum(abs(pymupdf.Rect(info["bbox"]) & whole) for info in page.get_image_info())
    return float(min(1.0, covered / max(width * height, 1.0)))


def _is_blank(page: pymupdf.Page) -> bool:
    """Check whether nothing is painted, or only in the colour of the paper."""
    if not page.get_bboxlog():
        return True
    if sum(info["width"] * info["height"] for info in page.get_image_info()) > MOST_PIXELS:
        return False
    from pdfbatch.documents.pdf.ink import is_white

    return is_white(page)


def _painted_over(page: pymupdf.Page) -> bool:
    """Check whether a big image is painted after most of the text and over it, so that the text shows only in the
    layer."""
    width, height = unrotated_size(page)
    half = PICTURE_SHARE * width * height
    log = list(enumerate(page.get_bboxlog()))
    texts = [(place, box) for place, (kind, box) in log if kind in ("fill-text", "stroke-text")]
    pictures = [(place, box) for place, (kind, box) in log if kind == "fill-image" and _area(box) > half]
    over = [box for place, box in texts if any(after > place and inside_share(box, on) > 0.5 for after, on in pictures)]
    return bool(over) and sum(map(_area, over)) > 0.5 * sum(_area(box) for _, box in texts)


def _area(box: tuple[float, float, float, float]) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _is_stamp(lines: list[Line]) -> bool:
    return words_of("\n".join(line.text for line in lines)).total() < STAMP_WORDS


def _broken_share(lines: list[Line]) -> float:
    return sum(line.broken for line in lines) / max(1, _letters(lines))


def _letters(lines: Iterable[Line]) -> int:
    return sum(len(line.text.replace(" ", "")) for line in lines)

"""Scale pictures of pages and elements to the size the model expects. Runs in the child processes.

Dolphin 1.x was trained on pictures that are resized twice (see `two_pass`). Small differences move the boxes it
answers with, and transformers' implementation changed between versions, so it is done here. Padding and normalisation
are done beside the model: in the black square of `side` pixels the picture is placed `(side - height) // 2` from the
top and `(side - width) // 2` from the left.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.Image import Resampling

from pdfbatch.engines.dolphin.layout import Box

cv2.setNumThreads(1)  # a child process is the unit of parallelism, see documents/pdf/one_thread.py

Pixels = npt.NDArray[np.uint8]
"""Height x width x 3, RGB."""

SIDE = 896
CHEAP_BLOCKS = 2
"""`fit` averages blocks of this many pixels where `two_pass` averages larger ones. Mean absolute difference between the
two for lines and paragraphs, born digital and scanned, in shades of 255: 0.2 to 0.4, 11 at most (1: 0.5 to 0.8; a
single bilinear resize: 1.5 to 2, up to 37)."""
PIECE_PIXELS = 16_000_000
"""Pixels of the enlarged picture that exist at a time, at most."""
REDUCING_GAP = 2.0

PNG_EFFORT = 3
"""Compression level, of 9. A scanned page at 200 dpi takes 0.6 s; 1.5 s at Pillow's default 6, and is no smaller."""

WIDEN_STEPS = 15
"""Pixels by which an edge may move, on a page of `SIDE` pixels."""
BUSY = 0.2


class Size(NamedTuple):
    width: int
    height: int


def two_pass(pixels: Pixels, side: int = SIDE) -> Pixels:
    """Resizes a picture as Dolphin's own image processor does, without the padding: first so that its *shorter* side is
    `side` (bilinear), then so that its longer side is (bicubic, after averaging whole blocks).

    Equal to the last bit to `DonutImageProcessor` of transformers 4.47 and 4.57 with Dolphin's settings, and like it
    slow for strips, whose first enlargement is large; but it takes no more than some 100 MB for it. Where that
    processor fails because a side would come out at 0 pixels, it is 1. A picture without pixels is returned as it is.
    """
    return _resized_twice(pixels, side, side)


def fit(pixels: Pixels, side: int = SIDE) -> Pixels:
    """As `two_pass`, but in two thirds of the time. OpenCV enlarges instead of Pillow; the two round differently: mean
    absolute difference 0.05 shades of 255 for print, 3 at most. Strips more than six times as long as wide are
    enlarged, then reduced, by less; see `CHEAP_BLOCKS` for the loss of accuracy. The size is the same."""
    if not pixels.size:
        return pixels
    short = min(_final(_first(Size(pixels.shape[1], pixels.shape[0]), side), side))
    blocks = int(side / short / REDUCING_GAP)
    first_side = round(side * CHEAP_BLOCKS / blocks) if blocks > CHEAP_BLOCKS else side
    return _resized_twice(pixels, side, first_side, is_exact=False)


def _resized_twice(pixels: Pixels, side: int, first_side: int, is_exact: bool = True) -> Pixels:
    """Through a picture whose shorter side is `first_side`."""
    if not pixels.size:
        return pixels
    pixels = np.ascontiguousarray(pixels)
    size = Size(pixels.shape[1], pixels.shape[0])
    final = _final(_first(size, side), side)
    first = _first(size, first_side)
    if not is_exact and _is_enlarged(size, first) and first.width * first.height <= PIECE_PIXELS:
        pixels, size = cv2.resize(pixels, first, interpolation=cv2.INTER_LINEAR), first
    picture = Image.fromarray(pixels)
    if final == first:
        return np.asarray(picture.resize(first, Resampling.BILINEAR))
    factors = Size(*(int(a / b / REDUCING_GAP) or 1 for a, b in zip(first, final, strict=True)))
    reduced = _enlarged_and_reduced(picture, first, factors)
    box = (0, 0, first.width / factors.width, first.height / factors.height)
    return np.asarray(reduced.resize(final, Resampling.BICUBIC, box))


def _enlarged_and_reduced(picture: Image.Image, first: Size, factors: Size) -> Image.Image:
    """The picture resized to `first` and then averaged in blocks of `factors`, in upright pieces of whole blocks.

    Pillow resizes across before it resizes down, and rounds between the two, so the pieces fit without a seam.
    """
    if picture.size == first:
        return picture if factors == (1, 1) else picture.reduce(factors)
    across = picture.resize((first.width, picture.height), Resampling.BILINEAR)
    step = max(1, PIECE_PIXELS // (first.height * factors.width)) * factors.width
    if first.width <= step:
        return across.resize(first, Resampling.BILINEAR).reduce(factors)
    pieces = []
    for left in range(0, first.width, step):
        right = min(left + step, first.width)
        piece = across.crop((left, 0, right, picture.height))
        pieces.append(np.asarray(piece.resize((right - left, first.height), Resampling.BILINEAR).reduce(factors)))
    return Image.fromarray(np.concatenate(pieces, axis=1))


def _is_enlarged(size: Size, first: Size) -> bool:
    return first.width >= size.width and first.height >= size.height


def _first(size: Size, side: int) -> Size:
    """With the shorter side `side`."""
    if size.width <= size.height:
        return Size(side, int(side * size.height / size.width))
    return Size(int(side * size.width / size.height), side)


def _final(first: Size, side: int) -> Size:
    """With the longer side `side`, where the shorter one is that now."""
    if first.height > first.width:
        return Size(max(1, int(first.width * side / first.height)), side)
    return Size(side, max(1, int(first.height * side / first.width)))


def crop(pixels: Pixels, box: Box) -> Pixels:
    """A view of that part of the picture; `box` is clipped to the picture."""
    return pixels[max(0, box.y0) : max(0, box.y1), max(0, box.x0) : max(0, box.x1)]


def opened(file: str, width: int, height: int) -> Pixels:
    """Maps a file of RGB bytes, row by row, as a picture; only the parts that are used are read."""
    return np.memmap(file, np.uint8, "r", shape=(height, width, 3))


def squared(pixels: Pixels) -> tuple[Pixels, int, int]:
    """The picture in the middle of a black square, and how far from its left and its top."""
    height, width = pixels.shape[:2]
    longer = max(height, width)
    left, top = (longer - width) // 2, (longer - height) // 2
    square = np.zeros((longer, longer, 3), np.uint8)
    square[top : top + height, left : left + width] = pixels
    return square, left, top


def png(pixels: Pixels) -> bytes:
    """The picture as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", compress_level=PNG_EFFORT)
    return file.getvalue()


def edge_widener(pixels: Pixels) -> Callable[[Box], Box]:
    """Returns a function that moves the edges of a box outwards while they cut through ink, as Dolphin 1.0 needs.

    Each edge in turn (left, right, top, bottom) goes to the nearest clean line within `WIDEN_STEPS` pixels of a page of
    `SIDE`, or to the least busy one. How busy a line is: its steps from paper to ink x 255 and from ink to paper x 1,
    by pixel (bytedance/Dolphin v1.0, utils; the 1 comes of bytes that wrap around, and decides nothing much).
    """
    height, width = pixels.shape[:2]
    gray = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    ink = cv2.threshold(gray, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)[1].astype(np.int16)
    scale = max(height, width) / SIDE
    steps, clean = max(1, round(WIDEN_STEPS * scale)), BUSY / scale
    last = (width - 1, height - 1, width - 1, height - 1)

    def busy(edges: list[int], side: int) -> float:
        x0, y0, x1, y1 = edges
        line = ink[y0 : y1 + 1, edges[side]] if side % 2 == 0 else ink[edges[side], x0 : x1 + 1]
        turns = np.diff(line)
        return float((255 * (turns > 0).sum() + (turns < 0).sum()) / len(turns)) if len(turns) else float("nan")

    def widened(box: Box) -> Box:
        best = box
        edges = [min(max(edge, 0), most) for edge, most in zip(box, last, strict=True)]
        for side, direction in ((0, -1), (2, 1), (1, -1), (3, 1)):
            least = busy(edges, side)
            if least <= clean:
                continue
            for _ in range(steps):
                edges[side] = min(max(edges[side] + direction, 0), last[side])
                score = busy(edges, side)
                if score < least:
                    least, best = score, Box(*edges)
                if score <= clean:
                    break
        return best

    return widened

"""Find ink that no text of the layer accounts for: text in images, in outlines, in glyphs without a meaning.

The small grey picture is searched for edges that lie neither on a line of the layer nor on a ruling. The rest is
grouped into regions, and the OCR's detector and recogniser decide whether they hold text. A page without such ink takes
a few milliseconds and loads no OCR.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from pdfbatch.documents.ocr.pale import BLANK, PALE, SPREAD, range_of, spread
from pdfbatch.documents.pdf.boxes import inside_share, union
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.sight.look import Gray, Look, area_of
from pdfbatch.documents.textlayer.lines import Box, Line

EDGE = 48
"""Shades within three pixels; letters on any background differ more, photographs in places."""
RULING = 31
"""Pixels of a straight run, longer than in any letter, in a picture of 900 pixels."""
GATHER = (45, 31)
FEWEST_PIXELS = 60
"""Edge pixels in a region: three letters of ordinary print have more."""
LOWEST, SHORTEST, SHORTEST_LARGE = 4, 14, 20
"""Pixels of a component's shorter and longer side, and of the longer side of large letters: bullets and check boxes are
smaller."""
WINDOW, CROWDED = 9, 40
"""Pixels of a square, and the percentage of edges in it from which it may be within text: letters have 45 to 70, the
curves and grids of a drawing 15 to 35."""
SHRINKS = (1.0, 0.4)
"""Scales of the picture: in a smaller one large letters are crowded too."""
MOST_REGIONS = 10
MARGIN = 10.0
"""Points around a region."""
SURE, SURE_SCRAP = 0.8, 0.95
"""Confidence of the recogniser below which its text is dropped; a scrap has three letters or fewer."""
KNOWN_SHARE = 0.5
NEAR = 31
"""Pixels of the square in which the range of pale ink is measured."""
MOST_UNDER_TEXT = 0.1
"""Share of an image that text may cover before the image counts as background."""
FIRST_BLOCK = 100_000
"""Number of the first block of found lines, above all of MuPDF's."""

ORDINARY_SCALE = 900 / 842
"""Pixels per point of an A4 page; on smaller pages all of these are larger."""

Mask = npt.NDArray[np.uint8]


def regions_without_text(look: Look, covered: Sequence[Box]) -> list[Box]:
    """Return the boxes, in points, where the page shows ink that is neither in the boxes `covered` nor a ruling.
    Pure."""
    kept = np.zeros_like(look.gray)
    for shrink in SHRINKS:
        for x0, y0, x1, y1 in _dense(look, covered, shrink):
            kept[y0:y1, x0:x1] = 1
    if not kept.any():
        return []
    gathered = cv2.dilate(kept, np.ones(GATHER[::-1], np.uint8))
    boxes = [_tight(kept, part) for part in _boxes(gathered)]
    if len(boxes) > MOST_REGIONS:
        boxes = [union(boxes)]
    return [_points(box, look) for box in boxes]


def _dense(look: Look, covered: Sequence[Box], shrink: float) -> list[tuple[int, int, int, int]]:
    """Return where edges are as dense as in text of one size, as boxes in pixels of the whole picture. In drawings they
    are sparse."""
    gray = look.gray if shrink == 1 else cv2.resize(look.gray, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    scale = look.scale * shrink
    larger = max(1.0, scale / ORDINARY_SCALE)
    left = unexplained(np.asarray(gray), [_scaled(box, scale) for box in covered], round(RULING * larger))
    if int(np.count_nonzero(left)) < FEWEST_PIXELS:
        return []
    window, shortest = round(WINDOW * larger), SHORTEST if shrink == 1 else SHORTEST_LARGE
    crowded = (cv2.boxFilter(left * np.uint8(100), -1, (window, window)) >= CROWDED).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(crowded, connectivity=8)
    return [
        (round(x / shrink), round(y / shrink), round((x + wide) / shrink), round((y + high) / shrink))
        for x, y, wide, high, _ in stats[1:count].tolist()
        if min(wide, high) >= LOWEST * larger and max(wide, high) >= shortest * larger
    ]


def unexplained(gray: Gray, covered: Sequence[tuple[int, int, int, int]], ruling: int = RULING) -> Mask:
    """Mark edges (1) that are neither in the boxes, in pixels, nor on a ruling."""
    edges = _edges(gray, (3, 3))
    for x0, y0, x1, y1 in covered:
        edges[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = 0
    if not edges.any():
        return edges
    # Along a ruling the shade changes only across it; the stems of letters interrupt such a run.
    x, y, wide, high = cv2.boundingRect(edges)
    around = slice(max(0, y - ruling), y + high + ruling), slice(max(0, x - ruling), x + wide + ruling)
    for across, along in (((3, 1), (1, ruling)), ((1, 3), (ruling, 1))):
        runs = cv2.morphologyEx(_edges(gray[around], across), cv2.MORPH_OPEN, np.ones(along, np.uint8))
        edges[around][cv2.dilate(runs, np.ones((5, 5), np.uint8)) > 0] = 0
    return edges


def _edges(gray: Gray, shape: tuple[int, int]) -> Mask:
    steps = cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, np.ones(shape, np.uint8))
    return np.asarray(steps > EDGE, dtype=np.uint8)


class InkText(NamedTuple):
    """Lines that the picture shows and the layer lacks, in the page's unrotated space, each with the recogniser's
    confidence, 0 to 1; the number of letters found with too little confidence; and the regions that could not be read
    because there is no OCR."""

    lines: list[tuple[Line, float]]
    doubted: int = 0
    unread: Sequence[Box] = ()


def lines_without_layer(page: pymupdf.Page, look: Look, known: Sequence[Box], turn: int) -> InkText:
    """Read what the page shows and its layer lacks. `known`: boxes of the layer's visible lines; `turn`: rotation of
    the page's text in degrees. Loads the OCR only if there is such ink."""
    gray = _with_pale_spread(look, _pictures(page), known)
    regions = regions_without_text(look._replace(gray=gray), known)
    if not regions:
        return InkText([])
    from pdfbatch.documents.ocr.scan import available

    if not available():
        return InkText([], unread=regions)
    from pdfbatch.documents.sight.recognise import read_region

    found: list[tuple[Line, float]] = []
    doubted = 0
    for number, region in enumerate(regions):
        inside = [box for box in known if inside_share(box, region) > 0]
        read = _Read(number, read_region(page, region, inside, turn), inside)
        if read.doubted > read.letters:  # it may have another rotation than the page's text
            other = _Read(number, read_region(page, region, inside, None), inside)
            read = max(read, other, key=lambda one: one.letters)
        found += read.believed
        doubted += read.doubted
    return InkText(found, doubted)


def _pictures(page: pymupdf.Page) -> list[Box]:
    """Return where the page shows images, in points of the unrotated space."""
    if not page.get_images():
        return []
    return [tuple(pymupdf.Rect(info["bbox"]) * page.derotation_matrix) for info in page.get_image_info()]


class _Read:
    """The result for one region: the `believed` lines missing from the layer, in the block of that number, the number
    of their `letters`, and the number of letters in doubt."""

    def __init__(self, number: int, lines: Sequence[tuple[Line, float]], known: Sequence[Box]) -> None:
        self.believed: list[tuple[Line, float]] = []
        self.letters = self.doubted = 0
        for line, sure in lines:
            letters = sum(map(str.isalnum, line.text))
            if any(inside_share(line.box, box) > KNOWN_SHARE for box in known):
                continue
            if is_believed(line.text, sure):
                line.block = FIRST_BLOCK + number
                self.believed.append((line, sure))
                self.letters += letters
            else:
                self.doubted += letters


def _with_pale_spread(look: Look, pictures: Sequence[Box], known: Sequence[Box]) -> Gray:
    """Return the grey picture with the range of pale ink stretched: for images as a whole, because scanners add grain
    to paper, elsewhere locally. An image under text is pale on purpose, unless the text is a stamp on it."""
    gray = look.gray.copy()
    plain = look._replace(gray=gray)
    for box in known:
        part = plain.part(box)
        if part.size:
            part[:] = np.median(part)
    painted = [(box, range_of(plain.part(box)), _share_of(box, known)) for box in pictures]
    gray[:] = _spread_locally(gray)
    for box, shades, share in painted:
        lies_under_text = share > MOST_UNDER_TEXT
        whole = look.part(box)
        plain.part(box)[:] = spread(whole, shades) if shades.is_pale and not lies_under_text else whole
    return gray


def _share_of(box: Box, known: Sequence[Box]) -> float:
    """Return the share of an image under lines of the layer."""
    return sum(inside_share(line, box) * area_of(line) for line in known) / max(area_of(box), 1.0)


def _spread_locally(gray: Gray) -> Gray:
    """Make pale ink nearly black where nothing darker is near."""
    around = np.ones((NEAR, NEAR), np.uint8)
    light = cv2.dilate(gray, around)
    span = light - cv2.erode(gray, around)
    pale = (span >= BLANK) & (span < PALE)
    if not pale.any():
        return gray
    ink, paper = gray[pale], light[pale]
    gain = np.minimum(SPREAD, paper.astype(np.float32)) / span[pale]
    spread_out = gray.copy()
    spread_out[pale] = (paper - (paper - ink) * gain).clip(0, 255).astype(np.uint8)
    return spread_out


def is_believed(text: str, sure: float) -> bool:
    """Decide whether what was read in an image is text rather than a similar pattern. Pure."""
    letters = sum(map(str.isalnum, text))
    if not re.search(r"[^\W_]{2}|[\u3040-\u9fff\uac00-\ud7af]", text):
        return False
    return sure >= (SURE if letters > 3 else SURE_SCRAP)


def _scaled(box: Box, scale: float) -> tuple[int, int, int, int]:
    """Convert to pixels, with room for accents and for smoothing."""
    x0, y0, x1, y1 = box
    room = 0.12 * min(x1 - x0, y1 - y0) + 1.5
    return tuple(  # type: ignore[return-value]
        round(value * scale) for value in (x0 - room, y0 - room, x1 + room, y1 + room)
    )


def _boxes(mask: Mask) -> list[Box]:
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    return [(x, y, x + wide, y + high) for x, y, wide, high, _ in stats[1:count].tolist()]


def _tight(mask: Mask, box: Box) -> Box:
    x0, y0, x1, y1 = (int(value) for value in box)
    part = mask[y0:y1, x0:x1]
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    return x0 + int(columns[0]), y0 + int(rows[0]), x0 + int(columns[-1]) + 1, y0 + int(rows[-1]) + 1


def _points(box: Box, look: Look) -> Box:
    x0, y0, x1, y1 = (value / look.scale for value in box)
    return max(0.0, x0 - MARGIN), max(0.0, y0 - MARGIN), min(look.size[0], x1 + MARGIN), min(look.size[1], y1 + MARGIN)

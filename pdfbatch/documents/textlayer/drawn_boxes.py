"""Find check boxes that a page draws as squares, and the marks drawn in them. Pure.

A single outlined square of about letter size is a check box if text stands beside it. Cells of a grid touch each other,
and legend keys of a chart are filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pdfbatch.documents.textlayer.annotations import CheckBox
from pdfbatch.documents.textlayer.lines import Box

SMALLEST, LARGEST = 5.0, 18.0
"""Points of a side, including its stroke."""
SQUARE = 1.5
"""Largest difference between the sides in points."""
_TOUCHING = 1.5
_MIDDLE = 2.5
"""Points between the centres of a box and its mark: MuPDF reports the boxes of strokes larger than they are."""
_LARGEST_MARK = 60.0


def drawn_boxes(vectors: Iterable[dict[str, Any]]) -> list[CheckBox]:
    """Return the squares among MuPDF's vector blocks, checked if strokes or a smaller square lie in them."""
    shapes = list(vectors)
    squares = _apart([tuple(shape["bbox"]) for shape in shapes if shape["stroked"] and shape["isrect"]])
    if not squares:
        return []
    return [CheckBox(box, any(_is_mark(shape, box) for shape in shapes), drawn=True) for box in squares]


def _apart(boxes: Sequence[Any]) -> list[Box]:
    """Return the squares, each once, that touch no other frame."""
    frames = list(dict.fromkeys(boxes))
    return [box for box in frames if _is_square(box) and not any(_touch(box, one) for one in frames if one != box)]


def _is_square(box: Box) -> bool:
    wide, high = box[2] - box[0], box[3] - box[1]
    return min(wide, high) >= SMALLEST and max(wide, high) <= LARGEST and abs(wide - high) <= SQUARE


def _touch(box: Box, other: Box) -> bool:
    """Check whether the frames meet; a frame around both, such as a form's, does not count."""
    if _holds(other, box) or (_holds(box, other) and _is_centred(other, box)):
        return False
    apart = max(other[0] - box[2], box[0] - other[2], other[1] - box[3], box[1] - other[3])
    return apart < _TOUCHING


def _holds(outer: Box, inner: Box) -> bool:
    return all(near < far for near, far in zip(outer[:2], inner[:2], strict=True)) and all(
        far < near for near, far in zip(inner[2:], outer[2:], strict=True)
    )


def _is_mark(shape: dict[str, Any], box: Box) -> bool:
    other = tuple(shape["bbox"])
    if other == box or not _is_centred(other, box) or shape.get("alpha", 255) == 0:
        return False
    wide, high = other[2] - other[0], other[3] - other[1]
    if shape["isrect"]:
        inner = max(wide, high) < 0.85 * (box[2] - box[0]) and min(wide, high) > 2
        return bool(inner and not shape["stroked"] and shape.get("color", 0) & 0xFF < 200)
    return bool(max(wide, high) <= _LARGEST_MARK)


def _is_centred(other: Box, box: Box) -> bool:
    across = abs(other[0] + other[2] - box[0] - box[2]) / 2
    down = abs(other[1] + other[3] - box[1] - box[3]) / 2
    return max(across, down) <= _MIDDLE

"""Compute the layout model's input features for each box: the same numbers as pymupdf's own functions, in less time.

pymupdf looks up the names of a box's features for each box again, and processes a box's part of the maps channel by
channel. Here the names are looked up once, and a map's channels are contiguous in memory.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from pdfbatch.documents.pdf.mupdf import pymupdf

Floats = npt.NDArray[np.float32]
Box = Sequence[float]

NOT_FEATURES = ("this", "thisown", "last_char_rect")
SYMBOLS = "•-*+<>()→✓#□■‣◦▪.:※"
LETTER, DIGIT, SIGN, BLANK, FIRST_SYMBOL = 10, 11, 12, 13, 14
PATTERN_CODES = 20


class ChannelsLast(NamedTuple):
    """Maps of one size, each height x width x channels, in place of 1 x all channels x height x width."""

    maps: Sequence[Floats]


class BoxPlaces(NamedTuple):
    """The pixels of a map that each box covers, at least one; ends are exclusive."""

    left: npt.NDArray[np.intp]
    top: npt.NDArray[np.intp]
    right: npt.NDArray[np.intp]
    bottom: npt.NDArray[np.intp]


def find_text_features(data: dict[str, Any], textpage: Any) -> None:
    """Add to each box of the page MuPDF's features of its text, and drop invisible text if there is visible text.
    Equals pymupdf's `extract_rf_features`."""
    known, boxes, texts = data["custom_features"], data["bboxes"], data["text"]
    features_of = pymupdf.features.fz_features_for_region
    getters: list[tuple[str, Any]] = []
    for box, own in zip(boxes, known, strict=False):
        features = features_of(textpage, pymupdf.mupdf.FzRect(*box), 0)
        getters = getters or _getters(type(features))
        own.update({name: get(features) for name, get in getters})
    if any(own["num_numerals"] + own["num_non_numerals"] > 0 and own["invisible"] == 0 for own in known):
        kept = [place for place, own in enumerate(known) if own["invisible"] != 1]
        for some in (known, boxes, texts):
            some[:] = [some[place] for place in kept]


def _getters(kind: type) -> list[tuple[str, Any]]:
    found = [(name, value.fget) for name, value in vars(kind).items() if isinstance(value, property)]
    return [(name, get) for name, get in found if name not in NOT_FEATURES]


def text_pattern(text: str, text_pattern: None = None, return_vector: bool = True) -> list[float]:  # noqa: ARG001
    """Return the kinds of characters that the text begins with, each with the digits of how many follow each other; a
    kind or digit is two octal digits, each divided by 8. Equals pymupdf's `get_text_pattern`."""
    codes: list[int] = []
    for kind, run in groupby(map(_kind_of, text)):
        codes += [kind, *map(int, str(sum(1 for _ in run)))]
        if len(codes) >= PATTERN_CODES:
            break
    codes = [*codes, *[0] * PATTERN_CODES][:PATTERN_CODES]
    return [digit / 8 for code in codes for digit in divmod(code, 8)]


@functools.lru_cache(4096)
def _kind_of(char: str) -> int:
    if char in SYMBOLS:
        return FIRST_SYMBOL + SYMBOLS.index(char)
    if char.isspace():
        return BLANK
    if char.isdigit():
        return DIGIT
    return LETTER if char.isalnum() else SIGN


def pooled(
    features: ChannelsLast | Floats,
    bboxes: Sequence[Box],
    page_width: int,
    page_height: int,
    pooling_ops: Sequence[str] = (),  # noqa: ARG001
    apply_softmax: bool = False,  # noqa: ARG001
) -> Floats:
    """Return a row for each box: mean and maximum of each channel of the maps. For a map of 1 x classes x height x
    width likelihoods: mean, minimum and maximum of each class, the mean entropy, and the mean lead of the likeliest
    class. Equals pymupdf's `extract_bbox_features_by_roi_pooling` with the operations that pymupdf requests."""
    if isinstance(features, ChannelsLast):
        return _pooled_maps(features.maps, _places(bboxes, features.maps[0].shape, page_width, page_height))
    return _pooled_classes(features[0], _places(bboxes, features.shape[2:], page_width, page_height))


def _places(boxes: Sequence[Box], size: tuple[int, ...], page_width: int, page_height: int) -> BoxPlaces:
    high, wide = size[:2]
    given = np.asarray(boxes, np.float64).reshape(-1, 4)
    across, down = wide / float(page_width), high / float(page_height)
    left = np.floor(given[:, 0] * across).astype(np.intp).clip(0, wide - 1)
    top = np.floor(given[:, 1] * down).astype(np.intp).clip(0, high - 1)
    right = (np.ceil(given[:, 2] * across).astype(np.intp) - 1).clip(0, wide - 1)
    bottom = (np.ceil(given[:, 3] * down).astype(np.intp) - 1).clip(0, high - 1)
    return BoxPlaces(left, top, np.maximum(right, left) + 1, np.maximum(bottom, top) + 1)


def _pooled_maps(maps: Sequence[Floats], places: BoxPlaces) -> Floats:
    channels = sum(one.shape[2] for one in maps)
    found = np.empty((len(places.left), 2 * channels), np.float32)
    for row, (left, top, right, bottom) in zip(found, zip(*map(np.ndarray.tolist, places), strict=True), strict=True):
        start = 0
        for one in maps:
            part = one[top:bottom, left:right]
            end = start + part.shape[2]
            np.add.reduce(part, axis=(0, 1), out=row[start:end])
            np.maximum.reduce(part, axis=(0, 1), out=row[channels + start : channels + end])
            start = end
        row[:channels] /= (bottom - top) * (right - left)
    return found


def _pooled_classes(likelihoods: Floats, places: BoxPlaces) -> Floats:
    classes = len(likelihoods)
    shares, entropy, lead = _shares(likelihoods)
    sums = np.stack([cv2.integral(one, sdepth=cv2.CV_64F) for one in (*shares, entropy, lead)])
    left, top, right, bottom = places
    inside = sums[:, bottom, right] - sums[:, top, right] - sums[:, bottom, left] + sums[:, top, left]
    means = (inside / ((bottom - top) * (right - left))).T
    ends = np.empty((len(left), 2 * classes), np.float32)
    side_by_side = np.ascontiguousarray(np.moveaxis(shares, 0, 2))
    for row, (x0, y0, x1, y1) in zip(ends, zip(*map(np.ndarray.tolist, places), strict=True), strict=True):
        part = side_by_side[y0:y1, x0:x1]
        np.minimum.reduce(part, axis=(0, 1), out=row[:classes])
        np.maximum.reduce(part, axis=(0, 1), out=row[classes:])
    return np.concatenate([means[:, :classes], ends, means[:, classes:]], axis=1).astype(np.float32)


def _shares(likelihoods: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the classes' probabilities for each pixel, their entropy, and the lead of the largest over the second."""
    first, second = likelihoods[0].copy(), np.full_like(likelihoods[0], -np.inf)
    for one in likelihoods[1:]:
        np.maximum(second, np.minimum(first, one), out=second)
        np.maximum(first, one, out=first)
    lower = likelihoods - first
    shares = np.exp(lower)
    whole = shares.sum(axis=0)
    shares /= whole
    entropy = np.log(whole) - np.einsum("chw,chw->hw", shares, lower)
    return shares, entropy, (1 - np.exp(second - first)) / whole

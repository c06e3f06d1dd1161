"""Boxes: left, top, right, bottom in points; y grows downwards. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pdfbatch.records import Box


def union(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around one box or more."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def inside_share(inner: Box, outer: Box) -> float:
    """Return the share of `inner` that lies in `outer`, 0 to 1."""
    wide = min(inner[2], outer[2]) - max(inner[0], outer[0])
    high = min(inner[3], outer[3]) - max(inner[1], outer[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / max((inner[2] - inner[0]) * (inner[3] - inner[1]), 1e-6)

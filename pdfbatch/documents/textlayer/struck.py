"""Decide which text marked by MuPDF as struck out really is: a rule through its middle may belong to a chart or
formula."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.textlayer.lines import text_blocks

FEWEST_LETTERS = 2
"""A rule through a single letter belongs to a formula or a grid, or is a drawn underscore."""
LONGER = 4.0
"""Font sizes by which a rule may extend beyond both ends of its line; those of charts and tables extend farther."""
THICKEST = 0.2
"""Font sizes."""
_STRUCK = pymupdf.mupdf.FZ_STEXT_STRIKEOUT
_VECTOR = 3

Raw = dict[str, Any]


def unstrike(blocks: list[Raw]) -> None:
    """Remove the strikeout flag from spans in MuPDF's blocks that only look struck out. Changes `blocks`."""
    struck = [
        (line, span)
        for block in text_blocks(blocks)
        for line in block["lines"]
        for span in line["spans"]
        if span["char_flags"] & _STRUCK
    ]
    rules = [block["bbox"] for block in _vectors(blocks)] if struck else []
    for line, span in struck:
        if not _is_struck(line, span, rules):
            span["char_flags"] &= ~_STRUCK


def _is_struck(line: Raw, span: Raw, rules: list[tuple[float, float, float, float]]) -> bool:
    text = span["text"] if "text" in span else "".join(char["c"] for char in span["chars"])
    if sum(map(str.isalnum, text)) < FEWEST_LETTERS:
        return False
    left, top, right, bottom = span["bbox"]
    through = [
        rule
        for rule in rules
        if rule[3] - rule[1] <= THICKEST * span["size"]
        and top < (rule[1] + rule[3]) / 2 < bottom
        and min(rule[2], right) - max(rule[0], left) > 0.5 * (right - left)
    ]
    reach = LONGER * span["size"]
    own = [rule for rule in through if line["bbox"][0] - rule[0] <= reach and rule[2] - line["bbox"][2] <= reach]
    return bool(own) or not through


def _vectors(blocks: list[Raw]) -> Iterator[Raw]:
    for block in blocks:
        if block["type"] == 2:
            yield from _vectors(block["blocks"])
        elif block["type"] == _VECTOR:
            yield block

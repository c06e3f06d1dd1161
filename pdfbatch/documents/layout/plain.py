"""The plainer way: the text layer in blocks and reading order, unwrapped into paragraphs, without the layout model."""

from __future__ import annotations

from collections.abc import Sequence

from pdfbatch.documents.layout.regions import Region, in_reading_order, union
from pdfbatch.documents.pdf.upright import UprightPage
from pdfbatch.documents.textlayer.lines import RAW_FLAGS, Line, legible_lines_of


def plain_regions(view: UprightPage, more: Sequence[Line] = ()) -> list[Region]:
    """MuPDF's blocks as text regions, and `more` lines that the page's text lacks."""
    blocks = view.blocks(view.get_textpage(RAW_FLAGS))
    grouped: dict[int, list[Line]] = {}
    for line in [*legible_lines_of(blocks), *more]:
        grouped.setdefault(line.block, []).append(line)
    regions = [Region("text", union([line.box for line in lines]), lines) for lines in grouped.values()]
    return in_reading_order(view.rect, [], regions)

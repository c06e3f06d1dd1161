"""The simple way without the layout model: the text layer in blocks and reading order, joined into paragraphs."""

from __future__ import annotations

from collections.abc import Sequence

from pdfbatch.documents.layout.order import in_reading_order
from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.layout.regions import PageText, aside_regions
from pdfbatch.documents.pdf.boxes import union
from pdfbatch.documents.pdf.upright import UprightPage
from pdfbatch.documents.textlayer.lines import RAW_FLAGS, Line
from pdfbatch.documents.textlayer.repairs import ASIDE


def plain_regions(view: UprightPage, more: Sequence[Line] = ()) -> list[Region]:
    """Return MuPDF's blocks as text regions, and `more` lines that the page's text lacks."""
    lines = PageText(view).of(view.get_textpage(RAW_FLAGS)).lines
    grouped: dict[int, list[Line]] = {}
    for line in [*lines, *more]:
        if line.role not in ASIDE:
            grouped.setdefault(line.block, []).append(line)
    regions = [Region("text", union([line.box for line in block]), block) for block in grouped.values()]
    regions += aside_regions(lines)
    return in_reading_order(regions)

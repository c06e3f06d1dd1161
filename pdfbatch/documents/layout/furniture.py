"""What a page repeats around its text: running titles, page numbers, revision lines. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from pdfbatch.documents.layout.regions import Region
from pdfbatch.documents.textlayer.lines import median_size
from pdfbatch.documents.textlayer.words import words_of

MOST_DROPPED = 0.35
"""A page that seems to be mostly header is a title page, and kept."""
HEADING_SIZE = 1.3
"""Times the size of the text, from which on a line at the top is a heading; running titles are set small."""
_KINDS = ("page-header", "page-footer")
_FURNITURE = re.compile(
    r"^\W*(?:"
    r"(?:page|seite|p\.)?\s*[-–—]?\s*(?:\d{1,4}|[ivxlc]{1,6})\s*[-–—]?(?:\s*(?:of|/|von|de)\s*\d{1,4})?"
    r"|(?:rev(?:ision)?|version|draft|printed|last updated)\b.{0,60}"
    r"|[\[(].{0,80}[\])]"
    r")\W*$",
    re.IGNORECASE,
)


def body_of(regions: list[Region]) -> tuple[list[Region], list[Region]]:
    """The regions that are text, and those that are furniture, both in order."""
    regions = _with_headings(regions)
    aside = [region for region in regions if region.kind in ("line-numbers", "watermark")]
    regions = [region for region in regions if region not in aside]
    named = [region for region in regions if region.kind in _KINDS and not _is_turned(region)]
    if _words(named) > MOST_DROPPED * _words(regions):
        named = []
    like = [region for region in regions if _reads_like_furniture(region)]
    known = set(map(id, named + like))
    body = [region for region in regions if id(region) not in known]
    dropped = set(map(id, named + _outside(like, body)))
    return (
        [region for region in regions if id(region) not in dropped],
        [region for region in regions if id(region) in dropped] + aside,
    )


def _with_headings(regions: list[Region]) -> list[Region]:
    """What the model calls a page header and is set much larger than the text is the page's title."""
    usual = median_size([line for region in regions if region.kind not in _KINDS for line in region.lines])
    return [
        replace(region, kind="section-header")
        if region.kind == "page-header" and min(line.size for line in region.lines) >= HEADING_SIZE * usual
        else region
        for region in regions
    ]


def _is_turned(region: Region) -> bool:
    """Notes up the margin look like headers to the model, and are said only once."""
    return all(line.pose.turn for line in region.lines)


def _reads_like_furniture(region: Region) -> bool:
    short = region.kind != "table" and len(region.lines) <= 2
    return short and bool(_FURNITURE.match(" ".join(line.text for line in region.lines)))


def _outside(regions: list[Region], body: list[Region]) -> list[Region]:
    """Those above all of the body, or below it."""
    top = min((region.box[1] for region in body), default=0.0)
    bottom = max((region.box[3] for region in body), default=0.0)
    return [one for one in regions if not top <= (one.box[1] + one.box[3]) / 2 <= bottom]


def _words(regions: list[Region]) -> int:
    return sum(words_of(line.text).total() for region in regions for line in region.lines)

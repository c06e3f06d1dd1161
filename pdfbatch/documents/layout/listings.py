"""Join the parts of a program listing that blank lines separate. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.pdf.boxes import union
from pdfbatch.documents.textlayer.listing import is_mono
from pdfbatch.documents.textlayer.unwrap import Row, rows_of

_KINDS = frozenset({"text", "list-item", "section-header", "title"})
_FEWEST_ROWS = 3
_CODE_SHARE = 0.5
"""Smallest share of a listing's rows that look like code: a typewritten letter is no listing."""
_GAP = 3.5
"""Font sizes: largest gap between two parts, two blank lines."""
_SAME_SIZE = 0.3
_CODE = re.compile(
    r"[{}=;<>\[\]\\|@#$]|\w\(|\(\)|//|::|->|:\s*$|\\$|^\s*(?:\)|--|\*/)"
    r"|^\s*(?:import|from|return|def|class|if|elif|else|for|while|try|except|end|fi|done|do|then|function|var|let|const"
    r"|public|private|static|void|int|echo|export|cd|sudo|print|break|continue|pass|raise|yield|use|fn|func|package"
    r"|SELECT|FROM|WHERE|INSERT|CREATE|JOIN|ORDER|GROUP|BEGIN|END)\b(?!.*[.,]$)"
)


def with_listings_whole(regions: Sequence[Region]) -> list[Region]:
    """Join monospaced regions below each other to one text if they look like code."""
    whole: list[Region] = []
    run: list[Region] = []
    for region in regions:
        if run and not _goes_on(run[-1], region):
            whole += _joined(run)
            run = []
        if _may_be_listing(region):
            run.append(region)
        else:
            whole.append(region)
    return whole + _joined(run)


def _may_be_listing(region: Region) -> bool:
    is_level = region.kind in _KINDS and not any(line.pose.turn for line in region.lines)
    return is_level and bool(region.lines) and is_mono(region.lines)


def _goes_on(above: Region, below: Region) -> bool:
    if not _may_be_listing(below):
        return False
    size = max(line.size for line in above.lines)
    alike = abs(size - max(line.size for line in below.lines)) <= _SAME_SIZE and _is_bold(above) == _is_bold(below)
    overlap = above.box[0] < below.box[2] and below.box[0] < above.box[2]
    return alike and overlap and -0.5 * size <= below.box[1] - above.box[3] <= _GAP * size


def _is_bold(region: Region) -> bool:
    return all(piece.bold for line in region.lines for piece in line.pieces if piece.text.strip())


def _joined(run: Sequence[Region]) -> list[Region]:
    if len(run) < 2 or not _looks_like_code(rows_of(line for region in run for line in region.lines)):
        return list(run)
    lines = [line for region in run for line in region.lines]
    return [replace(run[0], kind="text", lines=lines, box=union([region.box for region in run]))]


def _looks_like_code(rows: Sequence[Row]) -> bool:
    like = sum(_CODE.search("".join(line.text for line in row)) is not None for row in rows)
    return len(rows) >= _FEWEST_ROWS and like >= _CODE_SHARE * len(rows)

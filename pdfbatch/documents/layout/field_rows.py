"""Attach check boxes to the question on the same level, as in `Insured: ☒ yes ☐ no`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.pdf.boxes import union
from pdfbatch.documents.textlayer.lines import Line

_QUESTION = re.compile(r"[:?：？][\s._…]*$|[._…]{3,}\s*$")
_LONGEST_QUESTION = 80
"""Characters of a question. Lines of a text column beside a form are as long, but seldom end in a colon."""
_FARTHEST = 25.0
"""Font sizes: largest distance between a box and its question."""
_NO_HOSTS = frozenset({"form-field", "table", "picture", "line-numbers", "watermark"})
_SAME_EDGE = 3.0
_LEADING = 1.5
"""Font sizes: largest distance between two boxes, one below the other."""


def with_field_rows(regions: Sequence[Region]) -> list[Region]:
    """Return the regions in order, but with each check box after its question, from left to right. A region with such a
    question is split below it. Nothing else moves."""
    hosts = [region for region in regions if region.kind not in _NO_HOSTS]
    owners = {id(line): region for region in hosts for line in region.lines if not line.pose.turn}
    lines = [line for region in hosts for line in region.lines if id(line) in owners]
    asked = _asked([region for region in regions if region.kind == "form-field"], lines, owners)
    moved = {id(field) for _, field in asked}
    return [
        part
        for region in regions
        if id(region) not in moved
        for part in _parts(region, [(line, field) for line, field in asked if owners[id(line)] is region])
    ]


def _asked(fields: Sequence[Region], lines: Sequence[Line], owners: dict[int, Region]) -> list[tuple[Line, Region]]:
    """Return each box that has a question, with the question's line. A box without text beside it belongs to the
    question of the box directly above."""
    fields = _by_row(fields)
    beside = {id(field): _beside(field, lines) for field in fields}
    found: list[tuple[Line, Region]] = []
    for field in fields:
        line = beside[id(field)]
        if line is None:
            line = next((asking for asking, above in reversed(found) if _is_below(field, above)), None)
        elif not _asks(line, [one for one in fields if beside[id(one)] is line], owners[id(line)], beside):
            line = None
        if line is not None:
            found.append((line, field))
    return found


def _by_row(fields: Sequence[Region]) -> list[Region]:
    """Sort from the top, and within a row from left to right."""
    rows: list[list[Region]] = []
    for field in sorted(fields, key=lambda field: field.box[1] + field.box[3]):
        if rows and _level(rows[-1][0].box, field.box):
            rows[-1].append(field)
        else:
            rows.append([field])
    return [field for row in rows for field in sorted(row, key=lambda field: field.box[0])]


def _beside(field: Region, lines: Sequence[Line]) -> Line | None:
    """Return the nearest line to the left."""
    left = [line for line in lines if line.box[2] <= field.box[0] + 2 and _level(line.box, field.box)]
    return max(left, key=lambda line: line.box[2], default=None)


def _level(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return abs(one[1] + one[3] - other[1] - other[3]) <= min(one[3] - one[1], other[3] - other[1])


def _asks(line: Line, fields: Sequence[Region], host: Region, beside: dict[int, Line | None]) -> bool:
    """Check whether the line ends like a question, or is in a column of only such lines, each before several boxes."""
    near = min(field.box[0] for field in fields) - line.box[2] <= _FARTHEST * line.size
    if not near or len(line.text) > _LONGEST_QUESTION:
        return False
    asking = [id(one) for one in beside.values() if one is not None]
    return bool(_QUESTION.search(line.text)) or all(asking.count(id(one)) > 1 for one in host.lines)


def _is_below(field: Region, above: Region) -> bool:
    size = above.lines[0].size
    same_edge = abs(field.box[0] - above.box[0]) <= _SAME_EDGE
    return same_edge and field.box[1] >= above.box[1] and field.box[1] - above.box[3] <= _LEADING * size


def _parts(host: Region, asked: Sequence[tuple[Line, Region]]) -> list[Region]:
    if not asked:
        return [host]
    parts: list[Region] = []
    rest = sorted(host.lines, key=lambda line: (line.box[1] + line.box[3], line.box[0]))
    for line in [line for line in rest if any(line is one for one, _ in asked)]:
        end = next(place for place, one in enumerate(rest) if one is line) + 1
        parts += [_part(host, rest[:end]), *(field for asking, field in asked if asking is line)]
        rest = rest[end:]
    return [*parts, _part(host, rest)] if rest else parts


def _part(host: Region, lines: list[Line]) -> Region:
    return replace(host, lines=lines, box=union([line.box for line in lines]))

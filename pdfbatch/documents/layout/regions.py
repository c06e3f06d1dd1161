"""The layout model's boxes for a page, with every line of the text layer in exactly one of them.

The model (inside pymupdf) names regions and their class; which text belongs to which is decided here, by the lines
the model itself was shown, so that nothing can vanish and nothing can come twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pdfbatch.documents.layout.rulings import FEWEST_BORDERS, borders, drawn_edges
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.upright import UprightPage
from pdfbatch.documents.textlayer.lines import BULLETS, Box, Line, Piece, legible_lines_of

VECTOR = 3
"""The type of MuPDF's blocks for what is drawn."""
INSIDE_SHARE = 0.6
BULLET_GAP = 4.0
"""Times the font size: so far may a bullet stand from its text."""
_FIGURES = ("table", "picture", "formula", "caption")
"""May stand on their side among upright text."""
_LONE_BULLET = re.compile(f"^\\s*[{BULLETS}]\\s*$")


@dataclass(slots=True)
class Region:
    """One box in reading order. `kind`: title, section-header, text, list-item, table, caption, footnote, formula,
    picture, page-header or page-footer. `rows` and `columns`: a table's borders as the model guesses them, in points;
    `ruled_rows` and `ruled_columns`: those that the page draws, empty where it draws too few."""

    kind: str
    box: Box
    lines: list[Line] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)
    columns: list[float] = field(default_factory=list)
    ruled_rows: list[float] = field(default_factory=list)
    ruled_columns: list[float] = field(default_factory=list)


def load_model() -> None:
    """Import the layout model and make its sessions; seconds the first time, nothing after."""
    import pymupdf4llm  # noqa: F401 (activates pymupdf._get_layout, and sets how MuPDF measures glyphs)


def regions_of(view: UprightPage, more: Sequence[Line] = ()) -> list[Region]:
    """All lines of the page, and `more` that its text lacks, in regions, in reading order."""
    load_model()
    groups = pymupdf._get_layout(view, return_raw=True)
    blocks = view.blocks(view.last_textpage)
    regions = [_region(group) for group in groups]
    _rule([region for region in regions if region.kind == "table"], blocks)
    rest = _share_out(_with_bullets([*legible_lines_of(blocks), *more]), regions, groups)
    return in_reading_order(view.rect, blocks, _fitted(regions + _left_over(rest)))


def in_reading_order(page: pymupdf.Rect, blocks: list[dict[str, Any]], regions: list[Region]) -> list[Region]:
    """pymupdf's order over columns and stripes; no two regions may lie one within the other. Turned text, as a stamp
    up the margin, comes last and heads nothing."""
    from pymupdf4llm.helpers.utils import find_reading_order

    aside = [region for region in regions if _is_aside(region)]
    upright = [region for region in regions if not _is_aside(region)]
    boxes = [[*region.box, region.kind] for region in upright]
    by_box = {id(box): region for box, region in zip(boxes, upright, strict=True)}
    ordered = [by_box.pop(id(box)) for box in find_reading_order(page, list(_flat(blocks)), boxes)]
    rest = sorted(by_box.values(), key=lambda region: (region.box[1], region.box[0]))
    return ordered + rest + [replace(region, kind="text") for region in aside]


def _is_aside(region: Region) -> bool:
    return region.kind not in _FIGURES and all(line.pose.turn for line in region.lines)


def union(boxes: list[Box]) -> Box:
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


def inside_share(inner: Box, outer: Box) -> float:
    """Share of `inner` that lies in `outer`, 0 to 1."""
    wide = min(inner[2], outer[2]) - max(inner[0], outer[0])
    high = min(inner[3], outer[3]) - max(inner[1], outer[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / max((inner[2] - inner[0]) * (inner[3] - inner[1]), 1e-6)


def _region(group: dict[str, Any]) -> Region:
    kind, box = group["class_name"], tuple(map(float, group["group_bbox"][:4]))
    region = Region(kind, box)  # type: ignore[arg-type]
    grid = group.get("table_grid")
    if kind == "table" and grid is None:
        region.kind = "text"
    elif grid is not None:
        region.rows = [box[1], *(box[1] + line for line in grid.h_lines), box[3]]
        region.columns = [box[0], *(box[0] + line for line in grid.v_lines), box[2]]
    return region


def _rule(tables: list[Region], blocks: list[dict[str, Any]]) -> None:
    """Gives tables the borders that are drawn on the page."""
    if not tables:
        return
    across, down = drawn_edges(block for block in _flat(blocks) if block["type"] == VECTOR)
    for table in tables:
        x0, y0, x1, y1 = table.box
        if len(rows := borders(across, (x0, x1), (y0, y1))) >= FEWEST_BORDERS:
            table.ruled_rows = rows
            columns = borders(down, (y0, y1), (x0, x1))
            table.ruled_columns = columns if len(columns) > 2 else table.columns


def _share_out(lines: list[Line], regions: list[Region], groups: list[dict[str, Any]]) -> list[Line]:
    """Gives every line to the region whose node it was for the model, else to the one it lies in; returns the rest."""
    nodes = {tuple(box): region for group, region in zip(groups, regions, strict=True) for box in group["bboxes"]}
    rest: list[Line] = []
    for line in lines:
        region = nodes.get(line.box) or _around(line.box, regions)
        if region:
            region.lines.append(line)
        else:
            rest.append(line)
    return rest


def _around(box: Box, regions: list[Region]) -> Region | None:
    best = max(regions, key=lambda region: inside_share(box, region.box), default=None)
    return best if best and inside_share(box, best.box) >= INSIDE_SHARE else None


def _with_bullets(lines: list[Line]) -> list[Line]:
    """A bullet that is a line of its own joins the line to its right."""
    alone = [line for line in lines if _LONE_BULLET.match(line.text)]
    joined: set[int] = set()
    for bullet in alone:
        right = [line for line in lines if line is not bullet and _follows(bullet, line)]
        if right:
            nearest = min(right, key=lambda line: line.box[0])
            nearest.pieces.insert(0, Piece(f"{bullet.text.strip()} "))
            joined.add(id(bullet))
    return [line for line in lines if id(line) not in joined]


def _follows(bullet: Line, line: Line) -> bool:
    middle = (bullet.box[1] + bullet.box[3]) / 2
    gap = line.box[0] - bullet.box[2]
    return line.box[1] < middle < line.box[3] and -1 < gap < BULLET_GAP * line.size


def _left_over(lines: list[Line]) -> list[Region]:
    """Lines that the model had no region for, one region for each of MuPDF's blocks."""
    blocks: dict[int, list[Line]] = {}
    for line in lines:
        blocks.setdefault(line.block, []).append(line)
    return [Region("text", union([line.box for line in block]), block) for block in blocks.values()]


def _fitted(regions: list[Region]) -> list[Region]:
    """Regions that hold lines, as small as their lines; one that lies within another gives its lines to it."""
    filled = [region for region in regions if region.lines]
    for region in filled:
        own = union([line.box for line in region.lines])
        region.box = union([own, region.box]) if region.kind == "table" else own
    filled.sort(key=lambda region: -(region.box[2] - region.box[0]) * (region.box[3] - region.box[1]))
    kept: list[Region] = []
    for region in filled:
        outer = next((other for other in kept if inside_share(region.box, other.box) > 0.999), None)
        if outer:
            outer.lines.extend(region.lines)
        else:
            kept.append(region)
    return kept


def _flat(blocks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in blocks:
        if block["type"] == 2:
            yield from _flat(block["blocks"])
        else:
            yield block

"""Get the layout model's boxes for a page, with every line of the text layer in exactly one of them.

The model (inside pymupdf) finds regions and their class. Which text belongs to which region is decided here, by the
lines that the model itself was given, so that no text is lost or duplicated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from pdfbatch.documents.layout.columns import with_columns_apart
from pdfbatch.documents.layout.grids import with_grids_as_tables
from pdfbatch.documents.layout.items import is_item
from pdfbatch.documents.layout.margin_notes import notes_beside
from pdfbatch.documents.layout.model import layout_model
from pdfbatch.documents.layout.order import in_reading_order
from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.layout.rulings import FEWEST_BORDERS, Rules, borders, drawn_edges, within
from pdfbatch.documents.pdf.boxes import inside_share, union
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.upright import UprightPage
from pdfbatch.documents.textlayer.annotations import check_boxes_of, links_of
from pdfbatch.documents.textlayer.drawn_boxes import drawn_boxes
from pdfbatch.documents.textlayer.lines import BULLETS, Box, Line, LinePiece, legible_lines_of
from pdfbatch.documents.textlayer.repairs import ASIDE, hidden_boxes, repaired
from pdfbatch.documents.textlayer.soft_hyphens import SOFT_HYPHEN
from pdfbatch.documents.textlayer.spans import blocks_of
from pdfbatch.documents.textlayer.unwrap import PARAGRAPH_GAP

VECTOR = 3
"""The type of MuPDF's blocks for vector graphics."""
INSIDE_SHARE = 0.6
SMALLEST_FIGURE = 20.0
"""Points; smaller pictures are bullets, rules and ornaments."""
PAPER_SHARE = 0.5
"""A picture under text that covers this share of the page is its background."""
BULLET_GAP = 4.0
"""Font sizes: largest distance between a bullet and its text."""
_LONE_BULLET = re.compile(f"^\\s*[{BULLETS}]\\s*$")


def load_model() -> None:
    """Import the layout model and create its sessions; seconds the first time, nothing after."""
    layout_model()


def regions_of(view: UprightPage, more: Sequence[Line] = ()) -> list[Region]:
    """Return all lines of the page, and `more` that its text lacks, in regions, in reading order."""
    model = layout_model()
    text = PageText(view)
    view.text_shown = text.shown
    groups = model.predict(view, return_raw=True)
    blocks, lines, _ = text.of(view.last_textpage)
    regions = [_region(group) for group in groups]
    across, down = drawn_edges(block for block in _flat(blocks) if block["type"] == VECTOR)
    _rule([region for region in regions if region.kind == "table"], across, down)
    rest = _share_out(_with_bullets([*(line for line in lines if line.role not in ASIDE), *more]), regions, groups)
    regions = with_grids_as_tables(regions, across, down)
    filled = _unlisted(with_columns_apart(_fitted(regions + _left_over(rest))), lines)
    filled = _with_notes_apart(filled) + aside_regions(lines)
    figures = _figures(regions, filled, view.rect)
    return _with_words_whole(_with_figures(figures, filled))


class PageText:
    """A page's repaired text, as input for the layout model and as lines."""

    def __init__(self, view: UprightPage) -> None:
        self._view = view
        self._links = links_of(view.page, view.matrix)
        self._boxes = check_boxes_of(view.page, view.matrix)
        self._made: dict[int, _Text] = {}

    def of(self, textpage: pymupdf.TextPage) -> _Text:
        """Return MuPDF's blocks, the repaired lines, and the blocks with running text only."""
        if id(textpage) not in self._made:
            blocks = blocks_of(self._view.seen(textpage), self._links)
            before = legible_lines_of(blocks)
            drawn = drawn_boxes(block for block in _flat(blocks) if block["type"] == VECTOR)
            lines = repaired(before, [*self._boxes, *drawn])
            hidden = hidden_boxes(before, lines)
            self._made[id(textpage)] = _Text(blocks, lines, list(_without(blocks, hidden)) if hidden else blocks)
        return self._made[id(textpage)]

    def shown(self, textpage: pymupdf.TextPage) -> dict[str, Any]:
        """Return what the layout model is to see; the model does not change it."""
        return {"blocks": self.of(textpage).shown}


class _Text(NamedTuple):
    blocks: list[dict[str, Any]]
    lines: list[Line]
    shown: list[dict[str, Any]]


def aside_regions(lines: list[Line]) -> list[Region]:
    """Return regions of the lines that are not running text."""
    regions = [Region("form-field", line.box, [line]) for line in lines if line.role == "form_field"]
    for kind, role in (("line-numbers", "line_number"), ("watermark", "watermark")):
        if found := [line for line in lines if line.role == role]:
            regions.append(Region(kind, union([line.box for line in found]), found))
    return regions + _left_over([line for line in lines if line.role == "vertical"])


def _with_words_whole(regions: list[Region]) -> list[Region]:
    """Join a text that ends in a soft hyphen with the next one."""
    whole: list[Region] = []
    for region in regions:
        if whole and whole[-1].kind == region.kind == "text" and _ends_within_word(whole[-1]):
            lines = whole[-1].lines + region.lines
            whole[-1] = replace(whole[-1], box=union([whole[-1].box, region.box]), lines=lines)
        else:
            whole.append(region)
    return whole


def _ends_within_word(region: Region) -> bool:
    return max(region.lines, key=lambda line: (line.box[3], line.box[2])).text.rstrip().endswith(SOFT_HYPHEN)


def _with_notes_apart(regions: list[Region]) -> list[Region]:
    parted: list[Region] = []
    for region in regions:
        notes = notes_beside(region.lines) if region.kind in ("text", "list-item") else []
        if notes:
            lines = [line for line in region.lines if not any(line in note for note in notes)]
            region = replace(region, lines=lines, box=union([line.box for line in lines]))
        parted += [region, *(Region("text", union([line.box for line in note]), note) for note in notes)]
    return parted


def _unlisted(regions: list[Region], lines: list[Line]) -> list[Region]:
    """Join lines beside line numbers to one text: the model takes them for a list, or splits them there."""
    numbers = [line.box for line in lines if line.role == "line_number"]
    if not numbers:
        return regions
    numbered = {
        line.box for line in lines if not line.role and any(inside_share(box, line.box) > 0.9 for box in numbers)
    }
    listed = [region for region in regions if all(line.box in numbered for line in region.lines)]
    whole = sorted((line for region in listed for line in region.lines), key=lambda line: line.box[1])
    rest = _rejoined([region for region in regions if region not in listed])
    return [*rest, Region("text", union([line.box for line in whole]), whole)] if whole else rest


def _rejoined(regions: list[Region]) -> list[Region]:
    """Join texts with the same left edge, each on the line below the other."""
    joined: list[Region] = []
    for region in sorted(regions, key=lambda region: (region.box[1], region.box[0])):
        is_text = region.kind == "text" or (region.kind == "list-item" and not is_item(region.lines[0].text))
        above = joined[-1] if joined and is_text else None
        if above and above.kind == "text" and _goes_on(above, region):
            joined[-1] = Region("text", union([above.box, region.box]), above.lines + region.lines)
        else:
            joined.append(replace(region, kind="text") if is_text else region)
    return joined


def _goes_on(above: Region, below: Region) -> bool:
    first, last = below.lines[0], above.lines[-1]
    near = below.box[1] - above.box[3] < PARAGRAPH_GAP * (first.box[3] - first.box[1])
    return near and abs(below.box[0] - above.box[0]) < first.size and first.size == last.size


def _without(blocks: list[dict[str, Any]], hidden: frozenset[Box]) -> Iterator[dict[str, Any]]:
    for block in blocks:
        if block["type"] == 2:
            yield {**block, "blocks": list(_without(block["blocks"], hidden))}
        elif block["type"] == 0:
            if lines := [line for line in block["lines"] if tuple(line["bbox"]) not in hidden]:
                yield {**block, "lines": lines}
        else:
            yield block


def _with_figures(figures: list[Region], filled: list[Region]) -> list[Region]:
    """Return all regions in reading order; a figure with text on it comes before the first of that text."""
    under = {
        id(one): [region for region in filled if inside_share(region.box, one.box) > INSIDE_SHARE] for one in figures
    }
    ordered = in_reading_order(filled + [one for one in figures if not under[id(one)]])
    for figure in figures:
        if over := set(map(id, under[id(figure)])):
            first = next((place for place, region in enumerate(ordered) if id(region) in over), len(ordered))
            ordered.insert(first, figure)
    return ordered


def _figures(regions: list[Region], filled: list[Region], page: pymupdf.Rect) -> list[Region]:
    """Return pictures without text of their own, except specks and page backgrounds."""
    known = set(map(id, filled))
    found: list[Region] = []
    for region in regions:
        if region.kind != "picture" or id(region) in known or min(_sides(region.box)) < SMALLEST_FIGURE:
            continue
        is_paper = inside_share(tuple(page), region.box) > PAPER_SHARE and any(
            inside_share(other.box, region.box) > INSIDE_SHARE for other in filled
        )
        if not is_paper and not any(inside_share(region.box, other.box) > INSIDE_SHARE for other in filled + found):
            found.append(region)
    return found


def _sides(box: Box) -> tuple[float, float]:
    return box[2] - box[0], box[3] - box[1]


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


def _rule(tables: list[Region], across: Rules, down: Rules) -> None:
    """Set tables' borders that are drawn on the page."""
    for table in tables:
        x0, y0, x1, y1 = table.box
        table.across, table.down = within(across, down, table.box)
        if len(rows := borders(across, (x0, x1), (y0, y1))) >= FEWEST_BORDERS:
            table.ruled_rows = rows
            columns = borders(down, (y0, y1), (x0, x1))
            table.ruled_columns = columns if len(columns) > 2 else table.columns


def _share_out(lines: list[Line], regions: list[Region], groups: list[dict[str, Any]]) -> list[Line]:
    """Assign every line to the region whose node it was for the model, otherwise to the one that it lies in; return the
    rest."""
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
    """Join a bullet that is a line of its own to the line on its right."""
    alone = [line for line in lines if _LONE_BULLET.match(line.text)]
    joined: set[int] = set()
    for bullet in alone:
        right = [line for line in lines if line is not bullet and _follows(bullet, line)]
        if right:
            nearest = min(right, key=lambda line: line.box[0])
            nearest.pieces.insert(0, LinePiece(f"{bullet.text.strip()} "))
            joined.add(id(bullet))
    return [line for line in lines if id(line) not in joined]


def _follows(bullet: Line, line: Line) -> bool:
    middle = (bullet.box[1] + bullet.box[3]) / 2
    gap = line.box[0] - bullet.box[2]
    return line.box[1] < middle < line.box[3] and -1 < gap < BULLET_GAP * line.size


def _left_over(lines: list[Line]) -> list[Region]:
    """Put lines for which the model had no region into one region for each of MuPDF's blocks."""
    blocks: dict[int, list[Line]] = {}
    for line in lines:
        blocks.setdefault(line.block, []).append(line)
    return [Region("text", union([line.box for line in block]), block) for block in blocks.values()]


def _fitted(regions: list[Region]) -> list[Region]:
    """Shrink regions to their lines; a region within another gives its lines to it."""
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

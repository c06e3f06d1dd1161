"""The Dolphin engine's tasks for child processes: draw a page, and cut it up.

The page's picture is passed between the two tasks, which may run in different processes, as a file of raw bytes: it is
12 MB for A4 at 200 dpi, while the model needs little of it. Heavy imports happen only in the children, and those never
import the model's libraries.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines.dolphin.elements import DROPPED
from pdfbatch.engines.dolphin.layer_text import text_under
from pdfbatch.engines.dolphin.layout import TEXT_PROMPT, Box, Layout, LayoutElement, parse, prompt_for, regions
from pdfbatch.engines.refine import Wanted, wanted
from pdfbatch.records import PageResult, ReadOptions, Reason

if TYPE_CHECKING:
    from pdfbatch.documents.picture import Drawn, PrintedLine
    from pdfbatch.engines.dolphin.images import Pixels

MOST_PIECES = 2000
MOST_BYTES = 100_000_000
"""Bytes of crops sent between processes at once; a page with many elements is cut up in several parts."""
MARGIN = 2.0
"""Points added around an element of the text layer, whose box may cut off parts of its glyphs."""
POINTS_PER_INCH = 72
UNDRAWN = 2
"""From this attempt on a page with a text layer is no longer drawn."""
NOT_READ = "not_read"
"""The flag of elements that the model does not read because they would be dropped."""
TINY = 3
"""Crops with a side of at most this many pixels are not read."""


class Prepared(NamedTuple):
    """A drawn page. `file` holds its pixels, RGB, row by row; `layout` is its picture for the layout prompt, not yet
    padded; `turned` is how far it was turned clockwise to be upright, in degrees, and `rotation` includes its
    /Rotate; `lines` are those of the text layer; `first` is what the page was read as without the model, if it was
    tried."""

    file: str
    width: int
    height: int
    dpi: float
    layout: Pixels
    turned: int = 0
    rotation: int = 0
    lines: tuple[PrintedLine, ...] = ()
    first: PageRead | None = None


class Refine(NamedTuple):
    """A page read from its text layer, and the pictures of the elements the model is to read, one for each of `wanted`,
    not yet padded."""

    read: PageRead
    wanted: list[Wanted]
    images: list[Pixels]


class Crop(NamedTuple):
    """One element's crop. `image` is for the model, with `prompt`, not yet padded; figures have a `png` instead. `flag`
    says why there is neither: `blank`, `tiny` or `NOT_READ`. `draft`: the text layer under a
    text."""

    region: LayoutElement
    prompt: str | None
    image: Pixels | None
    png: bytes | None
    flag: str
    draft: str = ""


class Cut(NamedTuple):
    """Some or all of a page's elements in reading order; `left` remain to be cut. `flags`: `no_layout` (the layout
    could not be parsed, so the page is one element), `too_many_elements` (the last ones are missing), `turned` (see
    `Prepared.turned`)."""

    pieces: list[Crop]
    flags: list[str]
    left: int = 0


def prepare_page(
    path: str, number: int, options: ReadOptions, side: int, file: str, text_layer: bool, attempt: int = 0
) -> PageRead | Refine | Prepared:
    """Draws page `number` (from 1) of the PDF at `path` into `file`, which `cut_page` deletes.

    A `PageRead` is final: the page is blank, could not be drawn, or (with `text_layer`) was read without the model.
    `Refine` is the last case with some elements left for the model. `side` is the side of the model's pictures in
    pixels; `attempt` is the order's.
    """
    from pdfbatch.documents.blank_picture import is_blank
    from pdfbatch.documents.picture import draw_page, draw_page_to_side

    first = _by_layer(path, number, options, attempt) if text_layer else None
    read = None if first is None or _is_for_model(first.page) else first
    asked = wanted(read.page.elements) if read and read.page.read_by != "ocr" and attempt < UNDRAWN else []
    if read and not asked:
        return read
    if options.as_published:
        drawn = draw_page_to_side(path, number, side)
    else:
        drawn = draw_page(path, number, options.dpi, side)
    if read:
        return _refine(read, asked, drawn, side, options)
    if isinstance(drawn, PageResult) or is_blank(drawn.pixels):
        if first and first.page.reason is None:
            return first
        return PageRead(drawn if isinstance(drawn, PageResult) else PageResult(number=number, read_by="blank"))
    layout = _fitted(drawn.pixels, side, options)
    height, width = drawn.pixels.shape[:2]
    picture = _written(drawn.pixels, file)
    return Prepared(picture, width, height, drawn.dpi, layout, drawn.turned, drawn.rotation, drawn.lines, first)


def cut_page(prepared: Prepared, layout_text: str, options: ReadOptions, side: int, first: int = 0) -> Cut:
    """Cuts up a prepared page by the model's `layout_text`, from element `first` (from 0) on. The page's file is
    deleted with the last part, or on an error."""
    from pdfbatch.engines.dolphin.images import opened

    left = 0
    try:
        page = opened(prepared.file, prepared.width, prepared.height)
        layout = parse(layout_text)
        found = _cut_as_published(layout, page) if options.as_published else _cut(layout, page)
        flags = ["turned"] if prepared.turned else []
        if not found:
            whole = LayoutElement("para", Box(0, 0, prepared.width, prepared.height), 1)
            return Cut([_with_draft(_piece(whole, TEXT_PROMPT, page, options, side), prepared)], [*flags, "no_layout"])
        if len(found) > MOST_PIECES:
            flags.append("too_many_elements")
        asked = found[first:MOST_PIECES]
        found_pieces = (_piece(r, prompt_for(r.label, layout.grammar), c, options, side) for r, c in asked)
        pieces = list(_bounded(_with_draft(piece, prepared) for piece in found_pieces))
        left = len(asked) - len(pieces)
        return Cut(pieces, flags, left)
    finally:
        if not left:
            Path(prepared.file).unlink(missing_ok=True)


def _refine(
    read: PageRead, asked: list[Wanted], drawn: Drawn | PageResult, side: int, options: ReadOptions
) -> PageRead | Refine:
    """Crops the elements the model is to read; returns the page as it is if it cannot be drawn like its text."""
    from pdfbatch.engines.dolphin.images import crop

    if isinstance(drawn, PageResult) or drawn.rotation != read.page.rotation:
        return read
    boxes = [Box(*drawn.edges_of(read.page.elements[each.place].box, MARGIN)) for each in asked]
    large = [
        (each, box) for each, box in zip(asked, boxes, strict=True) if min(box.x1 - box.x0, box.y1 - box.y0) > TINY
    ]
    images = [_fitted(crop(drawn.pixels, box), side, options) for _, box in large]
    return Refine(read, [each for each, _ in large], images) if large else read


def _by_layer(path: str, number: int, options: ReadOptions, attempt: int) -> PageRead:
    """Reads the page from its text layer, or by OCR where triage finds that enough."""
    from pdfbatch.documents.reading import read_page
    from pdfbatch.documents.sorting import Sorting

    return read_page(path, number, Sorting(ocr=False, triage=options.triage, policy="auto"), attempt)


def _is_for_model(page: PageResult) -> bool:
    return page.reason is Reason.NEEDS_OCR or (page.triage is not None and page.triage.to_model)


def _written(pixels: Pixels, file: str) -> str:
    """Writes the pixels; a partial file is deleted on an error. If this process is killed, the caller deletes it."""
    try:
        Path(file).write_bytes(pixels.data)
    except BaseException:
        Path(file).unlink(missing_ok=True)
        raise
    return file


def _cut(layout: Layout, page: Pixels) -> list[tuple[LayoutElement, Pixels]]:
    """The elements, each with its crop of the page's picture."""
    from pdfbatch.engines.dolphin.images import crop, edge_widener

    height, width = page.shape[:2]
    widen = edge_widener(page) if layout.grammar == "1.0" else None
    found = regions(layout, width, height, as_published=False, widen=widen)
    return [(region, crop(page, region.box)) for region in found]


def _cut_as_published(layout: Layout, page: Pixels) -> list[tuple[LayoutElement, Pixels]]:
    """As `_cut`, from the page in its black square: crops may include black, but the returned boxes are on the page."""
    from pdfbatch.engines.dolphin.images import crop, edge_widener, squared

    square, left, top = squared(page)
    widen = edge_widener(square) if layout.grammar == "1.0" else None
    found = regions(layout, len(square), len(square), as_published=True, widen=widen)
    height, width = page.shape[:2]
    return [(r._replace(box=_moved(r.box, left, top, width, height)), crop(square, r.box)) for r in found]


def _moved(box: Box, left: int, top: int, width: int, height: int) -> Box:
    x0, y0 = min(max(0, box.x0 - left), width - 1), min(max(0, box.y0 - top), height - 1)
    return Box(x0, y0, max(x0 + 1, min(width, box.x1 - left)), max(y0 + 1, min(height, box.y1 - top)))


def _piece(region: LayoutElement, prompt: str | None, part: Pixels, options: ReadOptions, side: int) -> Crop:
    from pdfbatch.documents.blank_picture import is_blank
    from pdfbatch.engines.dolphin.images import png

    if min(part.shape[:2]) <= TINY:
        return Crop(region, prompt, None, None, "tiny")
    if is_blank(part):
        return Crop(region, prompt, None, None, "blank")
    if region.label in DROPPED and not (options.keep_headers or options.as_published):
        return Crop(region, prompt, None, None, NOT_READ)
    if prompt is None:
        return Crop(region, None, None, png(part), "")
    return Crop(region, prompt, _fitted(part, side, options), None, "")


def _with_draft(piece: Crop, prepared: Prepared) -> Crop:
    if piece.prompt != TEXT_PROMPT:
        return piece
    return piece._replace(draft=text_under(prepared.lines, piece.region.box))


def _fitted(pixels: Pixels, side: int, options: ReadOptions) -> Pixels:
    from pdfbatch.engines.dolphin.images import fit, two_pass

    return two_pass(pixels, side) if options.as_published else fit(pixels, side)


def _bounded(pieces: Iterator[Crop]) -> Iterator[Crop]:
    """The first crops that may be sent at once; at least one."""
    held = 0
    for piece in pieces:
        held += (piece.image.nbytes if piece.image is not None else 0) + len(piece.png or b"")
        yield piece
        if held > MOST_BYTES:
            return

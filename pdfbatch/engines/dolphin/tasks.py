"""What the Dolphin engine asks of child processes: to draw a page, and to cut it up.

The page's picture goes from one task to the other, which may run in another process, as a file of plain bytes: it is
12 MB for A4 at 200 dpi, while what the model needs of it is small. Nothing heavy is imported but in the children, and
there nothing of the model's libraries.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pdfbatch.documents.page_read import PageRead
from pdfbatch.engines.dolphin.layout import TEXT_PROMPT, Box, Layout, LayoutElement, parse, prompt_for, regions
from pdfbatch.engines.dolphin.refine import Wanted, wanted
from pdfbatch.records import Box as PointBox
from pdfbatch.records import PageResult, ReadOptions, Reason

if TYPE_CHECKING:
    from pdfbatch.documents.picture import Drawn
    from pdfbatch.engines.dolphin.images import Pixels

MOST_PIECES = 2000
MOST_BYTES = 100_000_000
"""Of the pieces that go from process to process at once; a page of many elements is cut up in several parts."""
MARGIN = 2.0
"""Points around an element of the text layer, whose box may cut off what stands out from its letters."""
POINTS_PER_INCH = 72
UNDRAWN = 2
"""The attempt from which on a page with a text layer is not drawn."""
TINY = 3
"""Pixels of a side up to which there is nothing to read."""


class Prepared(NamedTuple):
    """A page that was drawn. `file` holds its pixels, RGB, row by row; `layout` is its picture for the layout prompt,
    not yet padded; `turned` is how far it was turned clockwise to stand upright, degrees, and `rotation` the same with
    its /Rotate."""

    file: str
    width: int
    height: int
    dpi: float
    layout: Pixels
    turned: int = 0
    rotation: int = 0


class Refine(NamedTuple):
    """A page that its text layer gave, and the pictures of what the model is to read of it, one for each of `wanted`,
    not yet padded."""

    read: PageRead
    wanted: list[Wanted]
    images: list[Pixels]


class Crop(NamedTuple):
    """One element. `image` is for the model, not yet padded, with `prompt`; figures have a `png` instead. `flag` says
    why there is neither: `blank` or `tiny`."""

    region: LayoutElement
    prompt: str | None
    image: Pixels | None
    png: bytes | None
    flag: str


class Cut(NamedTuple):
    """A page's elements in reading order, or a part of them; `left` are still to be cut. `flags`: `no_layout` (nothing
    was understood of the layout, so the page is one element), `too_many_elements` (the last ones are missing), `turned`
    (as `Prepared.turned`)."""

    pieces: list[Crop]
    flags: list[str]
    left: int = 0


def prepare_page(
    path: str, number: int, options: ReadOptions, side: int, file: str, text_layer: bool, attempt: int = 0
) -> PageRead | Refine | Prepared:
    """Draws page `number` (from 1) of the PDF at `path` into `file`, which `cut_page` deletes.

    A page instead is final: it is blank, or could not be drawn, or, with `text_layer`, its text layer was healthy and
    is what was read, perhaps but for some elements (`Refine`). `side` is that of the model's pictures, pixels;
    `attempt` that of the order.
    """
    from pdfbatch.documents.picture import draw_page, draw_page_to_side
    from pdfbatch.engines.dolphin.images import is_blank

    read = _by_layer(path, number, attempt) if text_layer else None
    asked = wanted(read.page.elements) if read and attempt < UNDRAWN else []
    if read and not asked:
        return read
    if options.as_published:
        drawn = draw_page_to_side(path, number, side)
    else:
        drawn = draw_page(path, number, options.dpi, side)
    if read:
        return _refine(read, asked, drawn, side, options)
    if isinstance(drawn, PageResult):
        return PageRead(drawn)
    if is_blank(drawn.pixels):
        return PageRead(PageResult(number=number, read_by="blank"))
    layout = _fitted(drawn.pixels, side, options)
    height, width = drawn.pixels.shape[:2]
    return Prepared(_written(drawn.pixels, file), width, height, drawn.dpi, layout, drawn.turned, drawn.rotation)


def cut_page(prepared: Prepared, layout_text: str, options: ReadOptions, side: int, first: int = 0) -> Cut:
    """Cuts a prepared page up as the model's `layout_text` says, from the element number `first` (from 0) on. The
    page's file is deleted with the last part, and when that fails."""
    from pdfbatch.engines.dolphin.images import opened

    left = 0
    try:
        page = opened(prepared.file, prepared.width, prepared.height)
        layout = parse(layout_text)
        found = _cut_as_published(layout, page) if options.as_published else _cut(layout, page)
        flags = ["turned"] if prepared.turned else []
        if not found:
            whole = LayoutElement("para", Box(0, 0, prepared.width, prepared.height), 1)
            return Cut([_piece(whole, TEXT_PROMPT, page, options, side)], [*flags, "no_layout"])
        if len(found) > MOST_PIECES:
            flags.append("too_many_elements")
        asked = found[first:MOST_PIECES]
        pieces = list(_bounded(_piece(r, prompt_for(r.label, layout.grammar), c, options, side) for r, c in asked))
        left = len(asked) - len(pieces)
        return Cut(pieces, flags, left)
    finally:
        if not left:
            Path(prepared.file).unlink(missing_ok=True)


def _refine(
    read: PageRead, asked: list[Wanted], drawn: Drawn | PageResult, side: int, options: ReadOptions
) -> PageRead | Refine:
    """The page as it is, where it cannot be drawn as its text lies."""
    from pdfbatch.engines.dolphin.images import crop

    if isinstance(drawn, PageResult) or drawn.rotation != read.page.rotation:
        return read
    boxes = [_pixels(read.page.elements[each.place].box, drawn) for each in asked]
    large = [
        (each, box) for each, box in zip(asked, boxes, strict=True) if min(box.x1 - box.x0, box.y1 - box.y0) > TINY
    ]
    images = [_fitted(crop(drawn.pixels, box), side, options) for _, box in large]
    return Refine(read, [each for each, _ in large], images) if large else read


def _pixels(box: PointBox, drawn: Drawn) -> Box:
    """A box in points, with a margin, in pixels of the drawn page."""
    height, width = drawn.pixels.shape[:2]
    x0, y0 = (int((place - MARGIN) * drawn.dpi / POINTS_PER_INCH) for place in box[:2])
    x1, y1 = (int((place + MARGIN) * drawn.dpi / POINTS_PER_INCH) + 1 for place in box[2:])
    return Box(max(0, x0), max(0, y0), min(width, x1), min(height, y1))


def _by_layer(path: str, number: int, attempt: int) -> PageRead | None:
    """None where the page's picture must be read."""
    from pdfbatch.documents.reading import read_page

    read = read_page(path, number, ocr=False, attempt=attempt)
    return None if read.page.reason is Reason.NEEDS_OCR else read


def _written(pixels: Pixels, file: str) -> str:
    """Half a file is nobody's: it is deleted. One whose writer is killed is left to whoever named it."""
    try:
        Path(file).write_bytes(pixels.data)
    except BaseException:
        Path(file).unlink(missing_ok=True)
        raise
    return file


def _cut(layout: Layout, page: Pixels) -> list[tuple[LayoutElement, Pixels]]:
    """The elements, each with its part of the page's picture."""
    from pdfbatch.engines.dolphin.images import crop, edge_widener

    height, width = page.shape[:2]
    widen = edge_widener(page) if layout.grammar == "1.0" else None
    found = regions(layout, width, height, as_published=False, widen=widen)
    return [(region, crop(page, region.box)) for region in found]


def _cut_as_published(layout: Layout, page: Pixels) -> list[tuple[LayoutElement, Pixels]]:
    """The same of the page in its black square: boxes may reach into the black, their regions are of the page again."""
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
    from pdfbatch.engines.dolphin.images import is_blank, png

    if min(part.shape[:2]) <= TINY:
        return Crop(region, prompt, None, None, "tiny")
    if is_blank(part):
        return Crop(region, prompt, None, None, "blank")
    if prompt is None:
        return Crop(region, None, None, png(part), "")
    return Crop(region, prompt, _fitted(part, side, options), None, "")


def _fitted(pixels: Pixels, side: int, options: ReadOptions) -> Pixels:
    from pdfbatch.engines.dolphin.images import fit, two_pass

    return two_pass(pixels, side) if options.as_published else fit(pixels, side)


def _bounded(pieces: Iterator[Crop]) -> Iterator[Crop]:
    """As many from the first on as may go at once, one at least."""
    held = 0
    for piece in pieces:
        held += (piece.image.nbytes if piece.image is not None else 0) + len(piece.png or b"")
        yield piece
        if held > MOST_BYTES:
            return

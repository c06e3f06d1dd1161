"""Sample lines: from the text layer of generated pages, and built by hand."""

import pymupdf

from pdfbatch.documents.layout.regions import VECTOR, load_model
from pdfbatch.documents.pdf.upright import UPRIGHT
from pdfbatch.documents.textlayer.annotations import check_boxes_of, links_of
from pdfbatch.documents.textlayer.drawn_boxes import drawn_boxes
from pdfbatch.documents.textlayer.lines import RAW_FLAGS, Line, LinePiece, legible_lines_of
from pdfbatch.documents.textlayer.repairs import repaired
from pdfbatch.documents.textlayer.spans import blocks_of

MODEL_FLAGS = RAW_FLAGS | pymupdf.TEXT_COLLECT_STYLES | pymupdf.TEXT_COLLECT_VECTORS | pymupdf.TEXT_ACCURATE_BBOXES
"""The flags of the layout model's text page, which include styles and drawn rules."""

SENTENCES = [
    "The harbour master records the tide twice a day in a book with a green",
    "cover. In winter the book is kept in the office, in summer it lies on the",
    "pier in a tin box. Every captain may look into it, and most of them do so",
    "before they cast off. The oldest book is from the year of the great storm",
]


def lines_on(page: pymupdf.Page, flags: int = MODEL_FLAGS) -> list[Line]:
    load_model()  # changes how glyphs are measured
    document = pymupdf.open("pdf", page.parent.tobytes())
    page = document[page.number]
    blocks = blocks_of(page.get_textpage(flags=flags), links_of(page, pymupdf.Identity))
    drawn = drawn_boxes(block for block in blocks if block["type"] == VECTOR)
    return repaired(legible_lines_of(blocks), [*check_boxes_of(page, pymupdf.Identity), *drawn])


def line(text: str, left: float, bottom: float, size: float = 10, width: float | None = None, **more: object) -> Line:
    """Return a horizontal line of letters half as wide as high."""
    width = 0.5 * size * len(text) if width is None else width
    box = (left, bottom - size, left + width, bottom)
    return Line(box=box, pose=UPRIGHT, size=size, pieces=[LinePiece(text)], base=bottom, **more)  # type: ignore[arg-type]


def texts(lines: list[Line], role: str = "") -> list[str]:
    return [one.text.strip() for one in lines if one.role == role]

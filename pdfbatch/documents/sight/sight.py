"""Compare a page's text layer with its picture: remove what is not visible, add what is visible but missing.

The entry to this package: `look_for_hidden` and `complete` find what to change, and `Sight` changes the text of the
page in whatever space it is viewed (the layout model sees pages turned upright).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from itertools import groupby

from pdfbatch.documents.pdf.boxes import inside_share, union
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.raster import refuse_giant_pictures
from pdfbatch.documents.pdf.upright import Pose, pose_from, pose_of
from pdfbatch.documents.sight.fonts import FontBook, book_of
from pdfbatch.documents.sight.hidden import (
    Concealed,
    SeenText,
    concealed_in,
    concealed_under,
    ink_of,
    lines_of_concealed,
)
from pdfbatch.documents.sight.ink_without_text import InkText, lines_without_layer
from pdfbatch.documents.sight.left_out import left_out_of
from pdfbatch.documents.sight.letters import bare, likeness
from pdfbatch.documents.sight.look import Look, Span, area_of, inked, look_at
from pdfbatch.documents.sight.overwritten import overwritten_in
from pdfbatch.documents.sight.score import mean_over_letters, page_score
from pdfbatch.documents.textlayer.lines import Line, LinePiece, lines_of
from pdfbatch.documents.textlayer.spans import blocks_of

MISREAD = "font_misread"
"""Reason and flag of text in a font with a wrong character map."""
UNREAD = "ink_unread"
"""Flag of a page with ink that may be text, if no OCR is installed."""
WHOLE = 0.9
"""Share of a span that counts as all of it."""
SAME_TEXT = 0.4
"""Likeness from which the picture counts as showing a hidden text: an old OCR makes many errors."""
CONTRADICTED = 0.9
"""Confidence with which the recogniser must contradict a layer that lies on an image to discard it."""
NEAR = 1.0
"""Font sizes by which an old OCR may have misplaced a line."""
ALREADY_THERE = 0.75
"""A line is already in the layer if this share of its letters stands near it."""
OUTWEIGHED = 4.0
"""If the picture shows this many times the layer's letters in addition, it is the page's text and the layer is only a
stamp."""
FEWEST_FOUND = 100
"""A page with fewer letters is no picture of text."""


@dataclass
class Sight:
    """The result of looking at a page. All boxes are in the page's unrotated space, in points."""

    lines: list[Line] = field(default_factory=list)
    """The layer's visible and correct lines, then those read from the picture."""
    read: list[tuple[Line, float]] = field(default_factory=list)
    """Lines read from the picture, each with the recogniser's confidence, 0 to 1."""
    removed: list[Concealed] = field(default_factory=list)
    """Words of the layer that are not visible, or look different."""
    left_out: list[Line] = field(default_factory=list)
    """Text of the file that is missing from the layer, because it is in a hidden layer or off the page."""
    agreement: float = 1.0
    """The fonts' agreement: the mean over the layer's letters, 0 to 1."""
    explained: float = 1.0
    """Share of the page's text-like ink covered by the lines, 0 to 1."""
    is_stamped_picture: bool = False
    """Whether nearly all of the page's text is in its picture, so that the page should be read like a scan."""
    flags: list[str] = field(default_factory=list)
    look: Look | None = None
    reader: _Reader | None = None

    @property
    def concealed(self) -> list[Line]:
        """Lines that no viewer shows, each with its reason."""
        return lines_of_concealed(one for one in self.removed if one.reason != MISREAD) + self.left_out

    @property
    def confidence(self) -> float:
        """The recogniser's confidence over all letters of the page; the layer's count as certain."""
        sure = {id(line): sure for line, sure in self.read}
        return mean_over_letters(
            (len(line.text), sure.get(id(line), 1.0 if line.sure is None else line.sure)) for line in self.lines
        )

    def score(self, words_kept: float) -> float:
        """Return how far the page can be trusted, 0 to 1; `words_kept`: share of the lines' words in its Markdown."""
        return page_score(self.explained, self.agreement, self.confidence, words_kept)

    def seen(self, textpage: pymupdf.TextPage, matrix: pymupdf.Matrix) -> SeenText:
        """Return the text page without what was removed; `matrix` maps unrotated space to the text page's space."""
        return SeenText(textpage, self.removed, matrix)

    def lines_read(self, matrix: pymupdf.Matrix, turn: int) -> list[Line]:
        """Return the lines read from the picture, in the space that `matrix` maps to, which is turned by `turn` degrees
        clockwise."""
        scale = abs(matrix.a) + abs(matrix.b)
        return [
            replace(
                line,
                box=tuple(pymupdf.Rect(line.box) * matrix),
                pose=Pose((line.pose.turn - turn) % 360),
                size=line.size * scale,
                sure=sure,
            )
            for line, sure in self.read
        ]


def look_for_hidden(
    page: pymupdf.Page, textpage: pymupdf.TextPage, ocr: bool = True, layer: list[Line] | None = None
) -> Sight:
    """Remove what the page does not show from its text. `textpage`: the text in unrotated space; `layer`: its lines, if
    known. Without `ocr` the picture is not read, and unpainted text with ink in its place counts as visible.

    Raises:
        TooLarge: an image cannot be decoded.
    """
    refuse_giant_pictures(page)
    look = look_at(page, textpage)
    reader = _Reader(page) if ocr and _can_read() else None
    removed = concealed_in(page, look, reader.vouch if reader else None)
    read: list[tuple[Line, float]] = []
    if reader:
        under, over = overwritten_in(page, look._replace(spans=_without(look.spans, removed, WHOLE)), reader.read)
        # For text with styles, MuPDF drops a letter that lies on the same letter; this has the upper one.
        removed += concealed_under(under) + [one._replace(reason=MISREAD) for one in concealed_under(over)]
        read = [(_line_of(span), 1.0) for span in over]
    kept = layer if layer is not None and not removed else _lines(textpage, removed)
    lines = kept + [line for line, _ in read]
    return Sight(lines, read, removed, left_out_of(page, look), look=look, reader=reader)


def complete(page: pymupdf.Page, sight: Sight, painted: bool = True) -> Sight:
    """Add to the result of `look_for_hidden` the lines in misread fonts and the lines missing from the layer, read from
    the picture. For a page with a healthy layer. `painted`: the layer is what the page shows; in a layer left by an OCR
    the fonts mean nothing."""
    assert sight.look
    reader = sight.reader
    seen = _without(sight.look.spans, sight.removed)
    book = _checked(page, seen, reader) if reader and painted else FontBook()
    names = book.misread()
    misread = [span for span in seen if span["font"] in names]
    removed = sight.removed + _read_again(reader, misread)
    layer = _lines(sight.look.textpage, removed) if misread else sight.lines[: len(sight.lines) - len(sight.read)]
    known = [line.box for line in [*layer, *(line for line, _ in sight.read)]] + [span["bbox"] for span in misread]
    known += [inked(span) for span in seen if span["wmode"] == 1]
    turn = pose_of((line.pose, len(line.text)) for line in layer).turn if layer else page.rotation
    found = lines_without_layer(page, sight.look, known, turn)
    if not painted:
        found = found._replace(lines=[pair for pair in found.lines if not _stands_near(pair[0], layer)])
    read = sight.read + found.lines
    lines = layer + [line for line, _ in read]
    agreements = {name: font.agreement for name, font in book.fonts.items() if name not in names}
    agreement = mean_over_letters(
        (len(span["text"]), agreements[span["font"]]) for span in seen if span["font"] in agreements
    )
    return replace(
        sight,
        lines=lines,
        read=read,
        removed=removed,
        agreement=agreement,
        explained=_explained(lines, found),
        is_stamped_picture=painted and _outweighs(found, _letters_of(seen)),
        flags=[MISREAD] * bool(misread) + [UNREAD] * bool(found.unread),
    )


def _stands_near(line: Line, layer: Sequence[Line]) -> bool:
    """Check whether the layer has the line's words near the place where the picture shows them."""
    x0, y0, x1, y1 = line.box
    room = NEAR * line.size
    around = (x0 - room, y0 - room, x1 + room, y1 + room)
    there = bare(" ".join(other.text for other in layer if inside_share(other.box, around) > 0))
    blocks = SequenceMatcher(None, bare(line.text), there, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) >= ALREADY_THERE * len(bare(line.text))


def _lines(textpage: pymupdf.TextPage, removed: list[Concealed]) -> list[Line]:
    return lines_of(blocks_of(SeenText(textpage, removed, pymupdf.Identity)))


def _letters_of(spans: Iterable[Span]) -> int:
    """Count the visible letters of the layer, right or wrong."""
    return sum(len(span["text"].replace(" ", "")) for span in spans)


def _outweighs(found: InkText, letters: int) -> bool:
    painted = sum(len(line.text.replace(" ", "")) for line, _ in found.lines) + found.doubted
    return painted >= max(FEWEST_FOUND, OUTWEIGHED * letters)


def _explained(lines: list[Line], found: InkText) -> float:
    """Return the share of the ink covered by the lines: by letters where the rest was read, by area where it was
    not."""
    letters = sum(len(line.text) for line in lines)
    by_letters = letters / (letters + found.doubted) if found.doubted else 1.0
    area, rest = sum(area_of(line.box) for line in lines), sum(map(area_of, found.unread))
    return by_letters * (area / (area + rest) if rest else 1.0)


def _can_read() -> bool:
    from pdfbatch.documents.ocr.scan import available

    return available()


def _checked(page: pymupdf.Page, seen: list[Span], reader: _Reader) -> FontBook:
    document = page.parent
    book = book_of(f"{document.name}#{id(document)}", document.xref_length())
    book.check(seen, reader.read)
    return book


def _without(spans: Iterable[Span], removed: list[Concealed], share: float = 0.0) -> list[Span]:
    """Return the spans of which nothing was removed, or nothing as large as `share` of them."""
    return [span for span in spans if not any(_holds(one, span, share) and one.is_of(span) for one in removed)]


def _holds(one: Concealed, span: Span, share: float) -> bool:
    return inside_share(one.box, span["bbox"]) > 0.5 and inside_share(span["bbox"], one.box) >= share


def _read_again(reader: _Reader | None, spans: list[Span]) -> list[Concealed]:
    """Return the spans with their text as read from the picture. Neighbours on one line are joined, in place of the
    first."""
    removed: list[Concealed] = []
    for _, group in groupby(spans if reader else [], key=lambda span: span["line"]):
        run = list(group)
        whole = run[0] | {"bbox": union([span["bbox"] for span in run])}
        assert reader
        text, sure = reader.read(whole)
        instead = replace(_line_of(whole, text), sure=sure) if text.strip() else None
        removed += [
            Concealed(span["bbox"], span["text"], MISREAD, ink_of(span), instead if span is run[0] else None)
            for span in run
        ]
    return removed


def _line_of(span: Span, text: str | None = None) -> Line:
    """Return the line of a span, with another text if one is given."""
    pose = pose_from(span["dir"], span["bbox"], span["origin"])
    pieces = [LinePiece(span["text"] if text is None else text)]
    return Line(tuple(span["bbox"]), pose, span["size"], pieces, block=span["block"])


class _Reader:
    """Reads spans from the picture of a page."""

    def __init__(self, page: pymupdf.Page) -> None:
        self._page = page

    def read(self, span: Span) -> tuple[str, float]:
        from pdfbatch.documents.sight.recognise import read_line

        return read_line(self._page, span["bbox"], pose_from(span["dir"], span["bbox"], span["origin"]))

    def vouch(self, span: Span) -> bool:
        """Check whether the picture shows the span's text, or at least no other text."""
        text, sure = self.read(span)
        return sure < CONTRADICTED or likeness(text, span["text"]) >= SAME_TEXT

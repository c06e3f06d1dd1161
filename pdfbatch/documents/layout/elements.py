"""Convert the regions of a page to elements of the page model. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from pdfbatch.documents.layout.field_rows import with_field_rows
from pdfbatch.documents.layout.flags import IN_FIGURE, MATH, UNSETTLED
from pdfbatch.documents.layout.inline import plain_spans, spans_of
from pdfbatch.documents.layout.items import are_references, items_of, without_marker
from pdfbatch.documents.layout.listings import with_listings_whole
from pdfbatch.documents.layout.nesting import nested
from pdfbatch.documents.layout.region import Region
from pdfbatch.documents.layout.tables import cells_of, is_settled
from pdfbatch.documents.pdf.boxes import union
from pdfbatch.documents.textlayer.lines import BULLETS, Line
from pdfbatch.documents.textlayer.listing import is_mono, listing_text
from pdfbatch.documents.textlayer.unwrap import Hyphens, Row, joined_rows, paragraphs_of, rows_of
from pdfbatch.records import Element, Label, Span, plain_text

MATH_SHARE = 0.15
"""Share of a paragraph's letters in math fonts, from which its text is flagged as unreliable."""
CODE_ROWS = 3
"""At least this many monospaced rows within other text are code; fewer may be an address that was too long for a
row."""
_LABEL_WORDS = 4
"""Labels of a picture with fewer words are joined into one element."""
_SURE_BULLET = re.compile(f"^\\s*[{BULLETS}](?:\\s+|$)")
_LABELS = {
    "caption": Label.CAPTION,
    "footnote": Label.FOOTNOTE,
    "formula": Label.FORMULA,
    "line-numbers": Label.LINE_NUMBERS,
    "page-header": Label.PAGE_HEADER,
    "page-footer": Label.PAGE_FOOTER,
    "watermark": Label.WATERMARK,
}


def elements_of(regions: Sequence[Region]) -> list[Element]:
    """Return the elements in reading order, with boxes in the points of the regions."""
    regions = with_listings_whole(with_field_rows(regions))
    lines = [line for region in regions for line in region.lines]
    maker = _Maker(Hyphens(lines), _title(regions))
    return nested(element for region in regions for element in maker.elements(region))


class _Maker:
    """What the elements of one page share."""

    def __init__(self, hyphens: Hyphens, title: Region | None) -> None:
        self.hyphens = hyphens
        self.title = title

    def elements(self, region: Region) -> list[Element]:
        if region.kind == "picture":
            return [Element(label=Label.FIGURE, box=region.box), *self._labels(region)]
        if not region.lines:
            return []
        if region.kind == "form-field":
            return [element for line in region.lines for element in self._field(line)]
        if region.kind == "table":
            if cells := cells_of(region, self.hyphens):
                flags = [] if is_settled(region) else [UNSETTLED]
                return [Element(label=Label.TABLE, box=region.box, cells=cells, size=_size(region.lines), flags=flags)]
            return self._element(Label.PARAGRAPH, rows_of(region.lines))
        if self._is_heading(region):
            return self._heading(region)
        rows = rows_of(region.lines)
        if region.kind in _LABELS:
            label = _LABELS[region.kind]
            return [element for part in paragraphs_of(rows) for element in self._element(label, part)]
        if are_references(rows):
            return [element for item in items_of(rows) for element in self._element(Label.REFERENCE, item)]
        if region.kind == "list-item" or _SURE_BULLET.match(_text(rows[0])):
            return [element for item in items_of(rows) for element in self._item(item)]
        return [element for run in _runs(rows) for element in self._text(run, region.kind == "text")]

    def _text(self, rows: Sequence[Row], may_be_code: bool) -> list[Element]:
        if may_be_code and len(rows) > 1 and all(map(is_mono, rows)):
            lines = _lines(rows)
            code = plain_text(listing_text(rows))
            return [Element(label=Label.CODE, box=_box(lines), spans=code, size=_size(lines))]
        return [element for part in paragraphs_of(rows) for element in self._element(Label.PARAGRAPH, part)]

    def _element(self, label: Label, rows: Sequence[Row]) -> list[Element]:
        """Return one element with the rows' text, none if there is no text."""
        return _element(label, rows, spans_of(joined_rows(rows, self.hyphens)))

    def _field(self, line: Line) -> list[Element]:
        return [
            element.model_copy(update={"marker": line.marker, "source": "form"})
            for element in self._element(Label.FORM_FIELD, [[line]])
        ]

    def _is_heading(self, region: Region) -> bool:
        """Check the model's decision: it also takes formulas and a column's first line for headings, and authors for
        titles."""
        if region.kind not in ("title", "section-header"):
            return False
        text = " ".join(line.text for line in region.lines).strip()
        if not re.search(r"[^\W\d_]{2,}", text) or (text[0].islower() and text.endswith((".", ","))):
            return False
        return region is self.title or region.kind != "title" or self.title is None or _stands_out(region, self.title)

    def _heading(self, region: Region) -> list[Element]:
        rows = rows_of(region.lines)
        label = Label.TITLE if region.kind == "title" else Label.HEADING
        return _element(label, rows, plain_spans(joined_rows(rows, self.hyphens)))

    def _item(self, rows: Sequence[Row]) -> list[Element]:
        marker, pieces = without_marker(joined_rows(rows, self.hyphens))
        return [
            element.model_copy(update={"marker": marker, "level": 1})
            for element in _element(Label.LIST_ITEM, rows, spans_of(pieces))
        ]

    def _labels(self, region: Region) -> list[Element]:
        """Return text in a picture, in MuPDF's blocks and order: it may slant, and rows across it would join unrelated
        labels."""
        blocks: dict[int, list[Line]] = {}
        for line in region.lines:
            blocks.setdefault(line.block, []).append(line)
        labels: list[list[Row]] = []
        short = False
        for lines in blocks.values():
            rows = [[line] for line in lines]
            was_short, short = short, sum(len(line.text.split()) for line in lines) < _LABEL_WORDS
            if labels and short and was_short:
                labels[-1] += rows
            else:
                labels.append(rows)
        return [
            element.model_copy(update={"flags": [IN_FIGURE]})
            for rows in labels
            for element in self._element(Label.PARAGRAPH, rows)
        ]


def _element(label: Label, rows: Sequence[Row], spans: list[Span]) -> list[Element]:
    if not spans:
        return []
    lines = _lines(rows)
    flags = [MATH] if label is Label.PARAGRAPH and _is_mathematical(lines) else []
    read = [line for line in lines if line.sure is not None]
    return [
        Element(
            label=label,
            box=_box(lines),
            spans=spans,
            size=_size(lines),
            source="ocr" if 2 * len(read) > len(lines) else "layer",
            score=_score(lines) if read else 1.0,
            flags=flags,
        )
    ]


def _score(lines: Sequence[Line]) -> float:
    """Return the mean confidence of the lines over their letters."""
    letters = sum(len(line.text) for line in lines)
    sure = sum((1.0 if line.sure is None else line.sure) * len(line.text) for line in lines)
    return round(min(1.0, sure / max(letters, 1)), 3)


def _is_mathematical(lines: Sequence[Line]) -> bool:
    return sum(line.math for line in lines) > MATH_SHARE * sum(len(line.text.replace(" ", "")) for line in lines)


def _title(regions: Sequence[Region]) -> Region | None:
    titles = [region for region in regions if region.kind == "title" and region.lines]
    return max(titles, key=lambda region: (_largest(region), _is_bold(region)), default=None)


def _stands_out(region: Region, title: Region) -> bool:
    """Check whether a second title looks like the first."""
    return _largest(region) >= 0.95 * _largest(title) and _is_bold(region) == _is_bold(title)


def _largest(region: Region) -> float:
    return max(line.size for line in region.lines)


def _size(lines: Sequence[Line]) -> float:
    return round(max(line.size for line in lines), 1)


def _is_bold(region: Region) -> bool:
    return all(piece.bold for line in region.lines for piece in line.pieces if piece.text.strip())


def _runs(rows: Sequence[Row]) -> list[list[Row]]:
    """Split the rows where `CODE_ROWS` or more monospaced rows begin or end."""
    runs: list[list[Row]] = []
    was_code = False
    for mono, group in groupby(rows, key=is_mono):
        run = list(group)
        code = mono and len(run) >= CODE_ROWS
        if runs and not (code or was_code):
            runs[-1].extend(run)
        else:
            runs.append(run)
        was_code = code
    return runs


def _lines(rows: Iterable[Row]) -> list[Line]:
    return [line for row in rows for line in row]


def _box(lines: Sequence[Line]) -> tuple[float, float, float, float]:
    return union([line.box for line in lines])


def _text(row: Row) -> str:
    return "".join(line.text for line in row)

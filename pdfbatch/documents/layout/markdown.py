"""Regions of a page to Markdown blocks. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from pdfbatch.documents.layout.items import BULLET, are_references, items_of
from pdfbatch.documents.layout.regions import Region
from pdfbatch.documents.layout.styling import escaped_start, styled, unstyled
from pdfbatch.documents.layout.tables import table_markdown
from pdfbatch.documents.textlayer.lines import BULLETS, Line
from pdfbatch.documents.textlayer.listing import listing_text
from pdfbatch.documents.textlayer.unwrap import Hyphens, Row, joined_rows, paragraphs_of, rows_of

_SURE_BULLET = re.compile(f"^\\s*[{BULLETS}](?:\\s+|$)")
_ORDERED = re.compile(r"^\d{1,3}[.)]\s")
_LIST = re.compile(r"^(?:- |\d{1,3}[.)] )")
_SECTION = re.compile(r"^(\d+(?:\.\d+)*)\.?\s")
CODE_ROWS = 3
"""So many rows of fixed width within other text are code; fewer may be an address that was too long for a row."""
_LABEL_WORDS = 4
"""A picture's labels of fewer words are put one after the other."""


def page_markdown(regions: Sequence[Region]) -> str:
    """Blocks separated by blank lines; a page without text is the empty string."""
    lines = [line for region in regions for line in region.lines]
    writer = _Writer(Hyphens(lines), _title(regions))
    text = ""
    for block in (block for region in regions for block in writer.blocks(region) if block):
        text += ("\n" if _LIST.match(block) and _LIST.match(text.rpartition("\n")[2]) else "\n\n") + block
    return text.strip()


class _Writer:
    """What the blocks of one page share."""

    def __init__(self, hyphens: Hyphens, title: Region | None) -> None:
        self.hyphens = hyphens
        self.title = title

    def blocks(self, region: Region) -> list[str]:
        if region.kind == "table":
            return [table_markdown(region, self.hyphens) or self._paragraph(rows_of(region.lines))]
        if region.kind == "picture":
            return self._labels(region)
        if region.kind == "form-field":
            return [f"- {line.marker} {line.text.strip()}" for line in region.lines]
        if self._is_heading(region):
            return [self._heading(region)]
        rows = rows_of(region.lines)
        if region.kind == "list-item" or _SURE_BULLET.match(_text(rows[0])) or are_references(rows):
            return ["\n".join(self._items(rows))]
        return [block for run in _runs(rows) for block in self._text_blocks(run, region.kind == "text")]

    def _text_blocks(self, rows: Sequence[Row], may_be_code: bool) -> list[str]:
        if may_be_code and len(rows) > 1 and all(map(_is_mono, rows)):
            return [_code(rows)]
        return [self._paragraph(part) for part in paragraphs_of(rows)]

    def _paragraph(self, rows: Sequence[Row]) -> str:
        return escaped_start(styled(joined_rows(rows, self.hyphens)))

    def _is_heading(self, region: Region) -> bool:
        """The model takes formulas and a column's first line for headings too, and authors for titles."""
        if region.kind not in ("title", "section-header"):
            return False
        text = " ".join(line.text for line in region.lines).strip()
        if not re.search(r"[^\W\d_]{2,}", text) or (text[0].islower() and text.endswith((".", ","))):
            return False
        return region is self.title or region.kind != "title" or self.title is None or _stands_out(region, self.title)

    def _heading(self, region: Region) -> str:
        text = unstyled(joined_rows(rows_of(region.lines), self.hyphens))
        number = _SECTION.match(text)
        level = 1 if region.kind == "title" else 2 + (number.group(1).count(".") if number else 0)
        return f"{'#' * min(level, 6)} {text}"

    def _items(self, rows: Sequence[Row]) -> list[str]:
        return [text for item in items_of(rows) if (text := self._item(item))]

    def _item(self, rows: Sequence[Row]) -> str:
        pieces = joined_rows(rows, self.hyphens)
        while pieces and BULLET.match(pieces[0].text):
            pieces[0] = pieces[0]._replace(text=BULLET.sub("", pieces[0].text))
            if pieces[0].text.strip():
                break
            pieces.pop(0)
        text = styled(pieces)
        return text if _ORDERED.match(text) or not text else f"- {text}"

    def _labels(self, region: Region) -> list[str]:
        """Text in a picture, in MuPDF's blocks and order: it may slant, and rows across it join what does not belong
        together."""
        blocks: dict[int, list[Line]] = {}
        for line in region.lines:
            blocks.setdefault(line.block, []).append(line)
        texts: list[str] = []
        short = False
        for lines in blocks.values():
            text = self._paragraph([[line] for line in lines])
            was_short, short = short, len(text.split()) < _LABEL_WORDS
            if texts and short and was_short:
                texts[-1] += f" {text}"
            else:
                texts.append(text)
        return texts


def _title(regions: Sequence[Region]) -> Region | None:
    titles = [region for region in regions if region.kind == "title"]
    return max(titles, key=lambda region: (_size(region), _is_bold(region)), default=None)


def _stands_out(region: Region, title: Region) -> bool:
    """Whether a second title looks like the first."""
    return _size(region) >= 0.95 * _size(title) and _is_bold(region) == _is_bold(title)


def _size(region: Region) -> float:
    return max(line.size for line in region.lines)


def _is_bold(region: Region) -> bool:
    return all(piece.bold for line in region.lines for piece in line.pieces if piece.text.strip())


def _runs(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows, parted where `CODE_ROWS` or more of fixed width begin or end."""
    runs: list[list[Row]] = []
    was_code = False
    for mono, group in groupby(rows, key=_is_mono):
        run = list(group)
        code = mono and len(run) >= CODE_ROWS
        if runs and not (code or was_code):
            runs[-1].extend(run)
        else:
            runs.append(run)
        was_code = code
    return runs


def _is_mono(row: Row) -> bool:
    return all(piece.mono for line in row for piece in line.pieces if piece.text.strip())


def _code(rows: Sequence[Row]) -> str:
    return "```\n" + listing_text(rows).replace("```", "` ` `") + "\n```"


def _text(row: Row) -> str:
    return "".join(line.text for line in row)

"""MuPDF's blocks with their text in reading order, and cut where links begin and end.

MuPDF tells letters one by one only in a form that costs several times as much, so it is asked for where a page needs
it, and only those lines are made anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.textlayer.bidi import Glyph, logical_order, runs_to_left
from pdfbatch.documents.textlayer.letterspaced import looks_spaced, without_gaps
from pdfbatch.documents.textlayer.lines import WORD_GAP, Box, text_blocks
from pdfbatch.documents.textlayer.scripts import RIGHT_TO_LEFT
from pdfbatch.documents.textlayer.soft_hyphens import SOFT_HYPHEN

Raw = dict[str, Any]
"""A block, line, span or character as MuPDF tells it."""

SAME_BASE = 0.3
"""Lines whose base lines differ by less, in font sizes, stand side by side."""
WORD_APART = 1.2
"""Right-to-left words that MuPDF tells as lines of their own are nearer than this, in font sizes."""
_LEVEL = (1.0, 0.0)


class Link(NamedTuple):
    """Where a link can be clicked, in points, and the URI it leads to."""

    box: Box
    uri: str


def blocks_of(textpage: pymupdf.TextPage, links: Sequence[Link] = ()) -> list[Raw]:
    """What `textpage.extractDICT()` gives, with right-to-left lines in reading order, spaced words closed, and spans
    that hold "link" where one lies over them."""
    blocks: list[Raw] = textpage.extractDICT()["blocks"]
    if not any(_needs_letters(line, links) for block in text_blocks(blocks) for line in block["lines"]):
        return blocks
    lettered = text_blocks(textpage.extractRAWDICT()["blocks"])
    for block, letters in zip(text_blocks(blocks), lettered, strict=True):
        block["lines"] = _mended(block["lines"], letters["lines"], links)
    return blocks


def _mended(lines: list[Raw], letters: list[Raw], links: Sequence[Link]) -> list[Raw]:
    """The lines of a block, those that need it made anew from `letters`, the same lines letter by letter."""
    mended: list[Raw] = []
    to_left = runs_to_left(" ".join(map(_text, lines)))
    for group in _side_by_side(lines):
        if not any(_needs_letters(lines[number], links) for number in group):
            mended += [lines[number] for number in group]
        else:
            mended.append(_made_anew([letters[number] for number in group], links, to_left))
    return mended


def _made_anew(parts: list[Raw], links: Sequence[Link], to_left: bool) -> Raw:
    styles: list[tuple[Raw, str]] = []
    glyphs: list[Glyph] = []
    for span in (span for part in parts for span in part["spans"]):
        for link, chars in groupby(span["chars"], key=lambda char: _link_at(char["bbox"], links)):
            styles.append((span, link))
            glyphs += [Glyph(char["c"], char["bbox"][0], char["bbox"][2], len(styles) - 1) for char in chars]
    if parts[0]["dir"] == _LEVEL:
        glyphs = _in_reading_order(glyphs, to_left, max(span["size"] for span, _ in styles))
    spans = [_span(list(run), *styles[number]) for number, run in groupby(glyphs, key=lambda glyph: glyph.style)]
    return {**parts[0], "bbox": _around([part["bbox"] for part in parts]), "spans": spans}


def _in_reading_order(glyphs: list[Glyph], to_left: bool, size: float) -> list[Glyph]:
    text = "".join(glyph.text for glyph in glyphs)
    if RIGHT_TO_LEFT.search(text):
        return logical_order(glyphs, to_left, size, WORD_GAP)
    return without_gaps(glyphs) if looks_spaced(text) else glyphs


def _span(glyphs: list[Glyph], span: Raw, link: str) -> Raw:
    left, right = min(glyph.left for glyph in glyphs), max(glyph.right for glyph in glyphs)
    made = {key: value for key, value in span.items() if key != "chars"}
    made |= {"text": "".join(glyph.text for glyph in glyphs), "link": link}
    if len(glyphs) < len(span["chars"]):
        made |= {"bbox": (left, span["bbox"][1], right, span["bbox"][3]), "origin": (left, span["origin"][1])}
    return made


def _side_by_side(lines: list[Raw]) -> list[list[int]]:
    """The numbers of the lines; those that are parts of one line together."""
    groups: list[list[int]] = []
    for number, line in enumerate(lines):
        if groups and _goes_on(lines[groups[-1][-1]], line):
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _goes_on(line: Raw, following: Raw) -> bool:
    if not line["dir"] == following["dir"] == _LEVEL:
        return False
    if not RIGHT_TO_LEFT.search(_text(line) + _text(following)) and not _is_cut_word(line, following):
        return False
    if not line["spans"] or not following["spans"]:
        return False
    size = max(span["size"] for span in line["spans"] + following["spans"])
    drop = abs(line["spans"][0]["origin"][1] - following["spans"][0]["origin"][1])
    left, right = sorted((line["bbox"], following["bbox"]))
    return bool(drop < SAME_BASE * size and -size < right[0] - left[2] < WORD_APART * size)


def _is_cut_word(line: Raw, following: Raw) -> bool:
    """A soft hyphen that takes no room makes MuPDF begin a new line within the word."""
    return _text(line).endswith(SOFT_HYPHEN) or _text(following).startswith(SOFT_HYPHEN)


def _needs_letters(line: Raw, links: Sequence[Link]) -> bool:
    text = _text(line)
    if RIGHT_TO_LEFT.search(text) or SOFT_HYPHEN in text or looks_spaced(text):
        return True
    return any(_meet(line["bbox"], link.box) for link in links)


def _link_at(box: Box, links: Sequence[Link]) -> str:
    across, down = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    for link in links:
        if link.box[0] <= across <= link.box[2] and link.box[1] <= down <= link.box[3]:
            return link.uri
    return ""


def _meet(box: Box, other: Box) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]


def _around(boxes: list[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _text(line: Raw) -> str:
    return "".join(span["text"] for span in line["spans"])

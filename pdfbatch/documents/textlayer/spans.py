"""Put the text of MuPDF's blocks into reading order and split it where links begin and end.

MuPDF gives single letters only in a format that costs several times as much, so it is requested only if a page needs
it, and only the affected lines are rebuilt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice, pairwise
from typing import Any, NamedTuple, Protocol

from pdfbatch.documents.pdf.boxes import union
from pdfbatch.documents.textlayer.bidi import Glyph, line_runs_to_left, logical_order, runs_to_left
from pdfbatch.documents.textlayer.letterspaced import looks_spaced, without_gaps
from pdfbatch.documents.textlayer.lines import WORD_GAP, Box, text_blocks
from pdfbatch.documents.textlayer.scripts import RIGHT_TO_LEFT
from pdfbatch.documents.textlayer.soft_hyphens import SOFT_HYPHEN
from pdfbatch.documents.textlayer.struck import unstrike
from pdfbatch.documents.textlayer.twice import printed_once

Raw = dict[str, Any]
"""A block, line, span or character in MuPDF's format."""

SAME_BASE = 0.3
"""Font sizes: lines whose baselines differ by less stand side by side."""
WORD_APART = 1.2
"""Font sizes: right-to-left words that MuPDF reports as separate lines are closer than this."""
SHOWN_AGAIN = 0.5
"""Font sizes by which lines overlap where words are printed twice."""
LEVEL = 1e-4
"""One minus the cosine of the angle of a horizontal line, at most."""


class TextPage(Protocol):
    """pymupdf's text page, or a stand-in with the same methods."""

    def extractDICT(self) -> Any: ...

    def extractRAWDICT(self) -> Any: ...


class Link(NamedTuple):
    """The clickable area of a link, in points, and its URI."""

    box: Box
    uri: str


def blocks_of(textpage: TextPage, links: Sequence[Link] = ()) -> list[Raw]:
    """Return what `textpage.extractDICT()` gives, with right-to-left lines in reading order, letterspaced words closed,
    and a "link" in spans that lie under one."""
    blocks: list[Raw] = textpage.extractDICT()["blocks"]
    unstrike(blocks)
    groups = [_side_by_side(block["lines"]) for block in text_blocks(blocks)]
    if not any(_needs_letters(group, links) for block in groups for group in block):
        return blocks
    raw = textpage.extractRAWDICT()["blocks"]
    unstrike(raw)
    to_left = runs_to_left(" ".join(_text(line) for block in text_blocks(blocks) for line in block["lines"]))
    for block, letters, parts in zip(text_blocks(blocks), text_blocks(raw), groups, strict=True):
        block["lines"] = _repaired(parts, iter(letters["lines"]), links, to_left)
    return blocks


def _repaired(groups: list[list[Raw]], letters: Iterator[Raw], links: Sequence[Link], to_left: bool) -> list[Raw]:
    """Return the lines of a block. Those that need it are rebuilt from `letters`, the same lines letter by letter."""
    repaired: list[Raw] = []
    block_to_left = runs_to_left(" ".join(_text(line) for group in groups for line in group)) or to_left
    for group in groups:
        lettered = list(islice(letters, len(group)))
        if not _needs_letters(group, links):
            repaired += group
        elif _is_one_line(group):
            repaired.append(_made_anew(lettered, links, block_to_left, _is_spaced(group)))
        else:
            repaired += [_made_anew([line], links, block_to_left) for line in lettered if line["spans"]]
    return repaired


def _made_anew(parts: list[Raw], links: Sequence[Link], to_left: bool, spaced: bool = False) -> Raw:
    styles: list[tuple[Raw, str]] = []
    glyphs: list[Glyph] = []
    box = union([part["bbox"] for part in parts])
    links = [link for link in links if _meet(box, link.box)]
    firsts = [id(part["spans"][0]) for part in parts[1:]] if spaced else []
    for span in (span for part in parts for span in part["spans"]):
        if id(span) in firsts:
            glyphs.append(Glyph(" ", glyphs[-1].right, glyphs[-1].right, len(styles) - 1))
        for link, chars in groupby(span["chars"], key=lambda char: _link_at(char["bbox"], links)):
            styles.append((span, link))
            glyphs += [Glyph(char["c"], char["bbox"][0], char["bbox"][2], len(styles) - 1) for char in chars]
    if _is_level(parts[0]):
        glyphs = _in_reading_order(glyphs, to_left, max(span["size"] for span, _ in styles), len(parts) > 1)
    spans = [_span(list(run), *styles[number]) for number, run in groupby(glyphs, key=lambda glyph: glyph.style)]
    return {**parts[0], "bbox": box, "spans": spans}


def _in_reading_order(glyphs: list[Glyph], to_left: bool, size: float, joined: bool) -> list[Glyph]:
    text = "".join(glyph.text for glyph in glyphs)
    if RIGHT_TO_LEFT.search(text):
        return logical_order(glyphs, line_runs_to_left(glyphs, to_left), size, WORD_GAP)
    if looks_spaced(text):
        return without_gaps(glyphs)
    return printed_once(glyphs, size) if joined and SOFT_HYPHEN not in text else glyphs


def _span(glyphs: list[Glyph], span: Raw, link: str) -> Raw:
    left, right = min(glyph.left for glyph in glyphs), max(glyph.right for glyph in glyphs)
    made = {key: value for key, value in span.items() if key != "chars"}
    made |= {"text": "".join(glyph.text for glyph in glyphs), "link": link}
    if len(glyphs) < len(span["chars"]):
        made |= {"bbox": (left, span["bbox"][1], right, span["bbox"][3]), "origin": (left, span["origin"][1])}
    return made


def _side_by_side(lines: list[Raw]) -> list[list[Raw]]:
    """Group lines that touch on one baseline."""
    groups: list[list[Raw]] = []
    for line in lines:
        if groups and _touch(groups[-1][-1], line):
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _touch(line: Raw, following: Raw) -> bool:
    if not line["spans"] or not following["spans"] or not (_is_level(line) and _is_level(following)):
        return False
    size = _size(line, following)
    drop = abs(line["spans"][0]["origin"][1] - following["spans"][0]["origin"][1])
    return drop < SAME_BASE * size and _gap(line, following) < WORD_APART * size


def _is_one_line(group: list[Raw]) -> bool:
    """Check whether MuPDF split one line: it runs to the left, has soft hyphens, or shows words twice."""
    text = "".join(map(_text, group))
    if len(group) == 1 or _is_spaced(group) or RIGHT_TO_LEFT.search(text) or SOFT_HYPHEN in text:
        return True
    return any(_shows_again(line, following) for line, following in pairwise(group))


def _is_spaced(group: list[Raw]) -> bool:
    """Check whether the lines are the letters of letterspaced words."""
    tokens = " ".join(map(_text, group)).split()
    return len(group) > 1 and max(map(len, tokens), default=0) == 1 and looks_spaced(" ".join(tokens))


def _shows_again(line: Raw, following: Raw) -> bool:
    """Check whether lines overlap and the second begins with the end of the first."""
    if _gap(line, following) > -SHOWN_AGAIN * _size(line, following):
        return False
    left, right = sorted((line, following), key=lambda one: float(one["bbox"][0]))
    first = _text(right).split()
    return bool(first) and first[0] in _text(left).split()[-2:]


def _needs_letters(group: list[Raw], links: Sequence[Link]) -> bool:
    for line in group:
        text = _text(line)
        if RIGHT_TO_LEFT.search(text) or SOFT_HYPHEN in text or looks_spaced(text):
            return True
        if any(_meet(line["bbox"], link.box) for link in links):
            return True
    return len(group) > 1 and _is_one_line(group)


def _is_level(line: Raw) -> bool:
    return bool(line["dir"][0] > 1 - LEVEL)


def _size(line: Raw, following: Raw) -> float:
    return float(max(span["size"] for span in line["spans"] + following["spans"]))


def _gap(line: Raw, following: Raw) -> float:
    """Return the gap between them, negative if they overlap."""
    left, right = sorted((line["bbox"], following["bbox"]))
    return float(right[0] - left[2])


def _link_at(box: Box, links: Sequence[Link]) -> str:
    across, down = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    for link in links:
        if link.box[0] <= across <= link.box[2] and link.box[1] <= down <= link.box[3]:
            return link.uri
    return ""


def _meet(box: Box, other: Box) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]


def _text(line: Raw) -> str:
    return "".join(span["text"] for span in line["spans"])

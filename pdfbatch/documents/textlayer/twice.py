"""Keep text once that is printed several times at almost the same place, for boldness or a shadow. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pdfbatch.documents.textlayer.bidi import Glyph
from pdfbatch.documents.textlayer.lines import Line, LinePiece

NEAREST = 1.5
SHIFT = 0.12
"""Points, and font sizes: a copy is shifted by less than the larger of the two."""
SAME_SIZE = 0.03
OFF = 0.12
"""Share of a line's width by which the guessed position of a word in it may be off, because letters differ in width."""
_BAND = 4.0


def once(lines: Iterable[Line]) -> list[Line]:
    """Drop lines whose text another line shows at the same place; text printed twice becomes bold. The longest line
    stays; among equals the darkest, then the first."""
    lines = list(lines)
    order = sorted(range(len(lines)), key=lambda number: (-len(lines[number].text.strip()), lines[number].faint))
    kept: dict[int, Line] = {}
    bands: dict[int, list[int]] = defaultdict(list)
    for number in order:
        line = lines[number]
        band = int(line.box[1] // _BAND)
        near = (other for step in (-1, 0, 1) for other in bands[band + step])
        found = next(((other, part) for other in near if (part := _part_of(line, kept[other])) is not None), None)
        if found is None:
            kept[number] = line
            bands[band].append(number)
        elif not line.hidden:
            kept[found[0]] = _bold(kept[found[0]], *found[1])
    return [kept[number] for number in sorted(kept)]


def printed_once(glyphs: Sequence[Glyph], size: float) -> list[Glyph]:
    """Return the glyphs of one line from left to right, without copies of a letter at almost the same place."""
    shown: list[Glyph] = []
    for glyph in sorted(glyphs, key=lambda glyph: glyph.left):
        shift = min(max(NEAREST, SHIFT * size), 0.6 * (glyph.right - glyph.left))
        recent = [other for other in shown[-4:] if other.text == glyph.text]
        if not any(glyph.left - other.left <= shift for other in recent):
            shown.append(glyph)
    return shown


def _part_of(line: Line, whole: Line) -> tuple[int, int] | None:
    """Return the range of `whole`'s text that `line` prints again, if any."""
    if line.box[0] > whole.box[2] or line.box[2] < whole.box[0]:
        return None
    shift = max(NEAREST, SHIFT * whole.size)
    if line.pose != whole.pose or abs(line.size - whole.size) > SAME_SIZE * whole.size:
        return None
    if any(abs(line.box[side] - whole.box[side]) > shift + 0.3 * whole.size for side in (1, 3)):
        return None
    text, all_text = line.text.strip(), whole.text
    if text == all_text.strip():
        near = all(abs(line.box[side] - whole.box[side]) <= shift for side in range(4))
        return (0, len(all_text)) if near else None
    if line.pose.turn or line.box[0] < whole.box[0] - shift or line.box[2] > whole.box[2] + shift:
        return None
    width = whole.box[2] - whole.box[0]
    for found in re.finditer(re.escape(text), all_text):
        guess = whole.box[0] + width * found.start() / max(len(all_text), 1)
        if abs(guess - line.box[0]) <= OFF * width + whole.size:
            return found.span()
    return None


def _bold(line: Line, start: int, end: int) -> Line:
    return replace(line, pieces=list(_cut(line.pieces, start, end)))


def _cut(pieces: list[LinePiece], start: int, end: int) -> Iterator[LinePiece]:
    reached = 0
    for piece in pieces:
        first, last = max(start - reached, 0), min(end - reached, len(piece.text))
        if first < last:
            parts = (piece.text[:first], False), (piece.text[first:last], True), (piece.text[last:], False)
            yield from (piece._replace(text=text, bold=piece.bold or bold) for text, bold in parts if text)
        else:
            yield piece
        reached += len(piece.text)

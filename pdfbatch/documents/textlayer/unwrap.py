"""Join lines below each other into paragraphs. Pure.

Line breaks by the typesetter are removed, those by the author stay: a row ends a line on purpose if the first word of
the next row would still have fitted after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pdfbatch.documents.textlayer.lines import WORD_GAP, Line, LinePiece
from pdfbatch.documents.textlayer.scripts import is_unspaced
from pdfbatch.documents.textlayer.soft_hyphens import SOFT_HYPHEN

Row = list[Line]
"""Lines side by side, in reading order."""

STACKED_GAP = 1.5
UNSPACED_WORD = 2
"""Characters that must fit at a line's end, in scripts in which a line may break anywhere."""
PARAGRAPH_GAP = 0.9
"""Line heights: a larger gap between two rows begins a new paragraph."""
_LETTER = r"[^\W\d_]"
_BROKEN_WORD = re.compile(rf"({_LETTER}+)[-\u00ad\u2010]$")
_CUT_WORD = re.compile(rf"{_LETTER}+[-\u00ad\u2010] +{_LETTER}+")
_FIRST_WORD = re.compile(r"[^\s-]*-?")
_OPEN_HYPHEN = re.compile(r"\w[-\u2010]$")
_SPACED_LATIN = re.compile("[\u3040-\u30ff\u3400-\u9fff] [A-Za-z0-9]|[A-Za-z0-9] [\u3040-\u30ff\u3400-\u9fff]")
_SURE_PREFIXES = frozenset(["self", "non", "well", "quasi", "pseudo"])
_PREFIXES = frozenset(["high", "low", "long", "short", "real", "open", "all", "ex"])
"""They also begin other words, such as extremely and lower."""
_SOLID = re.compile(
    "with|out|where|there|here|how|what|who|when|some|any|every|never|ever|for|over|under|through|after|all"
    "|things?|one|body|side|wards?|upon|fore|more|most|less"
)
"""Pairs of these are written as one word in English: without, something, however, throughout."""


class Hyphens:
    """Decides which hyphens at line ends belong to their word, judging by the words of the same page."""

    def __init__(self, lines: Iterable[Line]) -> None:
        text = " ".join(line.text.strip() for line in lines).lower()
        whole = _CUT_WORD.sub(" ", text)  # the part after a hyphen at a line's end may be no word
        self._words = frozenset(re.findall(rf"(?<![\w-]){_LETTER}+(?![\w-])", whole))
        self._compounds = frozenset(re.findall(rf"(?<![\w-]){_LETTER}+-{_LETTER}+", text))

    def stays(self, left: str, right: str) -> bool:
        """Check whether `left`-`right` is written with its hyphen."""
        left, right = left.lower(), right.lower()
        if f"{left}-{right}" in self._compounds:
            return True
        if left + right in self._words or (_SOLID.fullmatch(left) and _SOLID.fullmatch(right)):
            return False
        known = len(left) > 2 and left in self._words and len(right) > 2 and right in self._words
        return known or left in _SURE_PREFIXES or (left in _PREFIXES and right in self._words)


def rows_of(lines: Iterable[Line]) -> list[Row]:
    """Return rows from top to bottom; turned lines follow at the end, each in a row of its own."""
    lines = list(lines)
    rows: list[Row] = []
    for line in sorted((line for line in lines if line.pose.turn == 0), key=_middle):
        if rows and _beside(rows[-1], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    for row in rows:
        row.sort(key=lambda line: line.box[0], reverse=_runs_to_left(row))
    turned = sorted((line for line in lines if line.pose.turn), key=_turned_place)
    return rows + [[line] for line in turned]


def paragraphs_of(rows: Sequence[Row]) -> list[list[Row]]:
    """Split rows where the author did: at a blank line, at a heading, or after a line that ends early."""
    parts: list[list[Row]] = []
    single = all(len(row) == 1 for row in rows)
    right_edge = max((row[-1].box[2] for row in rows), default=0.0)
    for row in rows:
        if not parts or _parts(parts[-1][-1], row, right_edge if single else None):
            parts.append([])
        parts[-1].append(row)
    return parts


def joined_rows(rows: Iterable[Row], hyphens: Hyphens) -> list[LinePiece]:
    """Return all pieces of the rows, with the blanks and hyphens that one long row would have."""
    pieces: list[LinePiece] = []
    for row in rows:
        following = row_pieces(row)
        if pieces and following:
            _close(pieces, following[0].text, hyphens)
        pieces.extend(following)
    if pieces and pieces[-1].text.rstrip().endswith(SOFT_HYPHEN):
        pieces[-1] = pieces[-1]._replace(text=pieces[-1].text.rstrip()[:-1] + "-")
    return pieces


def row_pieces(row: Row) -> list[LinePiece]:
    """Return the pieces of lines side by side, with a blank where there is a gap."""
    pieces: list[LinePiece] = []
    for number, line in enumerate(row):
        if number and pieces and pieces[-1].text.endswith(SOFT_HYPHEN):
            pieces[-1] = pieces[-1]._replace(text=pieces[-1].text[:-1])
        if number and _apart(row[number - 1], line):
            pieces.append(LinePiece(" "))
        raised = number > 0 and _is_raised(line, row[number - 1])
        pieces.extend(piece._replace(raised=True) if raised else piece for piece in line.pieces)
    return [piece for piece in pieces if piece.text]


def _runs_to_left(row: Row) -> bool:
    """Decide the direction of a row; numbers beside right-to-left text do not count."""
    to_left = sum(line.rtl for line in row)
    return to_left > sum(any(map(str.isalpha, line.text)) for line in row) - to_left


def _close(pieces: list[LinePiece], following: str, hyphens: Hyphens) -> None:
    """End the last piece in the way that the text of the next row needs."""
    last = pieces[-1]._replace(text=pieces[-1].text.rstrip())
    broken = _BROKEN_WORD.search(last.text)
    begins = re.match(rf"\s*({_LETTER}+)", following)
    if broken and begins and begins.group(1)[0].islower():
        compound = "-" in last.text[: broken.start()].split(" ")[-1] or hyphens.stays(broken.group(1), begins.group(1))
        pieces[-1] = last if compound and not last.text.endswith("\u00ad") else last._replace(text=last.text[:-1])
    elif last.text.endswith(SOFT_HYPHEN):
        pieces[-1] = last._replace(text=last.text[:-1])
    elif (_OPEN_HYPHEN.search(last.text) and following[:1].isalnum()) or _needs_no_blank(pieces, following.lstrip()):
        pieces[-1] = last
    else:
        pieces[-1] = last._replace(text=last.text + " ")


def _needs_no_blank(pieces: list[LinePiece], following: str) -> bool:
    """Check whether a script without blanks continues; next to another script, only if the text has no blanks there."""
    text = "".join(piece.text for piece in pieces).rstrip()
    sides = [is_unspaced(text[-1:]), is_unspaced(following[:1])]
    if all(sides) or (any(sides) and not (text[-1:] + following[:1]).isalnum()):
        return True
    return any(sides) and not _SPACED_LATIN.search(text)


def _apart(left: Line, right: Line) -> bool:
    """Check for a gap or a stacked line. MuPDF splits a line where a column of a table elsewhere ends, even within a
    word. Lines that a tall bracket joins to one row overlap, and are not halves of a word."""
    gap = max(right.box[0] - left.box[2], left.box[0] - right.box[2])
    size = min(left.size, right.size)
    return gap > WORD_GAP * size or gap < -STACKED_GAP * size


def _is_raised(line: Line, left: Line) -> bool:
    small = line.size <= 0.8 * left.size and len(line.text.strip()) <= 3
    return small and line.box[3] < left.box[3] - 0.15 * left.size


def _gap(above: Row, below: Row) -> bool:
    if below[0].pose.turn:
        return above[0].pose != below[0].pose
    high = max(line.box[3] - line.box[1] for line in below)
    return min(line.box[1] for line in below) - max(line.box[3] for line in above) > PARAGRAPH_GAP * high


def _parts(above: Row, below: Row, right_edge: float | None) -> bool:
    """Decide whether a paragraph ends between the rows. `right_edge` is None if rows have several columns, whose ends
    then mean nothing."""
    if _text(above).rstrip().endswith(SOFT_HYPHEN) and not below[0].pose.turn:
        return False
    if _gap(above, below) or _turns_bold(above, below):
        return True
    return right_edge is not None and _ends_early(above[0], below[0], right_edge)


def _turns_bold(above: Row, below: Row) -> bool:
    """Check whether `below` is a heading that the model left in the text."""
    ended = _text(above).rstrip().endswith((".", "!", "?"))
    return ended and not any(map(_is_bold, above)) and all(map(_is_bold, below))


def _is_bold(line: Line) -> bool:
    return all(piece.bold for piece in line.pieces if piece.text.strip())


def _text(row: Row) -> str:
    return "".join(line.text for line in row)


def _ends_early(above: Line, below: Line, right_edge: float) -> bool:
    """Check whether the first word of `below`, if it can begin something new, would have fitted after `above`."""
    if above.pose.turn or below.pose.turn or above.rtl or below.rtl:
        return False
    text = below.text.strip()
    if text[:1].islower() and not above.text.rstrip().endswith((".", "!", "?", ":", ";")):
        return False
    word = _FIRST_WORD.match(text)
    letters = UNSPACED_WORD if is_unspaced(text[:1]) else len(word.group()) if word else 0
    width = (below.box[2] - below.box[0]) * letters / max(len(text), 1)
    return right_edge - above.box[2] > 1.15 * width + below.size


def _beside(row: Row, line: Line) -> bool:
    """Check whether a line overlaps the row's last one by more than half the height of the lower one."""
    last = row[-1].box
    overlap = min(last[3], line.box[3]) - max(last[1], line.box[1])
    return overlap > 0.5 * min(last[3] - last[1], line.box[3] - line.box[1])


def _middle(line: Line) -> float:
    return (line.box[1] + line.box[3]) / 2


def _turned_place(line: Line) -> tuple[int, float]:
    """Return the sort key of a turned line."""
    x0, _, x1, y1 = line.box
    return line.pose.turn, {90: x0, 180: -y1, 270: -x1}[line.pose.turn]

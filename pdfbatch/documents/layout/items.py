"""Split rows of text into the items of a list. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pdfbatch.documents.textlayer.lines import BULLETS, LinePiece
from pdfbatch.documents.textlayer.unwrap import Row

BULLET = re.compile(f"^\\s*[{BULLETS}·–—*-](?:\\s+|$)")
_NUMBERED = re.compile(r"^\s*(?:\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|\d{1,3}\.\d{1,3}\.?)\s")
_CAPITAL = re.compile(r"^\s*([A-Z])\.\s")
"""A number, or the first initial of a name: "A. First thing", "Y. Bengio"."""
_ORDERED = re.compile(r"^\s*(\d{1,3}[.)])\s+")
_REFERENCE = re.compile(r"^\s*\[(\d{1,4})\]\s")
_LABEL = re.compile(r"^\s*\[?([A-Z]+|\d+)")
_AFTER_ROMAN = {"IV": "V", "IX": "X"}


def items_of(rows: Sequence[Row]) -> list[list[Row]]:
    """Begin a new item at each row with a bullet or number; other rows continue the item before."""
    items: list[list[Row]] = []
    label = ""
    for row in rows:
        text = _text(row)
        if not items or _begins_item(text, label):
            items.append([])
            found = _LABEL.match(text)
            label = found.group(1) if found else ""
        items[-1].append(row)
    return items


def is_item(text: str) -> bool:
    """Check whether a row begins with a bullet or number."""
    return bool(BULLET.match(text) or _NUMBERED.match(text))


def are_references(rows: Sequence[Row]) -> bool:
    """Check whether the rows begin with [n], and later with [n + 1]."""
    return bool(_REFERENCE.match(_text(rows[0]))) and len(items_of(rows)) > 1


def without_marker(pieces: Sequence[LinePiece]) -> tuple[str, list[LinePiece]]:
    """Return the marker of an item, `-` or a number such as `1.`, and the pieces without it; other markers stay in the
    text."""
    marker, rest = "-", list(pieces)
    while rest and BULLET.match(rest[0].text):
        rest[0] = rest[0]._replace(text=BULLET.sub("", rest[0].text))
        if rest[0].text.strip():
            break
        rest.pop(0)
    if len(rest) == len(pieces) and rest and rest[0].text == pieces[0].text:
        return _without_number(rest)
    return marker, rest


def _without_number(pieces: list[LinePiece]) -> tuple[str, list[LinePiece]]:
    text = "".join(piece.text for piece in pieces)
    found = _ORDERED.match(text)
    if not found:
        return "-", pieces
    left, rest = found.end(), []
    for piece in pieces:
        kept = piece.text[left:]
        left = max(0, left - len(piece.text))
        if kept:
            rest.append(piece._replace(text=kept))
    return found.group(1), rest


def _begins_item(text: str, label: str) -> bool:
    """Check whether the row begins an item. `label`: the letter or number of the item before; initials and citations do
    not count up."""
    if found := _CAPITAL.match(text) or _REFERENCE.match(text):
        return _follows(label, found.group(1))
    return is_item(text)


def _follows(before: str, label: str) -> bool:
    if before.isdigit():
        return label == str(int(before) + 1)
    return _AFTER_ROMAN.get(before) == label or (len(before) == 1 and label == chr(ord(before) + 1))


def _text(row: Row) -> str:
    return "".join(line.text for line in row)

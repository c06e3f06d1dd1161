"""Convert pieces of a text layer to the spans of an element. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pdfbatch.documents.textlayer.lines import LinePiece
from pdfbatch.records import Span

_STOPS = ".,;:)"
"""Punctuation after a URL, which its link often includes."""


def spans_of(pieces: Iterable[LinePiece]) -> list[Span]:
    """Merge pieces of the same style into spans, with single blanks and none at the ends.

    A piece without letters or digits takes the weight and slant of both its neighbours, since there they make no
    difference.
    """
    joined: list[LinePiece] = []
    for piece in _bridged(list(pieces)):
        if joined and _style(joined[-1]) == _style(piece):
            joined[-1] = piece._replace(text=joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return list(_spans(joined))


def plain_spans(pieces: Iterable[LinePiece]) -> list[Span]:
    """Do the same without bold and italics, where they would mean nothing."""
    return spans_of(piece._replace(bold=False, italic=False) for piece in pieces)


def _style(piece: LinePiece) -> LinePiece:
    return piece._replace(text="", mono=False)


def _bridged(pieces: list[LinePiece]) -> Iterator[LinePiece]:
    """Give pieces without letters or digits the weight and slant that their neighbours share, otherwise none."""
    styled = [number for number, piece in enumerate(pieces) if _shows_style(piece)]
    for number, piece in enumerate(pieces):
        if _shows_style(piece):
            yield piece
            continue
        before = pieces[max((one for one in styled if one < number), default=number)]
        after = pieces[min((one for one in styled if one > number), default=number)]
        shared = before[1:3] == after[1:3]
        yield piece._replace(bold=shared and before.bold, italic=shared and before.italic)


def _shows_style(piece: LinePiece) -> bool:
    return any(map(str.isalnum, piece.text))


def _spans(pieces: Iterable[LinePiece]) -> Iterator[Span]:
    held: Span | None = None
    for piece in pieces:
        text = re.sub(r"\s+", " ", piece.text)
        if held is None or held.text.endswith(" "):
            text = text.lstrip()
        if not text:
            continue
        if held is not None:
            yield held
        if piece.link and text != piece.link and text.rstrip(_STOPS) == piece.link:
            stop = text[len(piece.link) :]
            yield Span(text=piece.link, bold=piece.bold, italic=piece.italic, link=piece.link)
            held = Span(text=stop, bold=piece.bold, italic=piece.italic)
            continue
        held = Span(
            text=text,
            bold=piece.bold,
            italic=piece.italic,
            raised=piece.raised,
            struck=piece.struck,
            link=piece.link,
        )
    if held is not None and (text := held.text.rstrip()):
        yield held.model_copy(update={"text": text})

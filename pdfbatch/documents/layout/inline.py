"""Pieces of a text layer to the spans of an element. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pdfbatch.documents.textlayer.lines import Piece
from pdfbatch.records import Span


def spans_of(pieces: Iterable[Piece]) -> list[Span]:
    """The pieces with their styles, neighbours of one style as one span, blanks single and none at the ends.

    A piece without letters or digits has the style of its neighbour: it makes no difference there.
    """
    runs: list[tuple[Piece, bool]] = []
    for piece in pieces:
        says = any(map(str.isalnum, piece.text))
        if runs and (not says or not runs[-1][1] or _style(runs[-1][0]) == _style(piece)):
            last, last_says = runs[-1]
            style = last if last_says or not says else piece
            runs[-1] = (style._replace(text=last.text + piece.text), last_says or says)
        else:
            runs.append((piece, says))
    return list(_spans(piece for piece, _ in runs))


def plain_spans(pieces: Iterable[Piece]) -> list[Span]:
    """The same without bold and italics, where they would say nothing."""
    return spans_of(piece._replace(bold=False, italic=False) for piece in pieces)


def _style(piece: Piece) -> Piece:
    return piece._replace(text="", mono=False)


def _spans(pieces: Iterable[Piece]) -> Iterator[Span]:
    held: Span | None = None
    for piece in pieces:
        text = re.sub(r"\s+", " ", piece.text)
        if held is None or held.text.endswith(" "):
            text = text.lstrip()
        if not text:
            continue
        if held is not None:
            yield held
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

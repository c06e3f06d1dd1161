"""Pieces of text to inline Markdown. Pure.

Text is escaped only where Markdown would take it for something else: emphasis, tags, headings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pdfbatch.documents.textlayer.lines import Piece


class _Run(NamedTuple):
    """Text of one style; without letters or digits (`says`) style makes no difference, and the neighbour's is taken."""

    text: str
    bold: bool
    italic: bool
    says: bool


def styled(pieces: Iterable[Piece]) -> str:
    """Pieces with their styles as Markdown; neighbours of one style share their marks."""
    runs: list[_Run] = []
    for piece in pieces:
        run = _Run(_inner(piece), piece.bold, piece.italic, any(map(str.isalnum, piece.text)))
        if runs and (not run.says or not runs[-1].says or runs[-1][1:3] == run[1:3]):
            style = runs[-1] if runs[-1].says else run
            runs[-1] = style._replace(text=runs[-1].text + run.text)
        else:
            runs.append(run)
    return re.sub(r"\s+", " ", "".join(map(_marked, runs))).strip()


def unstyled(pieces: Iterable[Piece]) -> str:
    """The same without bold and italics, where they would say nothing."""
    return styled(piece._replace(bold=False, italic=False) for piece in pieces)


def escaped(text: str) -> str:
    """What Markdown would take for a tag or emphasis, behind a backslash."""
    text = re.sub(r"<(?=[A-Za-z/!?])", r"\\<", text)
    return re.sub(r"(?<=\S)\*|\*(?=\S)", r"\\*", text)


def escaped_start(text: str) -> str:
    """What Markdown would take for a heading, quotation, list or rule at the start of a block."""
    return re.sub(r"^(#{1,6} |>|[+-] |={3,}|~{3,}|-{3,}$)", r"\\\1", text)


def _inner(piece: Piece) -> str:
    text = escaped(piece.text)
    if piece.struck and text.strip():
        text = text.replace(text.strip(), f"~~{text.strip()}~~")
    if piece.link and text.strip():
        text = text.replace(text.strip(), f"[{text.strip()}]({piece.link})")
    if not piece.raised or not text.strip():
        return text
    return f"<sup>{text.strip()}</sup>{text[len(text.rstrip()) :]}"


def _marked(run: _Run) -> str:
    """Marks go inside the blanks, else they would not be read as marks."""
    bare = run.text.strip()
    mark = ("**" if run.bold else "") + ("_" if run.italic else "")
    if not run.says or not mark:
        return run.text
    head, tail = run.text[: len(run.text) - len(run.text.lstrip())], run.text[len(run.text.rstrip()) :]
    return f"{head}{mark}{bare}{mark[::-1]}{tail}"

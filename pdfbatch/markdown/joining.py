"""Join elements with those that continue them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pdfbatch.paragraphs import joined
from pdfbatch.records import Cell, Span

_TAIL = 60
"""Characters at the end of the left half that `paragraphs.joined` looks at."""


def glue(left: list[Span], right: Sequence[Span]) -> None:
    """Appends the second half of a paragraph to its first: with a space, in CJK text with nothing, and without the
    hyphen of a broken word."""
    head = next((span.text.lstrip() for span in right if span.text.strip()), "")[:1]
    if not head:
        return
    _strip_end(left)
    if not left:
        left.extend(right)
        return
    tail = _tail(left)
    before = joined(tail, head)[: -len(head)]
    if len(before) < len(tail):
        left[-1] = left[-1].model_copy(update={"text": left[-1].text[:-1]})
    elif len(before) > len(tail):
        left.append(Span(text=before[len(tail) :]))
    left.extend(_without_start(right))


def appended(cells: list[Cell], rows: int, more: Sequence[Cell], repeated: int) -> int:
    """Appends a table's rows, except the first `repeated`, to a table of `rows` rows; returns the new row count."""
    kept = [cell for cell in more if cell.row >= repeated]
    cells += [cell.model_copy(update={"row": rows + cell.row - repeated}) for cell in kept]
    return rows + row_count(kept) - repeated if kept else rows


def row_count(cells: Sequence[Cell]) -> int:
    """How many rows the cells cover."""
    return max((cell.row + cell.rows for cell in cells), default=0)


def _strip_end(spans: list[Span]) -> None:
    while spans and not spans[-1].text.strip():
        spans.pop()
    if spans and spans[-1].text[-1:].isspace():
        spans[-1] = spans[-1].model_copy(update={"text": spans[-1].text.rstrip()})


def _without_start(spans: Sequence[Span]) -> list[Span]:
    """The spans without leading white space."""
    start = next(number for number, span in enumerate(spans) if span.text.strip())
    first = spans[start]
    return [first.model_copy(update={"text": first.text.lstrip()}), *spans[start + 1 :]]


def _tail(spans: Sequence[Span]) -> str:
    """The end of the last line; a formula counts as a word without a hyphen."""
    text = ""
    for span in reversed(spans):
        text = ("x" if span.math else span.text[-_TAIL:]) + text
        if len(text) >= _TAIL or "\n" in text:
            break
    return text.rpartition("\n")[2][-_TAIL:]

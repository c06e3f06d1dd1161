"""How much two readings of a page have in common."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from pdfbatch.records import Element, Label, Page

_MARKS = {Label.TITLE: "#", Label.HEADING: "#", Label.LIST_ITEM: "-", Label.CODE: "```", Label.FORMULA: "$"}
_WORD = re.compile(r"\w+")
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\s*\n\s*(?=[^\W\d_])")


def words_of(page: Page) -> list[str]:
    """Returns the words of a page in reading order, as its Markdown has them, with a mark at the start of each heading,
    item, formula, listing, row and cell. Capitals and punctuation do not count."""
    return [word for element in page.elements if not element.dropped for word in _words_of(element)]


def likeness(one: Page, other: Page) -> float:
    """Returns the common part of the two readings' words in their order, 0 to 1: twice the longest common subsequence
    over all words of both. Two pages without words are alike."""
    from rapidfuzz.distance import Indel

    return float(Indel.normalized_similarity(words_of(one), words_of(other)))


def _words_of(element: Element) -> Iterator[str]:
    if mark := _MARKS.get(element.label):
        yield mark
    if not element.cells:
        yield from _words_in(element.text)
        return
    row = -1
    for cell in element.cells:
        yield "|" if cell.row == row else "||"
        row = cell.row
        yield from _words_in("".join(span.text for span in cell.spans))


def _words_in(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", _HYPHEN.sub("", text)).casefold())

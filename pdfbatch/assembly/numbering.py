"""Derive heading levels from their numbers: `1.1`, `A.`, `Chapter 3`, `§ 4`, `IV.`. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from pdfbatch.assembly.comparing import roman_value

Kind = Literal["number", "letter", "roman", "part", "chapter", "section", "article", "appendix"]

_WORDS: dict[Kind, str] = {
    "part": r"part|teil|partie|parte|book|buch|livre",
    "chapter": r"chapter|kapitel|chapitre|capítulo|capitulo|kap\.",
    "section": r"section|abschnitt|sección|sezione",
    "article": r"article|artikel|artículo|articolo|art\.|clause|rule",
    "appendix": r"appendix|annex|anhang|anlage|annexe|anexo|allegato|schedule",
}
_WORD_RANKS: tuple[Kind, ...] = ("part", "chapter", "section", "article")
_COUNT = r"(?:\d{1,3}(?:\.\d{1,3})*|[ivxlcIVXLC]{1,7}|[A-Z](?:\.\d{1,3})*)"
_WORDED = [(kind, re.compile(rf"(?:{words})\s+({_COUNT})[a-z]?\b", re.IGNORECASE)) for kind, words in _WORDS.items()]
_WORDED.append(("article", re.compile(r"§{1,2}\s*(\d{1,4}(?:\.\d{1,3})*)")))
_BARE_APPENDIX = re.compile(rf"(?:{_WORDS['appendix']})(?:\s*$|\s*[:.–—-])", re.IGNORECASE)
_DECIMAL = re.compile(r"(\d{1,3})((?:\.\d{1,3}){0,5})[.)]?(?:\s+\S|$)")
_LETTERED = re.compile(r"([A-Z])(?:((?:\.\d{1,3}){1,5})[.)]?|[.)])(?:\s+\S|$)")
_LETTER_BLANK = re.compile(r"([A-Z])\s{1,4}[A-Z]\w")
_ROMAN = re.compile(r"([IVXLC]{1,7})[.)](?:\s+\S|$)")
_NESTING: tuple[Kind, ...] = ("number", "letter", "roman")


class Number(NamedTuple):
    """Of a heading: `value` of its first part, and how many further parts there are."""

    kind: Kind
    value: int
    parts: int = 0


def levels_of(texts: Sequence[str]) -> list[int]:
    """The level of each heading by its number, 0 if it has none: the outermost is 2, each further part adds one.

    Letters and Roman numerals are below numbers, or these below them, where they are counted between one and the next.
    """
    numbers = _numbers(texts)
    nesting = {kind: 2 + len(_above(kind, numbers)) for kind in _NESTING}
    words = [kind for kind in _WORD_RANKS if any(number is not None and number.kind == kind for number in numbers)]
    return [0 if number is None else _level(number, nesting, words) for number in numbers]


def _level(number: Number, nesting: dict[Kind, int], words: Sequence[Kind]) -> int:
    if number.kind in words:
        return min(2 + words.index(number.kind) + number.parts, 6)
    return min(nesting.get(number.kind, 2) + number.parts, 6)


def _numbers(texts: Sequence[str]) -> list[Number | None]:
    """One letter may be a Roman numeral: it is where it goes on with one, and no letter where it goes on with none."""
    found: list[Number | None] = []
    letter, roman = 0, 0
    for text in texts:
        number = _worded(text) or _decimal(text)
        if number is None and (both := _lettered(text)):
            as_letter, as_roman = both
            follows = as_roman is not None and as_roman.value in (1, roman + 1)
            number = as_letter
            if as_roman is not None and (as_letter is None or (follows and as_letter.value != letter + 1)):
                number = as_roman
        if number is not None:
            letter = number.value if number.kind == "letter" else letter
            roman = number.value if number.kind == "roman" else roman
            if number.kind == "roman":
                letter = 0
        found.append(number)
    return found


def _worded(text: str) -> Number | None:
    for kind, pattern in _WORDED:
        if found := pattern.match(text):
            return Number(kind, 0, found[1].count("."))
    return Number("appendix", 0) if _BARE_APPENDIX.match(text) else None


def _decimal(text: str) -> Number | None:
    found = _DECIMAL.match(text)
    return Number("number", int(found[1]), found[2].count(".")) if found else None


def _lettered(text: str) -> tuple[Number | None, Number | None] | None:
    """As a letter, and as a Roman numeral."""
    letter, roman = _LETTERED.match(text) or _LETTER_BLANK.match(text), _ROMAN.match(text)
    if letter is not None and letter[1] in "AI" and letter.re is _LETTER_BLANK:
        letter = None
    if letter is None and roman is None:
        return None
    parts = (letter[2] or "").count(".") if letter is not None and letter.re is _LETTERED else 0
    value = roman_value(roman[1]) if roman is not None else None
    return (
        Number("letter", ord(letter[1]) - ord("A") + 1, parts) if letter is not None else None,
        Number("roman", value) if value is not None else None,
    )


def _above(kind: Kind, numbers: Sequence[Number | None]) -> set[Kind]:
    """The kinds between whose neighbours this one is counted."""
    first = {other: _first(other, numbers) for other in _NESTING}
    return {
        other
        for other in _NESTING
        if other != kind and first[other] < first[kind] < len(numbers) and _is_between(kind, other, numbers)
    }


def _first(kind: Kind, numbers: Sequence[Number | None]) -> int:
    return next((at for at, number in enumerate(numbers) if number is not None and number.kind == kind), len(numbers))


def _is_between(kind: Kind, other: Kind, numbers: Sequence[Number | None]) -> bool:
    outer = [(at, number) for at, number in enumerate(numbers) if number is not None and number.kind == other]
    places = [at for at, number in enumerate(numbers) if number is not None and number.kind == kind]
    spans = [
        (start, end)
        for (start, before), (end, after) in pairwise((at, one) for at, one in outer if one.parts == 0)
        if after.value == before.value + 1
    ]
    return any(_holds(span, places) for span in spans)


def _holds(span: tuple[int, int], places: Sequence[int]) -> bool:
    start, end = span
    at = bisect_right(places, start)
    return at < len(places) and places[at] < end

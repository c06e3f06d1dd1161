"""Compare texts of different pages, and recognize page numbers and ends of sentences. Pure."""

from __future__ import annotations

import re
import unicodedata

_ROMAN = re.compile(r"(?=[mdclxvi])m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})")
_ROMAN_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
_NUMBER = re.compile(r"\d+|(?<![^\W\d_])[mdclxvi]+(?![^\W\d_])")

_COUNT = r"(?:\d{1,4}|[ivxlc]{1,7})"
_PAGE_WORDS = (
    r"(?:page|pages|seite|p\.|pg\.?|s\.|página|pagina|pág\.|side|sida|sivu|strona|strana|oldal|стр\.|страница)"
)
_PAGE_NUMBER = re.compile(
    rf"[\s\-–—|·•]*(?:{_PAGE_WORDS}\s*)?[-–—]?\s*(?P<count>{_COUNT})\s*[-–—]?"
    rf"(?:\s*(?:of|/|von|de|di|van|av|af|z|sur|из|\|)\s*{_COUNT})?[\s\-–—|·•]*"
    r"|第?\s*(?P<cjk>\d{1,4})\s*(?:页|頁|ページ)(?:.{0,4}\d{1,4}\s*(?:页|頁|ページ))?"
)

_SENTENCE_END = re.compile(r"[.!?:…。！？：．؟۔।][\"'”’»)\]」』）$]*(?:\s?(?:\[[\d,\s–-]{1,20}\]|[*†‡¹²³⁴-⁹]+))?$")
_OPENERS = "\"'“‘«([„"
_LETTER = re.compile(r"[^\W\d_]")


def compared(text: str) -> str:
    """The text normalized for comparison: case, character widths and white space are ignored."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def without_numbers(text: str) -> str:
    """As `compared`, with all numbers, Arabic or Roman, replaced by `#`."""
    return _NUMBER.sub(lambda found: "#" if _is_number(found.group()) else found.group(), compared(text))


def numbers_of(text: str) -> list[int]:
    """The values of the numbers, Arabic or Roman, in order."""
    return [_value(found) for found in _NUMBER.findall(compared(text)) if _is_number(found)]


def outer_numbers(text: str) -> list[int]:
    """The values of the numbers, Arabic or Roman, at a text's start and end: `2 Z. Shen et al.`, `Fees | iv`."""
    words = [word.strip("-–—|·•[](), ") for word in compared(text).replace("|", " ").split()]
    words = [word for word in words if word]
    return [_value(word) for word in dict.fromkeys([*words[:1], *words[-1:]]) if _is_number(word)]


def page_number_of(text: str) -> int | None:
    """The page number, if the text is nothing else: `12`, `- 3 -`, `Page 3 of 12`, `iv`."""
    found = _PAGE_NUMBER.fullmatch(compared(text))
    count = (found["count"] or found["cjk"]) if found else None
    return _value(count) if count is not None and _is_number(count) else None


def roman_value(text: str) -> int | None:
    """The value of a Roman numeral; None if the text is not one."""
    low = text.lower()
    return _value(low) if low and _ROMAN.fullmatch(low) else None


def ends_sentence(text: str) -> bool:
    """Whether the text ends a sentence, ignoring closing quotation marks, brackets and a reference."""
    return _SENTENCE_END.search(text.rstrip()[-60:]) is not None


def begins_lower(text: str) -> bool:
    return text.lstrip().lstrip(_OPENERS)[:1].islower()


def has_letters(text: str) -> bool:
    return _LETTER.search(text) is not None


def _is_number(text: str) -> bool:
    return text.isdigit() or _ROMAN.fullmatch(text) is not None


def _value(text: str) -> int:
    if text.isdigit():
        return int(text)
    values = [_ROMAN_VALUES[letter] for letter in text]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))

"""Decide where `*`, `_`, `~` can open or close a style. Pure.

Renderers differ on symbols such as `€` or `→`: up to CommonMark 0.30 they count as letters, from 0.31 as punctuation
(https://spec.commonmark.org/0.31.2/#left-flanking-delimiter-run).
"""

from __future__ import annotations

import string
import unicodedata
from functools import lru_cache

ASCII_PUNCTUATION = frozenset(string.punctuation)


def may_open(mark: str, before: str, after: str) -> bool:
    """Whether any renderer lets a run of `mark` open between these characters; "" is the start or end of the text."""
    return any(_opens(mark, _kind(before, strict), _kind(after, strict)) for strict in (False, True))


def may_close(mark: str, before: str, after: str) -> bool:
    """Whether any renderer lets a run of `mark` close between these characters."""
    return any(_opens(mark, _kind(after, strict), _kind(before, strict)) for strict in (False, True))


def surely_opens(mark: str, before: str, after: str) -> bool:
    """Whether all renderers let a run of `mark` open between these characters."""
    return all(_opens(mark, _kind(before, strict), _kind(after, strict)) for strict in (False, True))


def surely_closes(mark: str, before: str, after: str) -> bool:
    """Whether all renderers let a run of `mark` close between these characters."""
    return all(_opens(mark, _kind(after, strict), _kind(before, strict)) for strict in (False, True))


def _opens(mark: str, outside: str, inside: str) -> bool:
    """Whether a run opens, by the kind of character on each side; closing is the mirror image."""
    if not _flanks(outside, inside):
        return False
    return mark != "_" or outside == "sign" or not _flanks(inside, outside)


def _flanks(outside: str, inside: str) -> bool:
    return inside == "letter" or (inside == "sign" and outside != "letter")


@lru_cache(maxsize=4096)
def _kind(character: str, symbols_are_signs: bool) -> str:
    if not character or character.isspace():
        return "blank"
    category = unicodedata.category(character)[0]
    is_sign = character in ASCII_PUNCTUATION or category == "P" or (category == "S" and symbols_are_signs)
    return "sign" if is_sign else "letter"

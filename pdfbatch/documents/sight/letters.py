"""How far two readings of one line agree. Pure."""

from __future__ import annotations

import unicodedata
from difflib import SequenceMatcher


def likeness(one: str, other: str) -> float:
    """0 to 1, over letters and digits alone, without case and accents."""
    one, other = bare(one), bare(other)
    if not one and not other:
        return 1.0
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def bare(text: str) -> str:
    """Letters and digits, and private characters that may stand for such; without case and accents."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in plain if char.isalnum() or "\ue000" <= char <= "\uf8ff")

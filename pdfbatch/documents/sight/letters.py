"""Compare two readings of one line. Pure."""

from __future__ import annotations

import unicodedata
from difflib import SequenceMatcher


def likeness(one: str, other: str) -> float:
    """Return the similarity, 0 to 1, of letters and digits, ignoring case and accents."""
    one, other = bare(one), bare(other)
    if not one and not other:
        return 1.0
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def bare(text: str) -> str:
    """Return only letters, digits and private-use characters that may stand for them, without case and accents."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in plain if char.isalnum() or "\ue000" <= char <= "\uf8ff")

"""Compare words as multisets, to verify that a page's Markdown holds what its text layer holds. Pure.

A word is three letters or more, or two digits or more, after NFKC; everything else separates words. Line-end hyphens
are removed on both sides, because the Markdown joins such words.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

LEGIBLE_FROM = 20
"""With fewer words shares mean nothing."""
KEPT_SHARE = 0.9
DOUBLED_SHARE = 1.3

_WORD = re.compile(r"[^\W\d_]{3,}|\d{2,}")
_LINE_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\s*\n\s*(?=[^\W\d_])")


def words_of(text: str) -> Counter[str]:
    """Count the words of plain text."""
    return Counter(_WORD.findall(unicodedata.normalize("NFKC", _LINE_HYPHEN.sub("", text))))


def kept_enough(layer: Counter[str], out: Counter[str]) -> bool:
    total = layer.total()
    return total < LEGIBLE_FROM or (layer & out).total() >= KEPT_SHARE * total


def doubled(layer: Counter[str], out: Counter[str]) -> bool:
    total = layer.total()
    return total >= LEGIBLE_FROM and out.total() > DOUBLED_SHARE * total

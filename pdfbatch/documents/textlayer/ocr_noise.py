"""Measure words that nobody would write, which an old OCR made of a page that it could not read. Pure.

Measured: 12 % of the words in a bad layer, at most 2 % in good text of papers, law and tables.
"""

from __future__ import annotations

import re

FEWEST_WORDS = 40
"""With fewer words the share means nothing."""
LETTERS = 3
"""Shorter words are often symbols or parts of formulas."""

_EDGES = "\"'“”‘’„«»‹›()[]{}<>.,;:!?…·•*†‡§-–—/\\|"
_ADDRESS = re.compile(r"://|www\.|@")
_STRANGE = re.compile(
    r"[a-z]&|&[a-z]"
    r"|(?<=\w)[«»*^~|<>{}\\£$€¥©®™°¬¦■□•!;?\"“”]+(?=\w)"
    r"|[£¥©®°¬¦]\w|\w[£¥©¬¦]"
    r"|[a-z][A-Z]{2}|[A-Z]{2,}[a-z]{3}"
    r"|[a-z]\d+[a-z]"
    r"|[a-z]-\."
)


def implausible_share(text: str) -> float:
    """Return the share of distinct words with misplaced symbols, digits or capitals; 0 for a short text."""
    stripped = {word.strip(_EDGES) for word in text.split() if not _ADDRESS.search(word)}
    words = [word for word in stripped if sum(map(str.isalpha, word)) >= LETTERS]
    if len(words) < FEWEST_WORDS:
        return 0.0
    return sum(bool(_STRANGE.search(word)) for word in words) / len(words)

"""Classify characters by script, as far as blanks and text direction depend on it. Pure."""

from __future__ import annotations

import re
import unicodedata

RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
_UNSPACED = re.compile(
    "[\u2e80-\u2fff\u3000-\u30ff\u3105-\u312f\u31a0-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff9f"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)


def is_unspaced(char: str) -> bool:
    """Check whether `char` is Chinese or Japanese, scripts without blanks between words; Korean has them."""
    return bool(_UNSPACED.match(char))


def direction(char: str) -> str:
    """Return `R` for a letter that runs to the left, `L` for one that runs to the right, `N` for a digit, otherwise
    ""."""
    kind = unicodedata.bidirectional(char)
    if kind in ("R", "AL"):
        return "R"
    if kind in ("EN", "AN"):
        return "N"
    return "L" if kind == "L" else ""

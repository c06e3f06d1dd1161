"""Translate text in symbol fonts, where the text layer holds the typed letters instead of the symbols shown. Pure.

Only symbols that carry meaning: boxes, check marks and bullets. Codes follow the encoding of Zapf Dingbats (PDF
32000-1, annex D.6) and the charts of Wingdings and Wingdings 2.
"""

from __future__ import annotations

import functools
import re

_PRIVATE = 0xF000
"""The Unicode range in which symbol fonts have their codes."""
_ZAPF = str.maketrans("34567lmnopqrstuv8", "✓✔✕✖✗●○■□□□□▲▼◆❖✘")
_WINGDINGS = str.maketrans("lmnopqrstux\xa1\xa4\xa7\xa8\xfb\xfc\xfd\xfe\xd8\xe0\x9f", "●○■□□□□▪◆◆☒○◉▪☐✗✓☒☑➢→•")
_WINGDINGS_2 = str.maketrans("OPQRST\xa3\x97\x98", "✗✓☒☑☒☒☐••")
_FONTS = (
    (re.compile(r"Wingdings ?-?2", re.IGNORECASE), _WINGDINGS_2),
    (re.compile(r"Wingdings(?! ?-?3)", re.IGNORECASE), _WINGDINGS),
    (re.compile(r"Dingbats", re.IGNORECASE), _ZAPF),
)


def signs_meant(text: str, font: str) -> str:
    """Return `text` as `font` shows it; unchanged unless it is a symbol font."""
    table = _table_of(font)
    if table is None:
        return text
    return "".join(_meant(char, table) for char in text)


@functools.lru_cache(256)
def _table_of(font: str) -> dict[int, int] | None:
    return next((table for name, table in _FONTS if name.search(font)), None)


def _meant(char: str, table: dict[int, int]) -> str:
    code = ord(char) - _PRIVATE if 0 <= ord(char) - _PRIVATE < 256 else ord(char)
    return chr(table[code]) if code in table else char

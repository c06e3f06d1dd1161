"""Text of strangers as it may be shown: file names, keys and messages may hold characters that steer a terminal, turn
the reading direction or cannot be seen."""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode: controls (such as ESC), formats (such as a right-to-left override), lone surrogates, and
separators of lines and paragraphs."""


def visible(text: str, keep: str = "") -> str:
    """Returns the text with its unseen characters written as in JSON, such as `\\u001b`; those in `keep` stay.

    JSON stays the same JSON. A text without such characters is returned unchanged.
    """
    if text.isprintable():
        return text
    return "".join(
        _written(char) if unicodedata.category(char) in _UNSEEN and char not in keep else char for char in text
    )


def _written(char: str) -> str:
    """Returns the escape of one character; above U+FFFF it is a pair, as in JSON."""
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"

"""Normalise letters: split ligatures, put accents on their letters, apply NFC. Pure.

Old TeX fonts store accents as separate characters drawn before their letter ("Min´aˇc").
"""

from __future__ import annotations

import re
import unicodedata

_LIGATURES = str.maketrans(
    {
        "\ufb00": "ff",
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\ufb03": "ffi",
        "\ufb04": "ffl",
        "\ufb05": "st",
        "\ufb06": "st",
        "\u00a0": " ",
        "\t": " ",
        "\r": " ",
        "\n": " ",
        "\u200b": None,
        "\ufeff": None,
        "\x00": None,
    }
)
_LEADER = re.compile("\ufffd{4,}")
"""The dots of a table of contents, in a font without a mapping for them."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COMBINING = {
    "\u00b4": "\u0301",
    "\u00a8": "\u0308",
    "\u02c6": "\u0302",
    "\u02dc": "\u0303",
    "\u02c7": "\u030c",
    "\u02d8": "\u0306",
    "\u02d9": "\u0307",
    "\u02da": "\u030a",
    "\u02dd": "\u030b",
    "\u00b8": "\u0327",
    "\u02db": "\u0328",
}
_ACCENT = re.compile(f"([{''.join(_COMBINING)}]) ?([A-Za-z\u0131\u0237])")
# An acute accent typed as an apostrophe: don´t, it´s, we´re, I´ll, I´m.
_APOSTROPHE = re.compile(r"(?<=[A-Za-z])\u00b4(?=(?:s|t|m|d|re|ve|ll)\b)")
# Some TeX fonts give this for the ligature ff.
_ARROW_FF = re.compile("(?<=[A-Za-z])\u21b5(?=[a-z])")
_ARABIC_SHAPES = re.compile("[\ufb50-\ufdff\ufe70-\ufefc]+")
"""Contextual letter forms, which a text search does not find."""
_DOTLESS = {"\u0131": "i", "\u0237": "j"}


def normalised(text: str) -> str:
    """Return `text` with ligatures split, accents composed and control characters removed."""
    text = _LEADER.sub(" … ", text)
    if text.isascii():
        return _CONTROLS.sub("", text.translate(_LIGATURES))
    text = _ARABIC_SHAPES.sub(lambda shapes: unicodedata.normalize("NFKC", shapes.group()), text)
    text = _ARROW_FF.sub("ff", text)
    text = _APOSTROPHE.sub("'", text.translate(_LIGATURES))
    return unicodedata.normalize("NFC", _CONTROLS.sub("", _ACCENT.sub(_compose, text)))


def broken_in(text: str) -> int:
    """Count characters without meaning: U+FFFD, private use, unassigned, lone surrogates, controls."""
    if text.isascii() and text.isprintable():
        return 0
    text = _LEADER.sub("\ufffd", text)
    return sum(
        char == "\ufffd" or unicodedata.category(char) in ("Co", "Cn", "Cs", "Cc")
        for char in text
        if not char.isspace()
    )


def _compose(match: re.Match[str]) -> str:
    accent, letter = match.groups()
    letter = _DOTLESS.get(letter, letter)
    whole = unicodedata.normalize("NFC", letter + _COMBINING[accent])
    return whole if len(whole) == 1 else match.group()

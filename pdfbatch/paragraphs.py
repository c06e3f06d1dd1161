"""Join the lines, and the halves, of paragraphs. Pure."""

import re

_HYPHENS = "-\u00ad\u2010"
_BREAK = re.compile(rf"(?P<hyphen>(?<=\w)[{_HYPHENS}])? ?\n ?")
_HALF_WORD = re.compile(rf"[^\W\d_]+(?:[{_HYPHENS}][^\W\d_]+)*$")
_PREFIXES = frozenset(["self", "non", "well", "high", "low", "long", "short", "real", "open", "ex", "quasi", "pseudo"])
_NO_BLANKS = (
    "\u3000-\u303f\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
)
_CJK = re.compile(f"[{_NO_BLANKS}]")


def without_breaks(text: str) -> str:
    """Joins the lines of a paragraph: with a space, in CJK text with nothing, and without the hyphen of a broken
    word."""
    return _BREAK.sub(_glue, text)


def joined(left: str, right: str) -> str:
    """Joins two halves of a paragraph: the last line of `left` with the first of `right`."""
    above, newline, line = left.rpartition("\n")
    seam = without_breaks(f"{line[-60:]}\n{right[:2]}")
    return above + newline + line[:-60] + seam + right[2:]


def _glue(line_break: re.Match[str]) -> str:
    """The text that replaces a line break: nothing in CJK text, nothing or the hyphen within a word, else a space."""
    text = line_break.string
    before, after = text[max(0, line_break.start() - 60) : line_break.start()], text[line_break.end() :][:1]
    hyphen = line_break["hyphen"]
    if hyphen:
        if hyphen != "\u00ad" and (after.isdigit() or after.isupper() or not after):
            return hyphen
        if not after.islower():
            return hyphen + " " if after else ""
        half = _HALF_WORD.search(before)
        keeps = half is None or any(mark in half.group() for mark in "-\u2010") or half.group().lower() in _PREFIXES
        return hyphen if keeps and hyphen != "\u00ad" else ""
    return "" if _CJK.match(before[-1:]) and _CJK.match(after) else " "

"""Convert formulas as the model writes them to Markdown: `$…$` within text, `$$` on separate lines. Pure.

The LaTeX between the delimiters is not touched, except that blank lines are removed: they would end the formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_MOST = 2000
"""Characters of a formula at most; more means that a delimiter was never closed."""

_LONG = f"{{1,{_MOST}}}+"
_DISPLAY = (
    rf"(?<!\\)\$\$(?:[^$\\]|\\.|\$(?!\$)){_LONG}\$\$"
    rf"|(?<!\\)\\\[(?:[^\\]|\\[^\[\]]){_LONG}\\\]"
)
_INLINE = (
    rf"(?<!\\)\\\((?:[^\\]|\\[^()]){_LONG}\\\)"
    rf"|(?<![\\$])\$(?:[^$\\]|\\.){_LONG}\$(?![\d$])"
)
_DISPLAYS = re.compile(f"({_DISPLAY})", re.DOTALL)
_MATH = re.compile(f"{_DISPLAY}|{_INLINE}", re.DOTALL)
_OPENED = re.compile(r"\$\$|\\\[|\\\(")


def _wrapped(opening: str, closing: str) -> re.Pattern[str]:
    body = rf"(?P<body>(?:(?!{closing}).)*)"
    return re.compile(rf"{opening}{body}{closing}\s*(?P<stop>[.,;]?)\s*(?P<number>\([^()\s]{{1,12}}\))?", re.DOTALL)


_AS_DISPLAY = [_wrapped(r"\$\$", r"\$\$"), _wrapped(r"\\\[", r"\\\]")]
_AS_INLINE = [_wrapped(r"\\\(", r"\\\)"), _wrapped(r"\$", r"\$")]
_ENVIRONMENT = re.compile(r"\\begin\{(\w{1,20}\*?)\}.*\\end\{\1\}", re.DOTALL)
_MATHEMATICAL = re.compile(r"(?:[bpvBV]?matrix|array|align|aligned|equation|gather|gathered|cases|split|multline)\*?")
_SURELY = re.compile(r"[\\^_=<>+{}]")


class FormulaSegment(NamedTuple):
    """A piece of text, or a formula on one line in its Markdown delimiters."""

    text: str
    formula: bool


def display(text: str) -> list[str]:
    """A formula as Markdown blocks: one, several if the model wrote several, none if it is empty.

    The outermost delimiters are removed once. Punctuation after them moves into the formula, and a number in round
    brackets becomes its `\\tag`.
    """
    text = text.strip()
    for wrapped in _AS_DISPLAY + _AS_INLINE:
        if match := wrapped.fullmatch(text):
            return _block(match["body"], match["stop"], match["number"])
    parts = _DISPLAYS.split(text)
    if len(parts) > 1:
        return [block for place, part in enumerate(parts) for block in _either(part, place % 2 == 1)]
    if any(segment.formula for segment in segments(text)):
        return _either(text, False)
    return _block(_OPENED.sub("", text, count=1) if _OPENED.match(text) else text)


def is_display(text: str) -> bool:
    """Whether a text is a single formula without prose: in display delimiters, or one mathematical environment."""
    text = text.strip()
    environment = _ENVIRONMENT.fullmatch(text)
    if environment and _MATHEMATICAL.fullmatch(environment.group(1)):
        return True
    return any(wrapped.fullmatch(text) for wrapped in _AS_DISPLAY)


def segments(text: str) -> Iterator[FormulaSegment]:
    """Splits the text into formulas and the text between them.

    Dollar signs of amounts of money are distinguished from delimiters by what is between them. `$ x $` loses its
    spaces, because a formula in Markdown may not begin or end with one.
    """
    done = place = 0
    while match := _MATH.search(text, place):
        formula = _inline(match.group())
        if formula is None:
            place = match.start() + 1
            continue
        if done < match.start():
            yield FormulaSegment(text[done : match.start()], False)
        yield FormulaSegment(formula, True)
        done = place = match.end()
    if done < len(text):
        yield FormulaSegment(text[done:], False)


def without_blank_lines(text: str) -> str:
    """The text without the blank lines inside display formulas."""
    return _DISPLAYS.sub(lambda match: re.sub(r"\n\s*\n", "\n", match.group()), text)


def _either(part: str, formula: bool) -> list[str]:
    if formula:
        return _block(part[2:-2])
    line = " ".join("".join(segment.text for segment in segments(part)).split())
    return [line] if line else []


def _block(body: str, stop: str = "", number: str | None = None) -> list[str]:
    lines = [line.rstrip() for line in body.strip().split("\n") if line.strip()]
    if not lines:
        return []
    lines[-1] += stop
    if number:
        lines[-1] += rf" \tag{{{number[1:-1]}}}"
    return ["\n".join(["$$", *lines, "$$"])]


def _inline(part: str) -> str | None:
    """The formula in Markdown delimiters; None if the dollar signs are not delimiters."""
    width = 1 if part.startswith("$") and not part.startswith("$$") else 2
    inner = part[width:-width]
    body = " ".join(inner.split())
    if not body or (part.startswith(r"\(") and "$" in body) or (width == 1 and not _is_formula(inner)):
        return None
    if (len(body) - len(body.rstrip("\\"))) % 2:
        body += " {}"  # a trailing backslash would escape the delimiter
    mark = "$$" if part.startswith(("$$", r"\[")) else "$"
    return f"{mark}{body}{mark}"


def _is_formula(inner: str) -> bool:
    tight = inner == inner.strip()
    return tight or _SURELY.search(inner) is not None or re.fullmatch(r"\s+\S{1,12}\s+", inner) is not None

"""Join a chapter's large initial to the word that it begins. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pdfbatch.documents.textlayer.lines import Line

LARGER = 1.8
"""Times the size of the text beside it."""
NEAREST, FARTHEST = -0.3, 0.6
"""Range of the gap between the initial's right edge and the text beside it, in sizes of the initial."""
FEWEST_ROWS = 2
_INITIAL = re.compile(r"[\"'“„«‘¿¡(]?[^\W\d_]{1,2}")
_WORD = re.compile(r"[^\W\d_]+")
_WORDS_ALONE = frozenset("AIOaioYÀÉÓÚEУИАОВСКЯ")
"""Letters that are words in some language."""


def with_initials(lines: Sequence[Line]) -> list[Line]:
    """Put each large initial before the text of the first line beside it."""
    lines = list(lines)
    joined: dict[int, Line] = {}
    dropped: set[int] = set()
    for initial in (line for line in lines if _can_be_initial(line)):
        beside = sorted((line for line in lines if _stands_beside(initial, line)), key=lambda line: line.box[1])
        if len(beside) >= FEWEST_ROWS and _is_first(initial, beside[0]) and id(beside[0]) not in joined:
            joined[id(beside[0])] = _with_initial(initial, beside[0], lines)
            dropped.add(id(initial))
    return [joined.get(id(line), line) for line in lines if id(line) not in dropped]


def _can_be_initial(line: Line) -> bool:
    text = line.text.strip()
    return bool(_INITIAL.fullmatch(text)) and text[-1:] == text[-1:].upper() and line.pose.turn == 0 and not line.role


def _stands_beside(initial: Line, line: Line) -> bool:
    if line.pose != initial.pose or line.role or line.slanted or initial.size < LARGER * line.size:
        return False
    gap = (line.box[0] - initial.box[2]) / initial.size
    middle = (line.box[1] + line.box[3]) / 2
    return NEAREST < gap < FARTHEST and initial.box[1] - line.size < middle < initial.box[3]


def _is_first(initial: Line, line: Line) -> bool:
    """Check whether `line` starts at the initial's top and continues its word, in small letters or all capitals."""
    text = line.text.lstrip()
    word = _WORD.match(text)
    if word is None or line.box[1] > initial.box[1] + 1.2 * line.size + 0.2 * initial.size:
        return False
    return word.group()[0].islower() or (len(word.group()) > 1 and word.group().isupper())


def _with_initial(initial: Line, line: Line, lines: Sequence[Line]) -> Line:
    letter, text = initial.text.strip(), line.text.lstrip()
    blank = " " if _is_word(letter, text, lines) else ""
    first = line.pieces[0]
    return replace(line, pieces=[first._replace(text=letter + blank + first.text.lstrip()), *line.pieces[1:]])


def _is_word(letter: str, text: str, lines: Sequence[Line]) -> bool:
    """Decide whether the initial is a word of its own, judging by the words of the page."""
    found = _WORD.match(text)
    if found is None or letter not in _WORDS_ALONE:
        return False
    word = found.group().lower()
    others = [one for line in lines for one in _WORD.findall(line.text.lower())]
    return others.count(word) > 1 and letter.lower() + word not in others

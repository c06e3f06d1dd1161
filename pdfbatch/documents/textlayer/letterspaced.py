"""Close the gaps in letterspaced words ("C H A P T E R  O N E"). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from pdfbatch.documents.textlayer.bidi import Glyph

FEWEST_LETTERS = 4
WIDER = 1.6
"""Times the usual gap between letters, from which a gap separates words."""
_SPACED = re.compile(r"(?<!\S)[^\W\d_](?: +[^\W\d_]){3,}(?!\S)")
_NO_CHOICE = re.compile(r"[^A-Ha-h]")
_VOWEL = re.compile(r"[AEIOUaeiouÀ-ÖØ-öø-ÿ\u0370-\uffff]")


def looks_spaced(text: str) -> bool:
    """Check whether `text` holds a row of single letters that may be words; an alphabet or mere initials do not
    count."""
    return any(_is_words(found.group()) for found in _SPACED.finditer(text))


def without_gaps(glyphs: Sequence[Glyph]) -> list[Glyph]:
    """Return the glyphs of a line without blanks inside letterspaced words, and with one blank between those words."""
    text = "".join(glyph.text[0] for glyph in glyphs)
    kept: list[Glyph] = []
    reached = 0
    for found in _SPACED.finditer(text):
        if _is_words(found.group()):
            kept += [*glyphs[reached : found.start()], *_closed(glyphs[found.start() : found.end()])]
            reached = found.end()
    return [*kept, *glyphs[reached:]]


def _closed(run: Sequence[Glyph]) -> list[Glyph]:
    """Close one run, in a single style: MuPDF splits spans at gaps, and a gap between spans would become a blank
    again."""
    letters = [glyph for glyph in run if not glyph.text.isspace()]
    gaps = [right.left - left.right for left, right in pairwise(letters)]
    usual = median(gaps)
    letters = [letter._replace(style=run[0].style) for letter in letters]
    closed = [letters[0]]
    for gap, letter in zip(gaps, letters[1:], strict=True):
        if gap > WIDER * usual and gap - usual > 0.1 * (letter.right - letter.left):
            closed.append(Glyph(" ", closed[-1].right, letter.left, letter.style))
        closed.append(letter)
    return closed


def _is_words(run: str) -> bool:
    """Exclude letters in alphabetical order (an alphabet), a few of the first letters (choices or columns) and small
    letters (variables)."""
    letters = run.replace(" ", "")
    in_order = all(ord(right) - ord(left) == 1 for left, right in pairwise(letters))
    one_case = letters.isupper() or (letters[1:].islower() and len(letters) > FEWEST_LETTERS)
    return (
        len(letters) >= FEWEST_LETTERS
        and one_case
        and not in_order
        and bool(_VOWEL.search(letters) and _NO_CHOICE.search(letters))
    )

"""Detect fonts with a wrong character map, by reading a line or two of each from the picture.

Shifted, swapped and half-missing maps give text that looks healthy to a program, but the recogniser reads what a person
sees. A font is checked once per document. It is trusted unless two of its lines, read with high confidence, clearly
disagree with the layer, or disagree in the same letters each time: replacing good text would be worse than keeping bad.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from enum import Enum
from typing import NamedTuple

from pdfbatch.documents.pdf.boxes import inside_share
from pdfbatch.documents.sight.letters import bare, likeness
from pdfbatch.documents.sight.look import Span

FEWEST_LETTERS, MOST_LETTERS = 12, 120
"""Characters of a sample. PROSE_SHARE: letters in what is seen; KNOWN_SHARE: characters of known scripts in the layer.
Formulas are not judged."""
PROSE_SHARE, KNOWN_SHARE = 0.7, 0.9
ENOUGH_LETTERS, ENOUGH_DIFFERENT = 40, 14
"""Letters and distinct letters beyond which a longer sample adds nothing: reading time grows with length, and one
letter misread out of 40 does not put the font in doubt."""
MOST_SAMPLES = 3
"""Lines read per font and page, and pages on which an undecided font is tried."""
MOST_PAGES = 3
AGREES = 0.9
"""Likeness from which a line agrees: the recogniser itself gets a letter or two wrong."""
DISAGREES = 0.6
SURE = 0.93
"""Confidence of the recogniser needed to count a line against a font."""
SURE_NUMBER = 0.96
"""The same for numbers, and for a single sample."""
WHOLLY, LENGTHS_ALIKE = 0.35, 0.7
"""Texts of similar length with a likeness below this have nothing in common."""
PLAIN_SHARE = 0.6
FEWEST_SHORT, MOST_SHORT = 3, 18
"""Characters of a short span, and the number of short spans read per font and page."""
SWAPS = 3
"""How often one letter must stand for the same other letter."""
_ALIKE = [set(group) for group in ("o0", "il1jt", "s5", "b86", "z2", "g9q", "vy")]
"""Letters that the recogniser itself confuses."""
_UNLIKE_ITS_CAPITAL = frozenset("abdefghnqrt")
"""Small letters that cannot be confused with their capitals."""
_KNOWN = (
    ("\x00", "\u024f"),
    ("\u1e00", "\u1eff"),
    ("\u3040", "\u9fff"),
    ("\ue000", "\uf8ff"),
    ("\ufb00", "\ufb06"),
    ("\ufffd", "\ufffd"),
)
"""First and last letters of the scripts that the recogniser reads; private-use characters may stand for these."""


class FontVerdict(Enum):
    RIGHT = "right"
    MISREAD = "misread"
    UNKNOWN = "unknown"


class FontSample(NamedTuple):
    """One line as the layer and as the picture have it, and the recogniser's confidence."""

    layer: str
    seen: str
    sure: float


@dataclass
class Font:
    """What is known about one font of a document. `agreement`: the mean likeness of its samples, 0 to 1."""

    verdict: FontVerdict = FontVerdict.UNKNOWN
    samples: list[FontSample] = field(default_factory=list)
    pages: int = 0

    @property
    def agreement(self) -> float:
        known = [likeness(sample.layer, sample.seen) for sample in self.samples if _counts(sample)]
        return sum(known) / len(known) if known else 1.0


ReadSpan = Callable[[Span], tuple[str, float]]


class FontBook:
    """The fonts of one document."""

    def __init__(self) -> None:
        self.fonts: dict[str, Font] = {}

    def check(self, spans: Sequence[Span], read: ReadSpan) -> None:
        """Check the fonts of a page's visible spans that are still undecided; `read` reads a span from the picture."""
        for name, own in _by_font(spans).items():
            font = self.fonts.setdefault(name, Font())
            if font.verdict is not FontVerdict.UNKNOWN or font.pages >= MOST_PAGES:
                continue
            chosen = [[span] for span in best_samples(own, spans)] or short_samples(own, spans)
            font.pages += bool(chosen)
            for group in chosen:
                font.samples.append(_sample(group, read))
                font.verdict = verdict_of(font.samples, is_all=len(chosen) == 1)
                if font.verdict is not FontVerdict.UNKNOWN:
                    break

    def misread(self) -> set[str]:
        return {name for name, font in self.fonts.items() if font.verdict is FontVerdict.MISREAD}


def verdict_of(samples: Sequence[FontSample], is_all: bool = False) -> FontVerdict:
    """Judge a font by the samples read with confidence. One that agrees clears it, unless the same letters are wrong
    repeatedly; two that disagree, and none that agrees, condemn it. If a font has only one (`is_all`), that one must
    disagree completely. Pure."""
    sure = [sample for sample in samples if _counts(sample)]
    if not sure:
        return FontVerdict.UNKNOWN
    if is_all and len(samples) == 1 and _disagrees_wholly(sure[0]):
        return FontVerdict.MISREAD
    agreements = [likeness(sample.layer, sample.seen) for sample in sure]
    raised = [_raised_letters(sample) for sample in sure]
    if sum(raised) >= SWAPS and sum(map(bool, raised)) >= 2 - (is_all and len(samples) == 1):
        return FontVerdict.MISREAD
    if any(raised) and len(sure) < MOST_SAMPLES:
        return FontVerdict.UNKNOWN
    if agreements[0] >= 0.97 or (len(sure) >= MOST_SAMPLES and min(agreements) >= AGREES):
        return FontVerdict.RIGHT
    if len(sure) >= 2 and max(agreements) < DISAGREES:
        return FontVerdict.MISREAD
    if len(sure) >= 2 and has_swapped_letters(sure):
        return FontVerdict.MISREAD
    return FontVerdict.RIGHT if len(sure) >= MOST_SAMPLES and max(agreements) >= AGREES else FontVerdict.UNKNOWN


def has_swapped_letters(samples: Iterable[FontSample]) -> bool:
    """Check whether a letter of the layer stands `SWAPS` times or more, on two lines or more, for the same other letter
    (or for none) and never for itself. Pairs that the recogniser confuses do not count. Pure."""
    swaps: Counter[tuple[str, str]] = Counter()
    lines: dict[tuple[str, str], set[int]] = {}
    right: Counter[str] = Counter()
    for number, sample in enumerate(samples):
        for one, other in _aligned(bare(sample.layer), bare(sample.seen)):
            if one == other:
                right[one] += 1
            elif not any({one, other} <= alike for alike in _ALIKE):
                swaps[one, other] += 1
                lines.setdefault((one, other), set()).add(number)
    return any(
        count >= SWAPS and len(lines[pair]) >= 2 and right[pair[0] or pair[1]] == 0 for pair, count in swaps.items()
    )


def _raised_letters(sample: FontSample) -> int:
    """Count letters that are capitals in the layer and small in the picture, where the two differ in shape. The reverse
    may be small capitals."""
    one, other = _cased(sample.layer), _cased(sample.seen)
    if len(one) != len(other) or likeness(one, other) < AGREES:
        return 0
    return sum(a != b and a == b.upper() and b in _UNLIKE_ITS_CAPITAL for a, b in zip(one, other, strict=True))


def _cased(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text) if char.isalnum())


def _sample(spans: Sequence[Span], read: ReadSpan) -> FontSample:
    """Read a sample of one span, or of several short ones in their order."""
    pieces = [read(span) for span in spans]
    layer, seen = " ".join(span["text"] for span in spans), " ".join(text for text, _ in pieces)
    return FontSample(layer, seen, min(sure for _, sure in pieces))


def _counts(sample: FontSample) -> bool:
    """Check whether a sample is evidence about its font: text in a known script, read with confidence."""
    if sample.sure < SURE:
        return False
    if not _is_known_text(sample.layer):
        return _is_plain_latin(sample)
    return _is_prose(sample.seen) or (sample.sure >= SURE_NUMBER and _is_number(sample.seen))


def _is_plain_latin(sample: FontSample) -> bool:
    """Check whether small Latin letters are seen where the layer has a script unknown to the recogniser. In such a
    script it would read blanks, zeros, or capitals of the same shape."""
    letters = [char for char in sample.seen if char.isalpha()]
    small = sum("a" <= char <= "z" for char in letters)
    least = max(len(letters), sum(map(str.isalnum, sample.layer)))
    return len(letters) >= FEWEST_LETTERS and small >= PLAIN_SHARE * least


def _disagrees_wholly(sample: FontSample) -> bool:
    one, other = (len(text.replace(" ", "")) for text in (sample.layer, sample.seen))
    fewest = FEWEST_LETTERS / 2 if _is_number(sample.seen) else FEWEST_LETTERS
    alike = min(one, other) >= LENGTHS_ALIKE * max(one, other) and other >= fewest
    return alike and sample.sure >= SURE_NUMBER and likeness(sample.layer, sample.seen) < WHOLLY


def _is_number(text: str) -> bool:
    return sum(map(str.isdigit, text)) >= max(FEWEST_LETTERS / 2, PROSE_SHARE * len(text.replace(" ", "")))


def _is_known_text(text: str) -> bool:
    visible = text.replace(" ", "")
    return sum(map(is_known, visible)) >= KNOWN_SHARE * len(visible)


def _is_prose(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    return letters >= FEWEST_LETTERS / 2 and letters >= PROSE_SHARE * len(text.replace(" ", ""))


def best_samples(own: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """Return spans of one font that can be read alone: long enough, horizontal or vertical, not overlapped. The
    shortest with enough letters comes first, then those with the most distinct letters."""
    fit = [span for span in own if _is_fit(span)]
    fit.sort(key=lambda span: _sample_rank(bare(span["text"])))
    alone = (span for span in fit if not _is_crossed(span, others))
    return [span for _, span in zip(range(MOST_SAMPLES), alone, strict=False)]


def _sample_rank(letters: str) -> tuple[bool, int]:
    """Return a sort key; lower is better."""
    different = len(set(letters))
    is_enough = len(letters) >= ENOUGH_LETTERS and different >= ENOUGH_DIFFERENT
    return not is_enough, len(letters) if is_enough else -different


def short_samples(own: Sequence[Span], others: Sequence[Span]) -> list[list[Span]]:
    """Group short spans into samples, for a font that has no long spans, as in table cells."""
    fit = [span for span in own if _is_fit(span, FEWEST_SHORT)]
    fit.sort(key=lambda span: -len(span["text"]))
    samples: list[list[Span]] = [[]]
    for span in [span for span in fit[:MOST_SHORT] if not _is_crossed(span, others)]:
        if sum(len(bare(one["text"])) for one in samples[-1]) >= FEWEST_LETTERS:
            samples.append([])
        samples[-1].append(span)
    whole = [one for one in samples if sum(len(bare(span["text"])) for span in one) >= FEWEST_LETTERS]
    if not whole and _is_number("".join(span["text"] for span in samples[-1])):
        return [samples[-1]]  # a sum in a font of its own
    return whole[:MOST_SAMPLES]


def _is_fit(span: Span, fewest: int = FEWEST_LETTERS) -> bool:
    visible = span["text"].replace(" ", "")
    if not fewest <= len(visible) <= MOST_LETTERS or max(map(abs, span["dir"])) < 0.999:
        return False
    return bool(sum(char.isalpha() or is_known(char) for char in visible) >= KNOWN_SHARE * len(visible))


def is_known(char: str) -> bool:
    """Check whether the recogniser knows a letter's script: Latin, Chinese, Japanese; private-use characters may stand
    for these."""
    return any(first <= char <= last for first, last in _KNOWN)


def _is_crossed(span: Span, others: Iterable[Span]) -> bool:
    return any(other is not span and inside_share(other["bbox"], span["bbox"]) > 0.25 for other in others)


def _by_font(spans: Iterable[Span]) -> dict[str, list[Span]]:
    fonts: dict[str, list[Span]] = {}
    for span in spans:
        fonts.setdefault(span["font"], []).append(span)
    return fonts


def _aligned(one: str, other: str) -> Iterable[tuple[str, str]]:
    """Return pairs of letters in the same place; "" where one text lacks a letter."""
    if len(one) == len(other):
        yield from zip(one, other, strict=True)
        return
    for kind, a0, a1, b0, b1 in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal" or (kind == "replace" and a1 - a0 == b1 - b0):
            yield from zip(one[a0:a1], other[b0:b1], strict=True)
        elif kind == "insert" and b1 - b0 == 1:
            yield "", other[b0]


KEPT = 8
_books: OrderedDict[tuple[str, int], FontBook] = OrderedDict()


def book_of(name: str, objects: int) -> FontBook:
    """Return the fonts of the open document with this name and number of objects; the last few are cached."""
    key = (name, objects)
    _books[key] = _books.pop(key) if key in _books else FontBook()
    while len(_books) > KEPT:
        _books.popitem(last=False)
    return _books[key]

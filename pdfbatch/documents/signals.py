"""What reading a page without the model tells of it, as numbers from 0 to 1: the input of triage.

They are computed where the engine `auto` decides, from what is there already. Whoever changes what one of them means,
or adds one, counts `SIGNALS_VERSION` up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from pdfbatch.documents.layout.flags import IN_FIGURE, MATH, UNSETTLED
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.sight.sight import MISREAD, UNREAD, Sight
from pdfbatch.documents.textlayer.health import Health, picture_share
from pdfbatch.documents.textlayer.lines import Line
from pdfbatch.documents.textlayer.ocr_noise import implausible_share
from pdfbatch.records import SIGNALS_VERSION, Element, Label, PageResult, Signals

MANY_LETTERS = 10_000
MANY_ELEMENTS = 100
_WORD = re.compile(r"\S+")
_HEADINGS = frozenset({Label.TITLE, Label.HEADING})


def layer_signals(page: pymupdf.Page, sight: Sight, health: Health, needs_picture: bool) -> Signals:
    """Return the signals of a page whose text layer was judged."""
    lines = sight.lines
    letters = _letters(lines)
    seen = {id(line) for line, _ in sight.read}
    values = {
        "letters": _amount(letters, MANY_LETTERS),
        "pictures": picture_share(page),
        "broken": sum(line.broken for line in lines) / max(1, letters),
        "hidden": _letters(line for line in lines if line.hidden) / max(1, letters),
        "implausible": implausible_share("\n".join(line.text for line in lines)),
        "from_picture": _letters(line for line in lines if id(line) in seen) / max(1, letters),
        "concealed": _share(sum(len(one.text) for one in sight.removed), letters),
        "unexplained": 1 - sight.explained,
        "disagreement": 1 - sight.agreement,
        "misread": MISREAD in sight.flags,
        "unread": UNREAD in sight.flags,
        "stamped": sight.is_stamped_picture,
        "no_layer": not lines,
        "doubtful": health is Health.DOUBTFUL,
        "old_ocr": health is Health.HIDDEN,
        "turned": page.rotation != 0,
    }
    return Signals(version=SIGNALS_VERSION, needs_picture=needs_picture, before=_kept(values))


def with_reading(signals: Signals, page: PageResult) -> Signals:
    """Add the signals of the page's elements, as it was read."""
    elements = page.elements
    text = "\n".join(element.text for element in elements)
    letters = max(1, len(text))
    words = _WORD.findall(text)
    area = max(1.0, page.width * page.height)

    def share(chosen: Iterable[Element]) -> float:
        return sum(len(element.text) for element in chosen) / letters

    values = {
        "doubt": 1 - page.score,
        "ocr": page.read_by == "ocr",
        "plain": page.read_by == "plain",
        "words_lost": "words_lost" in page.flags,
        "unknown": sum("\ufffd" in word for word in words) / max(1, len(words)),
        "ocr_letters": share(each for each in elements if each.source == "ocr"),
        "worst_element": 1 - min((element.score for element in elements), default=1.0),
        "odd_words": implausible_share(text),
        "lone": sum(len(word) == 1 for word in words) / max(1, len(words)),
        "digits": sum(map(str.isdigit, text)) / letters,
        "symbols": sum(not (sign.isalnum() or sign.isspace()) for sign in text) / letters,
        "formulas": share(each for each in elements if each.label is Label.FORMULA or MATH in each.flags),
        "tables": share(each for each in elements if each.label is Label.TABLE),
        "unsettled": share(each for each in elements if UNSETTLED in each.flags),
        "figures": sum(_area(each) for each in elements if each.label is Label.FIGURE) / area,
        "in_figures": share(each for each in elements if IN_FIGURE in each.flags),
        "headings": _part(elements, _HEADINGS),
        "lists": _part(elements, {Label.LIST_ITEM}),
        "elements": _amount(len(elements), MANY_ELEMENTS),
        "text": _amount(len(text), MANY_LETTERS),
    }
    return signals.model_copy(update={"after": _kept(values)})


def _kept(values: Mapping[str, float]) -> dict[str, float]:
    rounded = {name: round(min(1.0, max(0.0, float(value))), 4) for name, value in values.items()}
    return {name: value for name, value in rounded.items() if value}


def _letters(lines: Iterable[Line]) -> int:
    return sum(len(line.text.replace(" ", "")) for line in lines)


def _amount(count: int, many: int) -> float:
    """Return a count on a scale on which ten times as much is a fixed step more; `many` is 1."""
    return math.log1p(count) / math.log1p(many)


def _share(part: int, rest: int) -> float:
    return part / max(1, part + rest)


def _part(elements: Sequence[Element], labels: Iterable[Label]) -> float:
    return sum(element.label in labels for element in elements) / max(1, len(elements))


def _area(element: Element) -> float:
    x0, y0, x1, y1 = element.box
    return max(0.0, x1 - x0) * max(0.0, y1 - y0)

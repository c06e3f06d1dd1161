"""Find text of the layer that no viewer shows, as opposed to pale or small text or text on a dark background.

The picture decides: does anything at a word's place differ from the background colour? So every way of hiding text is
covered. A first check on the small picture takes microseconds per span. What looks empty there is drawn larger, in
colour, and judged word by word, so that a bar over one name hides only that name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from pdfbatch.documents.pdf.boxes import inside_share, union
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.upright import UPRIGHT
from pdfbatch.documents.sight.closer import CROSSING, Closer, Seen
from pdfbatch.documents.sight.letters import bare
from pdfbatch.documents.sight.look import LEVEL, Gray, Look, Span, core, spans_of
from pdfbatch.documents.textlayer.lines import Box, Line, LinePiece, is_unpainted, text_blocks

SUSPECT = 24
"""Shades in the small picture, where thin strokes are paler than their colour: below this, look closer."""
EMPTY_RUN = 0.9
"""Font sizes: no blank between words is this wide, so something may cover the text."""
TINY = 1.0
"""Font size in points below which text is not meant to be read."""
SQUEEZED, FEWEST_SQUEEZED = 0.2, 4
"""Points per letter: at least this many letters this narrow count as tiny too; combining marks have no width."""
PALE = 200
MARK_SIZE = 2.0
"""Times the font size of the text, from which text over it is a watermark."""
MOST_ASKED = 5
"""Spans read from the picture to check whether it shows the hidden text under it; of more, some are sampled."""
_STROKED = pymupdf.mupdf.FZ_STEXT_STROKED

Vouch = Callable[[Span], bool]
"""Decides whether the picture shows this text in this box (unrotated space), by OCR."""


class Concealed(NamedTuple):
    """Words of one span that are not visible. `box` is in the page's unrotated space; `ink` identifies the span."""

    box: Box
    text: str
    reason: str
    ink: tuple[Any, ...]
    instead: Line | None = None
    """The text that the picture shows in its place, which replaces it."""

    def is_of(self, span: dict[str, Any]) -> bool:
        """Check whether a span in the same place has the same ink and, if that is not enough, the same text."""
        own = ink_of(span)
        if len(self.ink) == len(own):
            return self.ink == own
        text = span["text"] if "text" in span else "".join(char["c"] for char in span["chars"])
        return self.ink[:-1] == own and bare(text) in self.ink[-1]


class Word(NamedTuple):
    box: Box
    text: str


def concealed_in(page: pymupdf.Page, look: Look, vouch: Vouch | None = None) -> list[Concealed]:
    """Return all words of the layer that the page does not show. `vouch` is called for unpainted text, or text covered
    by an image, with visible ink: is the ink this text? Without `vouch` such text counts as visible."""
    pictures = _Pictures(page, look)
    numbers = list(_suspects(look, pictures))
    if not numbers:
        return []
    inside = [n for n in numbers if _is_inside(look, look.spans[n]["bbox"]) and not _is_tiny(look.spans[n])]
    closer = _closer(page, [look.spans[n] for n in inside])
    judges = [_Judge(look, closer, n) for n in numbers]
    found = [one for judge in judges if (one := judge.whole())]
    if parts := [judge for judge in judges if judge.may_be_concealed_in_part()]:
        raw = list(spans_of(look.textpage.extractRAWDICT()["blocks"]))
        found += [one for judge in parts for one in judge.in_part(list(words_of_span(raw[judge.number])))]
    seen = {n for n in numbers if not any(one.box == look.spans[n]["bbox"] for one in found)}
    asked = [
        look.spans[n] for n in inside if n in seen and (is_unpainted(look.spans[n]) or pictures.lie_on(look.spans[n]))
    ]
    return found + _disowned(asked, vouch) if vouch else found


def concealed_under(spans: Iterable[Span]) -> list[Concealed]:
    """Return whole spans that lie under others, whose ink may be the same."""
    return [Concealed(s["bbox"], s["text"], "hidden_covered", (*ink_of(s), bare(s["text"]))) for s in spans]


def lines_of_concealed(concealed: Iterable[Concealed]) -> list[Line]:
    """Return the concealed text as lines, to be kept separate."""
    return [
        Line(one.box, UPRIGHT, one.box[3] - one.box[1], [LinePiece(one.text)], concealed=one.reason)
        for one in concealed
    ]


def blocks_without(
    textpage: pymupdf.TextPage, concealed: list[Concealed], matrix: pymupdf.Matrix
) -> list[dict[str, Any]]:
    """Return the text page's blocks, with spans of text or characters, without concealed text. `matrix` maps the page's
    unrotated space to theirs."""
    gone = [_moved(one, matrix) for one in concealed]
    blocks: list[dict[str, Any]] = textpage.extractRAWDICT()["blocks"]
    for block in text_blocks(blocks):
        for line in block["lines"]:
            line["spans"] = [kept for span in line["spans"] for kept in _amended(span, gone)]
            if line["spans"]:
                line["bbox"] = union([span["bbox"] for span in line["spans"]])
        block["lines"] = [line for line in block["lines"] if line["spans"]]
    return blocks


class SeenText:
    """A text page without concealed text, see `blocks_without`, with the same methods as pymupdf's own."""

    def __init__(self, textpage: pymupdf.TextPage, concealed: list[Concealed], matrix: pymupdf.Matrix) -> None:
        self._textpage = textpage
        self._concealed = concealed
        self._matrix = matrix

    def extractDICT(self) -> dict[str, Any]:
        if not self._concealed:
            return self._textpage.extractDICT()  # type: ignore[no-any-return]
        return {"blocks": blocks_without(self._textpage, self._concealed, self._matrix)}

    def extractRAWDICT(self) -> dict[str, Any]:
        if not self._concealed:
            return self._textpage.extractRAWDICT()  # type: ignore[no-any-return]
        return {"blocks": blocks_without(self._textpage, self._concealed, self._matrix)}


def words_of_span(span: dict[str, Any]) -> Iterator[Word]:
    """Yield the words of a span with characters."""
    for blank, group in groupby(span["chars"], key=lambda char: char["c"].isspace()):
        chars = list(group)
        if not blank:
            yield Word(union([char["bbox"] for char in chars]), "".join(char["c"] for char in chars))


def ink_of(span: dict[str, Any]) -> tuple[Any, ...]:
    """Return what distinguishes a span from another in the same place."""
    return span["font"], span.get("color"), span.get("alpha")


def _moved(one: Concealed, matrix: pymupdf.Matrix) -> Concealed:
    instead = one.instead and replace(one.instead, box=tuple(pymupdf.Rect(one.instead.box) * matrix))
    return one._replace(box=tuple(pymupdf.Rect(one.box) * matrix), instead=instead)


def _amended(span: dict[str, Any], gone: list[Concealed]) -> Iterator[dict[str, Any]]:
    """Yield the span without concealed words. A replacement text is yielded once and then removed from `gone`."""
    chars = span["chars"]
    own = [n for n, one in enumerate(gone) if inside_share(span["bbox"], one.box) > 0 and one.is_of(span)]
    kept = [char for char in chars if not any(_holds(gone[n].box, char["bbox"]) for n in own)]
    for n in own if len(kept) < len(chars) else ():
        if instead := gone[n].instead:
            gone[n] = gone[n]._replace(instead=None)
            yield _written(span, instead)
    text = "".join(char["c"] for char in kept)
    if text.strip() or not own:
        box = span["bbox"] if len(kept) == len(chars) else union([char["bbox"] for char in kept])
        yield span | {"text": text, "chars": kept, "bbox": box}


def _written(span: dict[str, Any], line: Line) -> dict[str, Any]:
    """Return the span with another text, its letters spread evenly over the line's box."""
    x0, y0, x1, y1 = line.box
    step = (x1 - x0) / max(1, len(line.text))
    chars = [
        span["chars"][0] | {"c": char, "bbox": (x0 + n * step, y0, x0 + (n + 1) * step, y1)}
        for n, char in enumerate(line.text)
    ]
    return span | {"text": line.text, "chars": chars, "bbox": line.box, "sure": line.sure}


def _holds(box: Box, char: Box) -> bool:
    x, y = (char[0] + char[2]) / 2, (char[1] + char[3]) / 2
    return box[0] - 0.1 <= x <= box[2] + 0.1 and box[1] - 0.1 <= y <= box[3] + 0.1


def _suspects(look: Look, pictures: _Pictures) -> Iterator[int]:
    """Yield the numbers of the spans to be checked more closely. Lines in one colour are checked as a whole, which is
    faster."""
    for _, group in groupby(enumerate(look.spans), key=lambda pair: pair[1]["line"]):
        pairs = list(group)
        spans = [span for _, span in pairs]
        if len(spans) > 1 and len({(span["color"], span["alpha"], is_unpainted(span)) for span in spans}) == 1:
            whole = max(spans, key=lambda span: float(span["size"])) | {
                "bbox": union([span["bbox"] for span in spans]),
                "text": "".join(span["text"] for span in spans),
            }
            tiny = any(map(_is_tiny, spans))
            if not tiny and not _is_suspect(look, whole) and not pictures.lie_on(whole, 0.1):
                continue
        yield from (n for n, span in pairs if _is_suspect(look, span) or pictures.lie_on(span))


def _is_suspect(look: Look, span: Span) -> bool:
    if is_unpainted(span) or _is_tiny(span) or span.get("alpha", 255) < 128 or not _is_inside(look, span["bbox"]):
        return True
    if not any(char.isalnum() for char in span["text"]):
        return False
    middle = look.part(core(span["bbox"], span["dir"]))
    if middle.size == 0:
        return True
    if not span["char_flags"] & _STROKED and _may_be_ground(span["color"], look.part(span["bbox"])):
        return True
    return int(middle.max()) - int(middle.min()) < SUSPECT or _has_gap(look, span)


def _has_gap(look: Look, span: Span) -> bool:
    """Check for a gap wider than any blank between words, where something plain may cover part of the span."""
    if max(map(abs, span["dir"])) <= LEVEL:
        return False
    x0, y0, x1, y1 = span["bbox"]
    deep = (x0, y0 + 0.3 * (y1 - y0), x1, y1 - 0.06 * (y1 - y0))  # skips full stops and leaders too
    middle = look.part(deep if abs(span["dir"][0]) > LEVEL else core(span["bbox"], span["dir"]))
    across = 1 if abs(span["dir"][1]) > LEVEL else 0
    least = int(EMPTY_RUN * span["size"] * look.scale) + 2
    if middle.shape[1 - across] < least:
        return False
    inked = middle.max(axis=across) - middle.min(axis=across) >= SUSPECT
    return bool(inked.tobytes().find(bytes(least)) >= 0)


def _may_be_ground(colour: int, part: Gray) -> bool:
    """Check whether text of this colour may stand on the same colour. The mean is fast, and near the background's where
    ink is sparse."""
    luma = _luma(colour)
    return abs(luma - float(part.mean())) < 4 * SUSPECT and abs(luma - float(np.median(part))) < SUSPECT


def _is_tiny(span: Span) -> bool:
    x0, y0, x1, y1 = span["bbox"]
    level, upright = abs(span["dir"][0]) > LEVEL, abs(span["dir"][1]) > LEVEL
    length = x1 - x0 if level else y1 - y0 if upright else max(x1 - x0, y1 - y0)
    return bool(span["size"] < TINY or (length < SQUEEZED * len(span["text"]) and len(span["text"]) >= FEWEST_SQUEEZED))


def _is_inside(look: Look, box: Box) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return 0 <= x <= look.size[0] and 0 <= y <= look.size[1]


def _luma(colour: int) -> float:
    return 0.299 * (colour >> 16 & 255) + 0.587 * (colour >> 8 & 255) + 0.114 * (colour & 255)


def _closer(page: pymupdf.Page, spans: list[Span]) -> Closer | None:
    if not spans:
        return None
    return Closer(page, [span["bbox"] for span in spans], float(np.median([span["size"] for span in spans])))


class _Judge:
    """Judges one suspected span, and its words if necessary."""

    def __init__(self, look: Look, closer: Closer | None, number: int) -> None:
        self._look, self._closer, self.number = look, closer, number
        self._span = look.spans[number]
        speaks = any(map(str.isalnum, self._span["text"]))
        self._why = self._reason(Word(self._span["bbox"], self._span["text"])) if speaks else ""

    def whole(self) -> Concealed | None:
        return self._one(self._span["bbox"], self._span["text"], self._why) if self._why else None

    def may_be_concealed_in_part(self) -> bool:
        x0, y0, x1, y1 = self._span["bbox"]
        corners = ((x0, y0, x0, y0), (x1, y1, x1, y1))
        crosses = not all(_is_inside(self._look, corner) for corner in corners)
        return not self._why and not is_unpainted(self._span) and (crosses or _has_gap(self._look, self._span))

    def in_part(self, words: list[Word]) -> list[Concealed]:
        """Return one item for each run of invisible words. Punctuation alone follows the words."""
        reasons = [self._reason(word) if any(map(str.isalnum, word.text)) else "" for word in words]
        runs = groupby(zip(words, reasons, strict=True), key=lambda pair: pair[1])
        found = []
        for reason, group in runs:
            if reason:
                run = [word for word, _ in group]
                text = " ".join(word.text for word in run)
                found.append(self._one(union([word.box for word in run]), text, reason))
        return found

    def _one(self, box: Box, text: str, reason: str) -> Concealed:
        return Concealed(box, text, reason, ink_of(self._span))

    def _reason(self, word: Word) -> str:
        """Return why it is not visible; "" if it is."""
        span = self._span
        if not _is_inside(self._look, word.box):
            return "hidden_outside"
        if _is_tiny(span):
            return "hidden_tiny"
        assert self._closer
        unpainted = is_unpainted(span)
        seen = self._closer.sees(word.box, span["dir"], span["color"], 255 if unpainted else span.get("alpha", 255))
        if seen is Seen.SHOWN or (seen is Seen.SAME and (unpainted or not self._is_ground(word))):
            return ""
        if unpainted:
            return "hidden_mode3"
        if _luma(span["color"]) >= PALE:
            return "hidden_white"
        return "" if self._lies_under_letter(word) else "hidden_covered"

    def _lies_under_letter(self, word: Word) -> bool:
        """Check whether a letter of a watermark covers it, which is chance and not meant to hide it."""
        assert self._closer
        larger = (span for span in self._look.spans if span["size"] >= MARK_SIZE * self._span["size"])
        return any(
            inside_share(word.box, span["bbox"]) > 0.8 and self._closer.is_ground(word.box, span["color"])
            for span in larger
        )

    def _is_ground(self, word: Word) -> bool:
        """Check whether the ink at a word in its background's colour belongs to something else. Strokes have a colour
        of their own."""
        assert self._closer
        if self._span["char_flags"] & _STROKED:
            return False
        if self._closer.ink(word.box, self._span["dir"]) < CROSSING:
            return True
        others = (span for n, span in enumerate(self._look.spans) if n != self.number)
        return any(inside_share(word.box, other["bbox"]) > 0.2 for other in others)


class _Pictures:
    """The images of a page, in painting order."""

    def __init__(self, page: pymupdf.Page, look: Look) -> None:
        log = page.get_bboxlog() if look.spans and page.get_images(full=True) else []
        self._texts = [(place, box) for place, (kind, box) in enumerate(log) if kind.endswith("-text")]
        self._pictures = [(place, box) for place, (kind, box) in enumerate(log) if kind == "fill-image"]

    def lie_on(self, span: Span, least: float = 0.8) -> bool:
        """Check whether an image painted after the span covers at least that share of it."""
        if not self._pictures:
            return False
        over = [place for place, box in self._pictures if inside_share(span["bbox"], box) > least]
        if not over:
            return False
        own = [place for place, box in self._texts if inside_share(core(span["bbox"], span["dir"]), box) > 0.5]
        return bool(own) and max(over) > min(own)


def _disowned(spans: list[Span], vouch: Vouch) -> list[Concealed]:
    """Return the spans for which the picture shows other ink. Of many, only some are sampled."""
    spans = [span for span in spans if sum(map(str.isalnum, span["text"])) > 3]
    step = max(1, len(spans) // MOST_ASKED)
    asked = spans if len(spans) <= MOST_ASKED else spans[::step][:MOST_ASKED]
    against = [span for span in asked if not vouch(span)]
    if len(spans) > MOST_ASKED:
        against = spans if len(against) > 0.75 * len(asked) else []
    reason = {True: "hidden_mode3", False: "hidden_covered"}
    return [Concealed(s["bbox"], s["text"], reason[is_unpainted(s)], ink_of(s)) for s in against]

"""Read a page's text layer as lines of styled pieces, from MuPDF's structured text."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.upright import Pose, pose_from
from pdfbatch.documents.textlayer.dingbats import signs_meant
from pdfbatch.documents.textlayer.normalize import broken_in, normalised

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in points; y grows downwards."""

RAW_FLAGS = (
    pymupdf.TEXT_PRESERVE_LIGATURES
    | pymupdf.TEXT_PRESERVE_WHITESPACE
    | pymupdf.TEXT_MEDIABOX_CLIP
    | pymupdf.TEXT_IGNORE_ACTUALTEXT
)
"""Text only: a twentieth of the time that styles and vectors take. The visible text counts, not a tag's ActualText."""

RAISED_SIZE = 0.86
"""Largest size of a superscript as a share of its line's."""
RAISED_LENGTH = 10
RAISED_LETTERS = 3
WORD_GAP = 0.17
"""A gap of this share of the font size between two pieces is a missing blank."""

FAINT_INK = 0.5
"""Black ink is 1, white paper 0."""
SLANTED = 0.1
"""Sine of the angle from which a line cannot be a row of text, even on a crooked scan."""

BULLETS = "•◦▪▫■□●○‣⁃∙\u25a0-\u25ff\u2756\u27a2\uf0a7\uf0b7\uf0d8"
"""For use within [] in a regular expression."""

_LETTER = r"[^\W\d_]"
_UNKNOWN = re.compile(
    "(?: \ufffd+)+(?= |$)"
    rf"|(?<!{_LETTER})(?<!\ufffd)\ufffd+"
    rf"|\ufffd+(?!\ufffd)(?!{_LETTER})"
)
"""Characters without a meaning in their font, with the blank before them if another follows. Within a word they stay,
to show that a letter is missing."""

_PAINTED = pymupdf.mupdf.FZ_STEXT_FILLED | pymupdf.mupdf.FZ_STEXT_STROKED
_BOLD = pymupdf.mupdf.FZ_STEXT_BOLD
_STRUCK = pymupdf.mupdf.FZ_STEXT_STRIKEOUT
_BOLD_FONT = re.compile(r"bold|black|heavy|CMBX|-Medi$", re.IGNORECASE)
"""Some TeX fonts are not marked as bold or italic."""
_ITALIC_FONT = re.compile(r"ital|obli|CMTI|CMSL", re.IGNORECASE)
_MATH_FONT = re.compile(
    r"CM(?:MI|SY|EX|BSY|MIB)|MS[AB]M|EU[FS]M|RSFS|LMMath|Math|Mathematical|MT(?:SY|MI|EX)|[tp]xsy|[tp]xmi|wasy|^Symbol"
)
"""Math fonts of TeX, word processors and publishers."""
_RTL = ("R", "AL")


class LinePiece(NamedTuple):
    """Text in one style. `raised`: a superscript. `struck`: struck out. `link`: the URI that it links to."""

    text: str
    bold: bool = False
    italic: bool = False
    mono: bool = False
    raised: bool = False
    struck: bool = False
    link: str = ""


@dataclass(slots=True)
class Line:
    """One line as MuPDF sees it; several may stand side by side."""

    box: Box
    pose: Pose
    size: float
    pieces: list[LinePiece]
    hidden: bool = False
    broken: int = 0
    """Number of characters without meaning, see normalize.py."""
    block: int = 0
    math: int = 0
    """Number of characters in math fonts."""
    base: float = 0.0
    """Baseline of most letters, from the top."""
    faint: bool = False
    """Printed very lightly, so that text over it can be read."""
    slanted: bool = False
    """Neither horizontal nor vertical."""
    role: str = ""
    """The role of what is no ordinary text: `line_number`, `watermark`, `form_field`; `vertical`: glyphs below each
    other; "": text."""
    marker: str = ""
    """State of a check box or radio button: `[x]` or `[ ]`."""
    sure: float | None = None
    """Confidence of the recogniser, 0 to 1; None for a line of the text layer."""
    concealed: str = ""
    """Why the text cannot be seen (`hidden_white` and so on, see sight/hidden.py); "" for visible text."""

    @property
    def text(self) -> str:
        if len(self.pieces) == 1:  # as most lines; this is asked for dozens of times a line
            return self.pieces[0].text
        return "".join([piece.text for piece in self.pieces])

    @property
    def rtl(self) -> bool:
        if self.text.isascii():
            return False
        kinds = [unicodedata.bidirectional(char) for char in self.text]
        return sum(kind in _RTL for kind in kinds) > sum(kind == "L" for kind in kinds)


def text_blocks(blocks: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the text blocks, including those inside structure blocks, in MuPDF's order."""
    for block in blocks:
        if block["type"] == 2:
            yield from text_blocks(block["blocks"])
        elif block["type"] == 0:
            yield block


def lines_of(blocks: Iterable[dict[str, Any]]) -> list[Line]:
    """Return all non-blank lines, each once: copies printed again to look bold are dropped."""
    lines: list[Line] = []
    seen: set[tuple[Box, str]] = set()
    for number, block in enumerate(text_blocks(blocks)):
        for raw in block["lines"]:
            line = _line(raw, number)
            if line is None or not (line.text.strip() or line.broken):
                continue
            mark = (_rounded(line.box), line.text)
            if mark not in seen:
                seen.add(mark)
                lines.append(line)
    return lines


def legible_lines_of(blocks: Iterable[dict[str, Any]]) -> list[Line]:
    """Do the same as `lines_of` but drop characters without meaning; only health.py needs to count those."""
    lines = lines_of(blocks)
    for line in lines:
        line.pieces = [piece._replace(text=_UNKNOWN.sub("", piece.text)) for piece in line.pieces]
    return [line for line in lines if line.text.strip()]


def median_size(lines: list[Line]) -> float:
    """Return the font size of most letters in points, 10 if there is no text."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size, 1)] += len(line.text)
    return max(sorted(sizes), key=lambda size: sizes[size], default=10.0)


def _line(raw: dict[str, Any], block: int) -> Line | None:
    spans = [span for span in raw["spans"] if span["text"]]
    if not spans:
        return None
    main = max(spans, key=lambda span: len(span["text"].strip()))
    letters = [span for span in spans if not span["text"].isspace()]
    return Line(
        box=tuple(raw["bbox"]),
        pose=pose_from(raw["dir"], main["bbox"], main["origin"]),
        size=main["size"],
        pieces=_pieces(spans, main, hidden := bool(letters) and all(map(is_unpainted, letters))),
        hidden=hidden,
        broken=sum(broken_in(signs_meant(span["text"], span["font"])) for span in spans),
        block=block,
        math=sum(len(span["text"].strip()) for span in letters if _font_style(span["font"]).math),
        base=main["origin"][1],
        faint=_is_faint(main),
        slanted=min(map(abs, raw["dir"])) > SLANTED,
        sure=min((span["sure"] for span in letters if "sure" in span), default=None),
    )


def _pieces(spans: list[dict[str, Any]], main: dict[str, Any], hidden: bool) -> list[LinePiece]:
    if hidden:  # an OCR guesses sizes and fonts
        return [LinePiece(normalised(" ".join(span["text"] for span in spans)))]
    pieces: list[LinePiece] = []
    left: dict[str, Any] | None = None
    for span in spans:
        text = normalised(signs_meant(span["text"], span["font"]))
        if left and _blank_between(left, span):
            text = " " + text
        raised = _is_raised(span, main) and _can_be_raised(text, pieces)
        pieces.append(_piece(text, span, raised))
        left = span
    return _with_accents_joined(pieces)


def _piece(text: str, span: dict[str, Any], raised: bool) -> LinePiece:
    flags, font = span["flags"], span["font"]
    return LinePiece(
        text,
        bold=bool(flags & pymupdf.TEXT_FONT_BOLD or span["char_flags"] & _BOLD or _font_style(font).bold),
        italic=bool(flags & pymupdf.TEXT_FONT_ITALIC or _font_style(font).italic),
        mono=bool(flags & pymupdf.TEXT_FONT_MONOSPACED),
        raised=raised,
        struck=bool(span["char_flags"] & _STRUCK),
        link=span.get("link", ""),
    )


class _FontStyle(NamedTuple):
    bold: bool
    italic: bool
    math: bool


@functools.lru_cache(256)
def _font_style(font: str) -> _FontStyle:
    """Derive the style from a font's name."""
    return _FontStyle(*(bool(known.search(font)) for known in (_BOLD_FONT, _ITALIC_FONT, _MATH_FONT)))


def _is_faint(span: dict[str, Any]) -> bool:
    """Decide by luminance on white paper."""
    color, opacity = span.get("color", 0), span.get("alpha", 255) / 255
    red, green, blue = color >> 16 & 255, color >> 8 & 255, color & 255
    return bool((1 - (0.3 * red + 0.59 * green + 0.11 * blue) / 255) * opacity < FAINT_INK)


def _is_raised(span: dict[str, Any], main: dict[str, Any]) -> bool:
    """Decide by size and baseline: MuPDF's own flag misses some superscripts and is wrong on many lines."""
    rise = main["origin"][1] - span["origin"][1]
    return bool(span["size"] <= RAISED_SIZE * main["size"] and 0.15 * main["size"] < rise < main["size"])


def _can_be_raised(text: str, before: list[LinePiece]) -> bool:
    """Check that the text is short and follows a word; only the mark of a note, without letters, may begin a line."""
    letters = sum(char.isalpha() for char in text)
    if not text.strip() or len(text.strip()) > RAISED_LENGTH or letters > RAISED_LETTERS:
        return False
    return not (text + "x")[0].isspace() and not before[-1].text.endswith(" ") if before else letters == 0


def _with_accents_joined(pieces: list[LinePiece]) -> list[LinePiece]:
    """Join accents to their letters; an accent may be a piece of its own before that of its letter."""
    joined: list[LinePiece] = []
    for piece in pieces:
        if joined and _ends_in_accent(joined[-1].text):
            whole = normalised(joined[-1].text.rstrip() + piece.text)
            joined[-1] = piece._replace(text=whole)
        else:
            joined.append(piece)
    return joined


def _ends_in_accent(text: str) -> bool:
    return bool(re.search(r"[\u00b4\u00a8\u02c6\u02c7\u02d8-\u02dd\u00b8] ?$", text))


def _blank_between(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Decide by widths, because some fonts lack a blank glyph. Only for ordinary lines."""
    if left["text"][-1].isspace() or right["text"][0].isspace():
        return False
    gap = right["bbox"][0] - left["bbox"][2]
    return bool(WORD_GAP * max(left["size"], right["size"]) < gap)


def is_unpainted(span: dict[str, Any]) -> bool:
    """Check for text that is neither filled nor stroked (render mode 3), or fully transparent; Type 3 fonts paint
    themselves."""
    if span["font"].startswith("Type3"):
        return False
    return span.get("alpha", 255) == 0 or not span["char_flags"] & _PAINTED


def _rounded(box: Box) -> Box:
    return (round(box[0], 1), round(box[1], 1), round(box[2], 1), round(box[3], 1))

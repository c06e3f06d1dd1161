"""Convert one region as the model read it into elements of the page model, by its label. Pure.

Labels are an open vocabulary (bytedance/Dolphin lists 21 for v2, and none for 1.0 and 1.5): regions with an unknown
label are kept as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from pdfbatch.assembly.comparing import begins_lower
from pdfbatch.engines.answers.prose import clean, displayed, one_line, paragraphs, unwrapped
from pdfbatch.engines.answers.tables import caption_of, cells_of, is_html, tables_of
from pdfbatch.records import Box, Element, Label, Span

HALF = "half"
"""The flag of a paragraph that the model labelled as cut off."""

_LEVELS = {"title": 1, "sec": 2, "sub_sec": 3, "sub_sub_sec": 4}
_LEVEL = re.compile(r"sec_(\d)")
LABELS = {
    "cap": Label.CAPTION,
    "fnote": Label.FOOTNOTE,
    "footnote": Label.FOOTNOTE,
    "header": Label.PAGE_HEADER,
    "foot": Label.PAGE_FOOTER,
    "footer": Label.PAGE_FOOTER,
    "page_num": Label.PAGE_FOOTER,
    "page_number": Label.PAGE_FOOTER,
    "watermark": Label.WATERMARK,
}
RUNNING = frozenset(label for label, kind in LABELS.items() if kind in (Label.PAGE_HEADER, Label.PAGE_FOOTER))
"""The labels of headers, footers and page numbers."""
DROPPED = frozenset(label for label, kind in LABELS.items() if kind is Label.WATERMARK)
"""The labels of what is dropped wherever it stands, unless headers are kept."""
_FORMULAS = frozenset(["equ", "formula"])
_CODE = frozenset(["code", "alg"])

_BULLET = re.compile(r"(?:[-*+–—·]\s+|[•‣⁃◦▪▫●○■□◆◇►▶➢➤]\s*)")
_ORDERED = re.compile(r"(\d{1,3}[.)])\s")
_LETTERED = re.compile(r"(?:\(\w{1,4}\)|\[\w{1,4}\]|[a-z][.)]|[ivx]{1,5}[.)]|[A-Z]\)|\d{1,2}(?:\.\d{1,2})+\.?|[①-⑳])\s")
_REFERENCE = re.compile(r"(?:\[[\w+-]{1,12}\]|\d{1,3}[.)])\s")
_FENCED = re.compile(r"\s*(`{3,}|~{3,})[^\n`]*(?:\n(?P<code>.*?))??(?:\n[^\S\n]*\1[`~]*\s*)?", re.DOTALL)


def elements_of(label: str, text: str, box: Box, figure: str = "", tags: Sequence[str] = ()) -> list[Element]:
    """The elements of a region, in order: one per list item, one per paragraph of text.

    `text` is as the model wrote it; `figure` is the file name of the picture if the region is a figure.
    """
    found = list(_elements(label, clean(text), figure))
    shared = {"box": box, "source": "dolphin", "model_label": label, "tags": list(tags)}
    return [element.model_copy(update=shared) for element in found]


def heading_level(label: str) -> int | None:
    """1 to 6; None if the label is not a heading's. 1.0 writes `title` and `sec`; 1.5 writes `sec_0` for the title."""
    numbered = _LEVEL.fullmatch(label)
    return min(int(numbered.group(1)) + 1, 6) if numbered else _LEVELS.get(label)


def _elements(label: str, text: str, figure: str) -> Iterator[Element]:
    level = heading_level(label)
    if level is not None:
        yield from _made(Label.TITLE if level == 1 else Label.HEADING, [one_line(text)], level=level)
    elif label == "fig":
        yield Element(label=Label.FIGURE, box=_NOWHERE, figure=figure)
    elif label == "tab":
        yield from _tables(text)
    elif label in _FORMULAS:
        yield from _paragraphs(Label.FORMULA, displayed(text))
    elif label in _CODE:
        yield from _made(Label.CODE, [[Span(text=code)] if (code := _code(text)) else []])
    elif label == "list":
        yield from _items(text)
    elif label == "reference":
        yield from _made(Label.REFERENCE, _references(text))
    elif label == "catalogue":
        yield from _made(Label.PARAGRAPH, [_kept_lines(text)])
    else:
        flags = [HALF] if label == "half_para" else []
        yield from _paragraphs(LABELS.get(label, Label.PARAGRAPH), paragraphs(text), flags)


_NOWHERE: Box = (0.0, 0.0, 0.0, 0.0)


def _made(label: Label, texts: Iterable[list[Span]], flags: Sequence[str] = (), level: int = 0) -> Iterator[Element]:
    for spans in texts:
        if spans:
            yield Element(label=label, box=_NOWHERE, spans=spans, flags=list(flags), level=level)


def _paragraphs(label: Label, texts: Iterable[list[Span]], flags: Sequence[str] = ()) -> Iterator[Element]:
    """A text that is only mathematics becomes a formula; a formula that contains words becomes a paragraph."""
    for spans in texts:
        if len(spans) == 1 and spans[0].math:
            yield from _made(Label.FORMULA, [spans])
        else:
            yield from _made(Label.PARAGRAPH if label is Label.FORMULA else label, [spans], flags)


def _items(text: str) -> Iterator[Element]:
    """Splits a list into items: `1.` and `1)` stay markers, `•` and the like become `-`, others stay in the text.

    If any line has a marker, a line without one continues the item above. Otherwise each line is an item, except those
    that begin in lower case.
    """
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    marked = any(map(_is_marked, lines))
    for item in _grouped(lines, [_is_marked(line) if marked else not begins_lower(line) for line in lines]):
        bullet, number = _BULLET.match(item), _ORDERED.match(item)
        begun = bullet or number
        spans = unwrapped(item[begun.end() :] if begun else item)
        if spans:
            marker = number.group(1) if number and not bullet else "-"
            yield Element(label=Label.LIST_ITEM, box=_NOWHERE, spans=spans, marker=marker, level=1)


def _references(text: str) -> list[list[Span]]:
    """One paragraph for each reference that starts with its number."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return [unwrapped(part) for part in _grouped(lines, [_REFERENCE.match(line) is not None for line in lines])]


def _kept_lines(text: str) -> list[Span]:
    """The text with its line breaks kept."""
    kept: list[Span] = []
    for row in text.split("\n"):
        if line := unwrapped(row):
            kept += [Span(text="\n"), *line] if kept else line
    return kept


def _code(text: str) -> str:
    """The code without the model's fence, even one that was never closed."""
    fenced = _FENCED.fullmatch(text)
    code = (fenced["code"] or "") if fenced else text
    lines = [line.rstrip() for line in code.split("\n")]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines)


def _tables(text: str) -> Iterator[Element]:
    """The tables, and any text the model wrote around them; text that is not HTML keeps its lines."""
    if not is_html(text):
        yield from _made(Label.PARAGRAPH, [_kept_lines(text)])
        return
    for is_table, part in tables_of(text):
        if not is_table:
            yield from _paragraphs(Label.PARAGRAPH, paragraphs(part))
            continue
        yield from _made(Label.CAPTION, [caption_of(part)])
        if cells := cells_of(part):
            yield Element(label=Label.TABLE, box=_NOWHERE, cells=cells)


def _is_marked(line: str) -> bool:
    return any(marker.match(line) for marker in (_BULLET, _ORDERED, _LETTERED))


def _grouped(lines: list[str], begins: list[bool]) -> list[str]:
    """Joins lines into parts; each part starts at a line for which `begins` is true."""
    starts = sorted({0, *(place for place, begun in enumerate(begins) if begun), len(lines)})
    return ["\n".join(lines[start:end]) for start, end in pairwise(starts)]

"""The elements of one page, as the model read them, to Markdown. Pure.

Labels are an open vocabulary (bytedance/Dolphin names 21 for v2, and none for 1.0 and 1.5): what is not known here is
text, and kept.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pdfbatch.engines.dolphin.blocks import (
    code_block,
    figure,
    heading,
    heading_level,
    kept_lines,
    list_lines,
    reference_blocks,
    table_blocks,
    text_blocks,
)
from pdfbatch.engines.dolphin.formulas import display
from pdfbatch.engines.dolphin.layout import Box
from pdfbatch.engines.dolphin.prose import begins_lower, clean, ends_sentence, escaped_start, paragraphs
from pdfbatch.paragraphs import joined

_FURNITURE = frozenset(["header", "foot", "footer", "watermark", "page_num", "page_number"])
_FLOATS = frozenset(["fig", "tab"])
_ASIDES = _FURNITURE | _FLOATS | {"cap"}
"""What may stand between the halves of a paragraph."""
_FLOWING = frozenset(["para", "half_para"])
_NOTES = frozenset(["fnote", "footnote"])
_FORMULAS = frozenset(["equ", "formula"])
_CODE = frozenset(["code", "alg"])
_NEAR = 3
"""A caption belongs to what is nearer than this times its own height."""


class ReadElement(NamedTuple):
    """One element of a page, in reading order: `text` as the model wrote it, `figure` the relative URL of the saved
    picture, if there is one."""

    label: str
    text: str
    box: Box
    figure: str = ""
    tags: tuple[str, ...] = ()


class PageText(NamedTuple):
    """A page's Markdown, cut where paragraphs may go on from the page before (`head`) and on the next (`is_open`).

    `head` is a paragraph that may be the end of the page before's; else it is one of its own, before `body`. Where the
    page `is_open`, its last paragraph ends `body` — or is `head`, where that is all the text there is and `body` is
    empty — and `tail` is what comes after it: figures, captions, footnotes. Otherwise `tail` is empty.
    """

    head: str
    body: str
    tail: str
    is_open: bool


def page_markdown(elements: Sequence[ReadElement], keep_headers: bool, pipe_tables: bool) -> PageText:
    """Each element's block or blocks with a blank line between, in reading order, except that footnotes come last, a
    caption beside its figure or table, and what parts a paragraph in two behind it.

    Running headers and footers, watermarks, and what is tagged as data about the document are left out unless
    `keep_headers`. `pipe_tables` makes pipe tables of those in which no cell spans; the others stay HTML.

    Halves of a paragraph are known by their label `half_para` and by where sentences end. A page's first paragraph that
    begins in lower case and ends a sentence ends what the page before began, so nothing is joined to it.
    """
    kept = [
        element._replace(text=clean(element.text)) for element in elements if keep_headers or not _is_furniture(element)
    ]
    page = _Page(pipe_tables)
    for element, caption in _beside_their_captions(kept):
        page.add(element, caption)
    return page.text()


@dataclass
class _Block:
    """`lines` are blocks of Markdown, of a `flow` not yet escaped at their start. `half`: the last element was labelled
    so; `closes`: it ends what another began, perhaps on the page before; `may_be_rest`: the first may do so."""

    kind: str
    lines: list[str]
    half: bool = False
    closes: bool = False
    may_be_rest: bool = False

    @property
    def ends(self) -> bool:
        return not _is_prose(self.lines[-1]) or ends_sentence(self.lines[-1])

    @property
    def is_open(self) -> bool:
        return self.half and _is_prose(self.lines[-1]) and not (self.closes and self.ends)


class _Page:
    """Blocks in the order of the page."""

    def __init__(self, pipe_tables: bool) -> None:
        self._pipe_tables = pipe_tables
        self._blocks: list[_Block] = []
        self._notes: list[_Block] = []

    def add(self, element: ReadElement, caption: str) -> None:
        label = element.label
        if label in _FLOWING:
            self._add_paragraph(paragraphs(element.text), label == "half_para")
        elif label in _NOTES:
            self._notes.append(_Block("note", text_blocks(element.text)))
        elif label == "list":
            self._add_list(list_lines(element.text))
        elif lines := self._lines(element, caption):
            self._blocks.append(_Block("aside" if label in _ASIDES else "other", lines))

    def text(self) -> PageText:
        blocks = self._blocks
        spoken = [place for place, block in enumerate(blocks) if block.kind != "aside"]
        last = blocks[spoken[-1]] if spoken else None
        is_open = last is not None and last.is_open
        end = spoken[-1] + 1 if is_open else len(blocks)
        head, after = "", [*blocks[end:], *self._notes]
        before = blocks[:end]
        if spoken and blocks[spoken[0]].may_be_rest:
            head = escaped_start(blocks[spoken[0]].lines[0])
            before = _without_first_line(before, spoken[0])
            if is_open and before and before[-1].kind == "aside":
                before, after = [], before + after
        if not is_open:
            before, after = before + after, []
        return PageText(_finished(head), _markdown(before), _markdown(after), is_open)

    def _add_paragraph(self, lines: list[str], half: bool) -> None:
        if not lines:
            return
        last = next((block for block in reversed(self._blocks) if block.kind != "aside"), None)
        if last is not None and _joins(last, lines[0], half):
            last.lines[-1:] = [joined(last.lines[-1], lines[0]), *lines[1:]]
            last.half, last.closes = half, len(lines) == 1
            return
        lower = begins_lower(lines[0])
        first = last is None and _is_prose(lines[0]) and (half or lower)
        self._blocks.append(_Block("flow", lines, half, first and lower and len(lines) == 1, first))

    def _add_list(self, lines: list[str]) -> None:
        last = next((block for block in reversed(self._blocks) if block.kind != "aside"), None)
        if last is not None and last.kind == "list" and last is self._blocks[-1]:
            last.lines[-1] = "\n".join([last.lines[-1], *lines])
        elif lines:
            self._blocks.append(_Block("list", ["\n".join(lines)]))

    def _lines(self, element: ReadElement, caption: str) -> list[str]:
        label, text = element.label, element.text
        level = heading_level(label)
        if level is not None:
            lines = [heading(text, level)]
        elif label == "fig":
            lines = [figure(element.figure, caption)]
        elif label == "tab":
            lines = table_blocks(text, self._pipe_tables)
        elif label in _FORMULAS:
            lines = [escaped_start(line) for line in display(text)]
        elif label in _CODE:
            lines = [code_block(text)]
        elif label == "reference":
            lines = reference_blocks(text)
        elif label == "catalogue":
            lines = [kept_lines(text)]
        else:
            lines = text_blocks(text)
        return [line for line in lines if line]


def _joins(block: _Block, line: str, half: bool) -> bool:
    """Whether a paragraph that begins with `line` goes on with what `block` began."""
    if block.kind != "flow" or not (_is_prose(block.lines[-1]) and _is_prose(line)):
        return False
    if block.closes and block.ends:
        return False
    if block.half:
        return half or not block.ends
    return half and not block.ends and begins_lower(line)


def _is_prose(line: str) -> bool:
    return not line.startswith("$$\n")


def _without_first_line(blocks: list[_Block], place: int) -> list[_Block]:
    rest = blocks[place].lines[1:]
    between = [_Block("flow", rest)] if rest else []
    return [*blocks[:place], *between, *blocks[place + 1 :]]


def _markdown(blocks: Iterable[_Block]) -> str:
    lines = ((escaped_start(line) if block.kind == "flow" else line) for block in blocks for line in block.lines)
    return _finished("\n\n".join(line for line in lines if line))


def _finished(text: str) -> str:
    return unicodedata.normalize("NFC", re.sub(r"[^\S\n]+$", "", text, flags=re.MULTILINE))


def _is_furniture(element: ReadElement) -> bool:
    return element.label in _FURNITURE or any(tag.startswith("meta_") or tag == "meta" for tag in element.tags)


def _beside_their_captions(elements: Sequence[ReadElement]) -> list[tuple[ReadElement, str]]:
    """The elements with each caption moved directly before or after its figure or table, and what it says with it."""
    owners = {
        place: owner
        for place, element in enumerate(elements)
        if element.label == "cap" and (owner := _owner(elements, place)) is not None
    }
    ordered: list[tuple[ReadElement, str]] = []
    for place, element in enumerate(elements):
        if place in owners:
            continue
        own = [caption for caption, owner in owners.items() if owner == place]
        before = [elements[caption] for caption in own if caption < place]
        after = [elements[caption] for caption in own if caption > place]
        said = next((caption.text for caption in before + after if caption.text.strip()), "")
        ordered += [*((caption, "") for caption in before), (element, said), *((caption, "") for caption in after)]
    return ordered


def _owner(elements: Sequence[ReadElement], place: int) -> int | None:
    """The figure or table that a caption is of: a neighbour in reading order, the nearer of two, else the nearest on
    the page that is near enough."""
    caption = elements[place].box
    around = (_neighbour(elements, place, -1), _neighbour(elements, place, 1))
    floats = [near for near in around if near is not None and elements[near].label in _FLOATS]
    if not floats:
        limit = _NEAR * (caption.y1 - caption.y0)
        floats = [
            other
            for other, element in enumerate(elements)
            if element.label in _FLOATS and _distance(caption, element.box) <= limit
        ]
    return min(floats, key=lambda other: _distance(caption, elements[other].box), default=None)


def _neighbour(elements: Sequence[ReadElement], place: int, step: int) -> int | None:
    """The next element in a direction that is not a caption too."""
    place += step
    while 0 <= place < len(elements):
        if elements[place].label != "cap":
            return place
        place += step
    return None


def _distance(one: Box, other: Box) -> int:
    across = max(0, one.x0 - other.x1, other.x0 - one.x1)
    return across + max(0, one.y0 - other.y1, other.y0 - one.y1)

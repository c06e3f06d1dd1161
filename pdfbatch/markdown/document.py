"""Write a document's elements as Markdown: pages in order, each after its anchor; and parse the anchors. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pdfbatch.markdown.blocks import block_markdown
from pdfbatch.markdown.joining import appended, glue, row_count
from pdfbatch.markdown.lists import is_listed, list_markdown
from pdfbatch.records import Cell, DocumentElements, Element, Label, Page, Reason, Span

_ANCHOR = re.compile(r"^<!-- page (?P<number>\d+)(?:: (?P<reason>[a-z_]+))? -->$", re.MULTILINE)
_FLOWING = frozenset([Label.PARAGRAPH, Label.LIST_ITEM])


class Anchor(NamedTuple):
    number: int
    reason: Reason | None


def document_markdown(document: DocumentElements) -> str:
    """The Markdown of all pages in order. An element that continues over pages is written whole where it begins. A page
    that was not read has an anchor with the reason, followed by what was read of it."""
    return "\n".join(
        _page_markdown(page, [whole.finished() for whole in wholes], document.figures)
        for page, wholes in zip(document.pages, whole_elements(document.pages), strict=True)
    )


class PageText(NamedTuple):
    """The Markdown of one page, without its anchor."""

    number: int
    reason: Reason | None
    text: str


def page_texts(markdown: str) -> list[PageText]:
    """Splits Markdown at its page anchors. Without any, it is one page; text before the first belongs to that page."""
    found = [match for match in _ANCHOR.finditer(markdown) if _is_anchor(match)]
    if not found:
        return [PageText(1, None, markdown.strip("\n"))]
    before = markdown[: found[0].start()]
    ends = [match.start() for match in found[1:]] + [len(markdown)]
    texts = [markdown[match.end() : end] for match, end in zip(found, ends, strict=True)]
    texts[0] = before + texts[0]
    return [PageText(*_anchor(match), text.strip("\n")) for match, text in zip(found, texts, strict=True)]


def anchors(markdown: str) -> list[Anchor]:
    """The anchors in order of appearance; a complete document has the numbers 1, 2, 3, …"""
    return [_anchor(match) for match in _ANCHOR.finditer(markdown) if _is_anchor(match)]


def _is_anchor(match: re.Match[str]) -> bool:
    return match["reason"] is None or match["reason"] in Reason.__members__.values()


def _anchor(match: re.Match[str]) -> Anchor:
    return Anchor(int(match["number"]), Reason(match["reason"]) if match["reason"] else None)


def _page_markdown(page: Page, elements: Sequence[Element], figures: str) -> str:
    anchor = f"<!-- page {page.number}: {page.reason} -->" if page.reason else f"<!-- page {page.number} -->"
    text = "\n\n".join(_blocks(elements, figures))
    return f"{anchor}\n" + (f"\n{text}\n" if text else "")


def _blocks(elements: Sequence[Element], figures: str) -> list[str]:
    blocks: list[str] = []
    items: list[Element] = []
    for element in elements:
        if is_listed(element):
            items.append(element)
        elif block := block_markdown(element, figures):
            blocks += [list_markdown(items), block]
            items = []
    return [block for block in (*blocks, list_markdown(items)) if block]


@dataclass
class Whole:
    """An element with the text or cells of the elements that continue it."""

    parts: list[tuple[int, Element]]
    """The elements, each with the number of its page."""
    ends: list[int] = field(default_factory=list)
    """Where the text of each ends in the whole text."""
    spans: list[Span] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    rows: int = 0

    @property
    def first(self) -> Element:
        return self.parts[0][1]

    def finished(self) -> Element:
        if len(self.parts) == 1:
            return self.first
        return self.first.model_copy(update={"spans": self.spans, "cells": self.cells})

    def add(self, page: int, element: Element) -> None:
        if len(self.parts) == 1:
            self.spans, self.cells = list(self.first.spans), list(self.first.cells)
            self.rows = row_count(self.cells)
            self.ends = [_length(self.spans)]
        if self.cells:
            self.rows = appended(self.cells, self.rows, element.cells, element.repeated_rows)
        elif element.label is Label.CODE:
            self.spans += [Span(text="\n"), *element.spans]
        else:
            glue(self.spans, element.spans)
        self.parts.append((page, element))
        self.ends.append(_length(self.spans))


def whole_elements(pages: Sequence[Page]) -> list[list[Whole]]:
    """For each page the elements to write that begin on it."""
    last: dict[Label, Whole] = {}
    wholes: list[list[Whole]] = []
    for page in pages:
        wholes.append([])
        for element in page.elements:
            if element.dropped or not (element.text.strip() or element.figure or element.marker):
                continue
            kind = Label.PARAGRAPH if element.label in _FLOWING else element.label
            begun = last.get(kind) if element.continues else None
            if begun is not None and bool(begun.first.cells) == bool(element.cells):
                begun.add(page.number, element)
            else:
                last[kind] = Whole([(page.number, element)])
                wholes[-1].append(last[kind])
    return wholes


def _length(spans: Sequence[Span]) -> int:
    return sum(len(span.text) for span in spans)

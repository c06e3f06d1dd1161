"""A document's elements to its Markdown: pages in order, each behind its anchor. Pure; anchors are read back here."""

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
    """Pages in order, blocks with a blank line between, and all of an element where it begins. An unread page keeps its
    place as an anchor with the reason, followed by what was read of it."""
    return "\n".join(
        _page_markdown(page, elements, document.figures)
        for page, elements in zip(document.pages, _whole_elements(document.pages), strict=True)
    )


def anchors(markdown: str) -> list[Anchor]:
    """The anchors in the order they stand; whole numbers 1, 2, 3, … in a document of ours."""
    return [
        Anchor(int(match["number"]), Reason(match["reason"]) if match["reason"] else None)
        for match in _ANCHOR.finditer(markdown)
        if match["reason"] is None or match["reason"] in Reason.__members__.values()
    ]


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
class _Whole:
    """An element, and its text or cells with those of the elements that go on with it."""

    element: Element
    spans: list[Span] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    rows: int = 0

    def finished(self) -> Element:
        if self.rows == 0 and not self.spans:
            return self.element
        return self.element.model_copy(update={"spans": self.spans, "cells": self.cells})

    def add(self, element: Element) -> None:
        if self.rows == 0 and not self.spans:
            self.spans, self.cells = list(self.element.spans), list(self.element.cells)
            self.rows = row_count(self.cells)
        if self.cells:
            self.rows = appended(self.cells, self.rows, element.cells, element.repeated_rows)
        elif element.label is Label.CODE:
            self.spans += [Span(text="\n"), *element.spans]
        else:
            glue(self.spans, element.spans)


def _whole_elements(pages: Sequence[Page]) -> list[list[Element]]:
    """Of each page the elements that are written and begin on it."""
    last: dict[Label, _Whole] = {}
    wholes: list[list[_Whole]] = []
    for page in pages:
        wholes.append([])
        for element in page.elements:
            if element.dropped or not (element.text.strip() or element.figure or element.marker):
                continue
            kind = Label.PARAGRAPH if element.label in _FLOWING else element.label
            begun = last.get(kind) if element.continues else None
            if begun is not None and bool(begun.element.cells) == bool(element.cells):
                begun.add(element)
            else:
                last[kind] = _Whole(element)
                wholes[-1].append(last[kind])
    return [[whole.finished() for whole in page] for page in wholes]

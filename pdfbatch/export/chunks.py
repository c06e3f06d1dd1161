"""The format `chunks`: pieces of text for retrieval, in docling's shape, with the page and box of each.

A chunk never goes beyond a heading. Its tokens are those of its headings and its text, as an embedding sees them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pdfbatch.export.content import Content
from pdfbatch.export.docling import ELEMENTS, Placed, built, origin
from pdfbatch.export.files import MOST_DOCUMENTS, Part, Row
from pdfbatch.export.lines import json_row, lines_part
from pdfbatch.export.splitting import pieces, table_pieces
from pdfbatch.export.tokens import TOKENIZER, count_tokens
from pdfbatch.markdown.blocks import block_markdown
from pdfbatch.markdown.inline import InlinePlace, inline
from pdfbatch.markdown.lists import is_listed, list_markdown
from pdfbatch.markdown.tables import grid
from pdfbatch.records import Compression, Element, Label, Page

_HEADINGS = frozenset({Label.TITLE, Label.HEADING})
_ITEM = ("self_ref", "parent", "children", "content_layer", "label", "prov")
"""What docling keeps of an element in a chunk."""
_META = "docling_core.transforms.chunker.DocMeta"


class Chunk(NamedTuple):
    headings: Sequence[str]
    text: str
    placed: Sequence[Placed]
    """The elements that its text is from."""

    @property
    def whole(self) -> str:
        """Headings and text, as docling joins them for an embedding."""
        return "\n".join([*self.headings, self.text])


class Chunks:
    with_elements = True
    most_documents = MOST_DOCUMENTS

    def __init__(self, compression: Compression, output: str, tokens: int) -> None:
        self.parts: Sequence[Part] = (lines_part("part-{}", compression),)
        self._output = output
        self._tokens = tokens

    def prepare(self, content: Content) -> Content:
        return content

    def rows(self, content: Content) -> Iterator[Sequence[Row]]:
        if content.elements is None:
            content.lacking.append(ELEMENTS)
            return
        for number, chunk in enumerate(chunks_of(content, content.elements.pages, self._output, self._tokens)):
            yield [json_row(_fields(content, number, chunk))]


def chunks_of(content: Content, pages: Sequence[Page], output: str, most: int) -> Iterator[Chunk]:
    """Yields the chunks of a document, each of at most `most` tokens."""
    open_chunk: Chunk | None = None
    for unit in _units(built(content, pages, output).placed, most):
        if open_chunk and open_chunk.headings == unit.headings:
            joined = _joined(open_chunk, unit)
            if count_tokens(joined.whole) <= most:
                open_chunk = joined
                continue
        if open_chunk:
            yield open_chunk
        open_chunk = unit
    if open_chunk:
        yield open_chunk


def _joined(before: Chunk, unit: Chunk) -> Chunk:
    last, (first, *_) = before.placed[-1], unit.placed
    between = "\n" if is_listed(last.element) and is_listed(first.element) else "\n\n"
    new = [] if first.item is last.item else unit.placed  # two pieces of one element have it in common
    return Chunk(unit.headings, before.text + between + unit.text, [*before.placed, *new])


def _units(placed: Sequence[Placed], most: int) -> Iterator[Chunk]:
    """Yields each element's text under its headings, in pieces if it is too long. Headings without any text below them
    are text themselves."""
    headings: list[tuple[int, Placed]] = []
    is_bare = False
    for each in placed:
        if each.element.label in _HEADINGS:
            level = 0 if each.element.label is Label.TITLE else each.element.level or 2
            kept = [pair for pair in headings if pair[0] < level]
            if is_bare and len(kept) < len(headings):
                yield from _bare(headings, most)
            headings, is_bare = [*kept, (level, each)], True
            continue
        text = _markdown(each.element)
        if text:
            yield from _pieces(each, text, _texts(headings, most), most)
            is_bare = False
    if is_bare:
        yield from _bare(headings, most)


def _bare(headings: Sequence[tuple[int, Placed]], most: int) -> Iterator[Chunk]:
    last = headings[-1][1]
    yield from _pieces(last, last.item["text"], _texts(headings[:-1], most), most)


def _pieces(placed: Placed, text: str, headings: Sequence[str], most: int) -> Iterator[Chunk]:
    room = most - count_tokens("\n".join([*headings, ""]))
    split = table_pieces if placed.element.label is Label.TABLE else pieces
    for piece in split(text, room, count_tokens):
        if piece.strip():
            yield Chunk(headings, piece, [placed])


def _texts(headings: Sequence[tuple[int, Placed]], most: int) -> Sequence[str]:
    """Returns the headings, without the outermost ones if they would take more than half of a chunk."""
    texts = [each.item["text"] for _, each in headings]
    while texts and count_tokens("\n".join([*texts, ""])) > most // 2:
        texts = texts[1:]
    return texts


def _markdown(element: Element) -> str:
    """Returns an element's text; "" for a figure, whose caption is an element of its own."""
    if element.label is Label.FIGURE:
        return ""
    if element.label is Label.TABLE and element.cells:
        return _table(element)
    return list_markdown([element]) if is_listed(element) else block_markdown(element, "")


def _table(element: Element) -> str:
    """Returns a table with pipes, so that it can be split between rows: a cell that spans others is repeated."""
    placed, rows, columns = grid(element.cells)
    texts = [[""] * columns for _ in range(rows)]
    for cell in placed:
        text = inline(cell.spans, InlinePlace.CELL)
        for row in range(cell.row, cell.row + cell.rows):
            texts[row][cell.column : cell.column + cell.columns] = [text] * cell.columns
    lines = [f"|{'|'.join(row)}|" for row in texts]
    return "\n".join([lines[0], "|" + "---|" * columns, *lines[1:]]) if any(map(any, texts)) else ""


def _fields(content: Content, number: int, chunk: Chunk) -> dict[str, Any]:
    boxes = [(page, *box) for placed in chunk.placed for page, box in placed.boxes]
    meta: dict[str, Any] = {
        "schema_name": _META,
        "version": "1.0.0",
        "doc_items": [{name: placed.item[name] for name in _ITEM} for placed in chunk.placed],
        "origin": origin(content),
    }
    if chunk.headings:
        meta["headings"] = list(chunk.headings)
    return {
        "id": f"{content.id}#{number}",
        "document": content.id,
        "key": content.key,
        "text": chunk.text,
        "tokens": count_tokens(chunk.whole),
        "tokenizer": TOKENIZER,
        "pages": sorted({page for page, *_ in boxes}),
        "boxes": [
            {"page": page, "l": left, "t": top, "r": right, "b": bottom} for page, left, top, right, bottom in boxes
        ],
        "meta": meta,
    }

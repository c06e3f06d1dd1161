"""The format `docling`: a DoclingDocument for each document, one a line, as docling-core 2 loads it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote

from pdfbatch.assembly.captions import FLOATS, owner_of
from pdfbatch.export.content import Content, storable
from pdfbatch.export.files import MOST_DOCUMENTS, Part, Row
from pdfbatch.export.lines import json_row, lines_part
from pdfbatch.markdown.document import Whole, whole_elements
from pdfbatch.markdown.lists import is_listed
from pdfbatch.markdown.tables import grid
from pdfbatch.records import Box, Compression, Element, Label, Page, Span, figures_prefix

SCHEMA_NAME, SCHEMA_VERSION = "DoclingDocument", "1.7.0"
ELEMENTS = "elements"
_PICTURES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "tif": "image/tiff", "tiff": "image/tiff"}
"""Media types by extension; any other document is a PDF."""
_LABELS = {Label.FORM_FIELD: "text", Label.WATERMARK: "text", Label.LINE_NUMBERS: "text"}
"""Labels that docling does not have."""
_FURNITURE = frozenset({Label.PAGE_HEADER, Label.PAGE_FOOTER, Label.WATERMARK, Label.LINE_NUMBERS})
_POINTS_PER_INCH = 72


class Placed(NamedTuple):
    """An item of the document that its Markdown shows, in reading order."""

    item: dict[str, Any]
    element: Element
    """With the text of the elements that continue it."""
    boxes: Sequence[tuple[int, Box]]
    """Where it is: pages and boxes."""


class Built(NamedTuple):
    document: dict[str, Any]
    placed: Sequence[Placed]


class DoclingDocuments:
    with_elements = True
    most_documents = MOST_DOCUMENTS

    def __init__(self, compression: Compression, output: str) -> None:
        self.parts: Sequence[Part] = (lines_part("part-{}", compression),)
        self._output = output

    def prepare(self, content: Content) -> Content:
        return content

    def rows(self, content: Content) -> Iterator[Sequence[Row]]:
        if content.elements is None:
            content.lacking.append(ELEMENTS)
        else:
            yield [json_row(built(content, content.elements.pages, self._output).document)]


def built(content: Content, pages: Sequence[Page], output: str) -> Built:
    """Builds the document. `output` is the place of its figures."""
    builder = _Builder(output + figures_prefix(storable(content.item.key)), pages)
    for page, wholes in zip(pages, whole_elements(pages), strict=True):
        builder.page(page, wholes)
    name = PurePosixPath(content.key).stem or content.key
    document = {
        "schema_name": SCHEMA_NAME,
        "version": SCHEMA_VERSION,
        "name": name,
        "origin": origin(content),
        "furniture": _root("furniture", []),
        "body": _root("body", builder.children),
        "groups": builder.groups,
        "texts": builder.texts,
        "pictures": builder.pictures,
        "tables": builder.tables,
        "key_value_items": [],
        "form_items": [],
        "pages": {str(page.number): _page(page) for page in pages},
    }
    return Built(document, builder.placed)


def origin(content: Content) -> dict[str, Any]:
    """Returns docling's record of the file. Its hash stands for the version that was read: the input's SHA-256 as in
    docling if it is known, else a hash of digest or ETag."""
    version = content.sha256 or hashlib.sha256(f"{content.outcome.digest or content.outcome.etag}".encode()).hexdigest()
    return {
        "mimetype": _PICTURES.get(content.key.rpartition(".")[2].lower(), "application/pdf"),
        "binary_hash": int(version, 16) & (2**64 - 1),
        "filename": content.key.rpartition("/")[2],
        **({"uri": _uri(content.url)} if content.run.input else {}),
    }


def _uri(place: str) -> str:
    return quote(place if place.startswith("s3://") else f"file://{place}", safe="/:")


class _Builder:
    def __init__(self, figures: str, pages: Sequence[Page]) -> None:
        self._figures = figures
        self._sizes = {page.number: (page.width, page.height) for page in pages}
        self.children: list[dict[str, str]] = []
        self.groups: list[dict[str, Any]] = []
        self.texts: list[dict[str, Any]] = []
        self.pictures: list[dict[str, Any]] = []
        self.tables: list[dict[str, Any]] = []
        self.placed: list[Placed] = []
        self._lists: list[tuple[int, dict[str, Any], dict[str, Any] | None]] = []
        """The open lists, from the outermost: level, group, last item."""

    def page(self, page: Page, wholes: Sequence[Whole]) -> None:
        """Adds what begins on a page, and what the Markdown leaves out."""
        begun = {id(whole.first): whole for whole in wholes}
        items: dict[int, dict[str, Any]] = {}
        for place, element in enumerate(page.elements):
            if whole := begun.get(id(element)):
                items[place] = self._shown(whole)
            elif element.dropped or not element.continues:
                self._hidden(page.number, element)
        for place, element in enumerate(page.elements):
            owner = owner_of(page.elements, place) if element.label is Label.CAPTION and place in items else None
            # A float without content of its own is text, which has no captions.
            if owner in items and page.elements[owner].label in FLOATS and "captions" in items[owner]:
                items[owner]["captions"].append({"$ref": items[place]["self_ref"]})

    def _shown(self, whole: Whole) -> dict[str, Any]:
        element = whole.finished()
        if is_listed(element) and element.label is Label.LIST_ITEM:
            item = self._list_item(element)
        else:
            self._lists = []
            item = self._item(element, "body")
            self.children.append({"$ref": item["self_ref"]})
        boxes = [(page, _within(part.box, *self._sizes[page])) for page, part in whole.parts]
        item["prov"] = [
            _prov(page, box, begin, end)
            for (page, box), begin, end in zip(boxes, *_spans(whole, len(item.get("orig", ""))), strict=True)
        ]
        self.placed.append(Placed(item, element, boxes))
        return item

    def _hidden(self, page: int, element: Element) -> None:
        """Adds what is not in the Markdown: furniture, hidden text, figures without a picture."""
        if element.label is Label.FIGURE and not element.dropped:
            layer = "body"
        elif not element.text.strip():
            return
        else:
            layer = "furniture" if element.label in _FURNITURE or "hidden" not in element.dropped else "invisible"
        item = self._item(element, layer)
        box = _within(element.box, *self._sizes[page])
        item["prov"] = [_prov(page, box, 0, len(item.get("orig", "")))]
        self.children.append({"$ref": item["self_ref"]})

    def _item(self, element: Element, layer: str, parent: str = "#/body") -> dict[str, Any]:
        common = {"parent": {"$ref": parent}, "children": [], "content_layer": layer}
        floating: dict[str, list[Any]] = {"captions": [], "references": [], "footnotes": []}
        if element.label is Label.FIGURE:
            item = {"self_ref": f"#/pictures/{len(self.pictures)}", **common, "label": "picture", **floating}
            if element.figure:
                item["image"] = _image(self._figures + storable(element.figure), element.box)
            self.pictures.append(item)
        elif element.label is Label.TABLE and element.cells:
            item = {"self_ref": f"#/tables/{len(self.tables)}", **common, "label": "table", **floating}
            item["data"] = _table(element)
            self.tables.append(item)
        else:
            item = {"self_ref": f"#/texts/{len(self.texts)}", **common, **_text(element)}
            self.texts.append(item)
        return item

    def _list_item(self, element: Element) -> dict[str, Any]:
        level = max(element.level, 1)
        while self._lists and self._lists[-1][0] > level:
            self._lists.pop()
        if not self._lists or self._lists[-1][0] < level:
            self._open_list(level)
        group = self._lists[-1][1]
        item = self._item(element, "body", group["self_ref"])
        group["children"].append({"$ref": item["self_ref"]})
        self._lists[-1] = (level, group, item)
        return item

    def _open_list(self, level: int) -> None:
        above = self._lists[-1][2] if self._lists else None
        reference = f"#/groups/{len(self.groups)}"
        group = {
            "self_ref": reference,
            "parent": {"$ref": above["self_ref"] if above else "#/body"},
            "children": [],
            "content_layer": "body",
            "name": "list",
            "label": "list",
        }
        (above["children"] if above else self.children).append({"$ref": reference})
        self.groups.append(group)
        self._lists.append((level, group, None))


def _root(name: str, children: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {
        "self_ref": f"#/{name}",
        "children": children,
        "content_layer": name,
        "name": "_root_",
        "label": "unspecified",
    }


def _page(page: Page) -> dict[str, Any]:
    return {"size": {"width": page.width, "height": page.height}, "page_no": page.number}


def _text(element: Element) -> dict[str, Any]:
    """Returns the fields of a text by its label. `text` has formulas between dollars where they are part of a text."""
    is_formula = element.label is Label.FORMULA
    plain = storable(element.text)
    text = plain if is_formula else storable("".join(map(_marked, element.spans)) or plain)
    fields: dict[str, Any] = {"label": _LABELS.get(element.label, str(element.label)), "orig": plain, "text": text}
    match element.label:
        case Label.TABLE:
            fields["label"] = "text"
        case Label.HEADING:
            fields["level"] = max(1, (element.level or 2) - 1)
        case Label.LIST_ITEM:
            marker = storable(element.marker)
            fields |= {"enumerated": any(char.isalnum() for char in marker), "marker": marker or "-"}
        case Label.CODE:
            fields |= {"captions": [], "references": [], "footnotes": [], "code_language": "unknown"}
        case Label.FORM_FIELD if element.marker.strip() in ("[x]", "[X]"):
            fields["label"] = "checkbox_selected"
        case Label.FORM_FIELD if element.marker.strip() == "[ ]":
            fields["label"] = "checkbox_unselected"
        case Label.FOOTNOTE | Label.REFERENCE if element.marker.strip():
            fields["text"] = f"{storable(element.marker.strip())} {text}"
    return fields


def _marked(span: Span) -> str:
    return f"${span.text}$" if span.math else span.text


def _table(element: Element) -> dict[str, Any]:
    placed, rows, columns = grid(element.cells)
    cells = [
        {
            "row_span": cell.rows,
            "col_span": cell.columns,
            "start_row_offset_idx": cell.row,
            "end_row_offset_idx": cell.row + cell.rows,
            "start_col_offset_idx": cell.column,
            "end_col_offset_idx": cell.column + cell.columns,
            "text": storable("".join(map(_marked, cell.spans))),
            "column_header": cell.header,
            "row_header": False,
        }
        for cell in placed
    ]
    return {"num_rows": rows, "num_cols": columns, "table_cells": cells}


def _image(url: str, box: Box) -> dict[str, Any]:
    """Returns the reference of a figure's file; its size is that on the page, in points."""
    size = {"width": max(box[2] - box[0], 0.0), "height": max(box[3] - box[1], 0.0)}
    return {"mimetype": "image/png", "dpi": _POINTS_PER_INCH, "size": size, "uri": _uri(url)}


def _within(box: Box, width: float, height: float) -> Box:
    """Returns the part of a box that is on its page, if the page's size is known: docling warns of any other."""
    if width <= 0 or height <= 0:
        return box
    left, right = (min(max(x, 0.0), width) for x in (box[0], box[2]))
    top, bottom = (min(max(y, 0.0), height) for y in (box[1], box[3]))
    return min(left, right), min(top, bottom), max(left, right), max(top, bottom)


def _prov(page: int, box: Box, begin: int, end: int) -> dict[str, Any]:
    left, top, right, bottom = box
    place = {"l": left, "t": top, "r": right, "b": bottom, "coord_origin": "TOPLEFT"}
    return {"page_no": page, "bbox": place, "charspan": [begin, end]}


def _spans(whole: Whole, length: int) -> tuple[list[int], list[int]]:
    """Returns where the text of each part begins and ends in the whole."""
    ends = whole.ends or [length]
    return [0, *ends[:-1]], ends

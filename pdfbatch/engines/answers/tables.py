"""Convert tables as the model writes them, HTML that may be broken, to cells. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape

from pdfbatch.engines.answers.formulas import segments
from pdfbatch.engines.answers.prose import span_of
from pdfbatch.records import Cell, Span

_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]{0,15})((?:\s[^<>]*|/)?)>")
_BEGUN = re.compile(r"</?(?:(?:t(?:[rdh]|ab?l?e?|h?ea?d?|body|foot)?|su[bp]?|br?|i|em|strong)(?:\s[^<>]*)?)?$")
_SPAN = re.compile(r"\b(rowspan|colspan)\s{0,4}=\s{0,4}[\"']?\s?(\d{1,3})(?!\d)", re.IGNORECASE)
_LOOKS_HTML = re.compile(r"<(?:table|tr|t[dh])\b", re.IGNORECASE)

_SECTIONS = frozenset(["thead", "tbody", "tfoot"])
_OUTLINE = re.compile(r"<(/?)(table|caption)>")
_CELLS = frozenset(["td", "th", "caption"])
_STRUCTURE = _SECTIONS | _CELLS | {"tr", "table"}
_INLINE = frozenset(["b", "i", "em", "strong", "sub", "sup", "u", "s"])
_STYLES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "sub": "lowered",
    "sup": "raised",
    "s": "struck",
}
_MOST_COLUMNS = 200
_IGNORED = frozenset(["p", "div", "span", "font", "colgroup", "col", "html", "body"])
"""Tags that Markdown cannot show; their text is kept."""


def is_html(text: str) -> bool:
    return _LOOKS_HTML.search(text) is not None


def tables_of(text: str) -> Iterator[tuple[bool, str]]:
    """Splits the text into tables and the text around them: pairs of whether it is a table, and the repaired HTML or
    the text.

    Repaired means: every open tag is closed, even if the model was cut short; missing row and cell tags are inserted;
    only the attributes rowspan and colspan are kept; tags other than a table's and plain styling become text. There are
    no blank lines in it, since one would end Markdown's HTML block. Repairing twice changes nothing.
    """
    repairer = _Repairer()
    place = 0
    text = _BEGUN.sub("", text)
    for match in _TAG.finditer(text):
        repairer.text(text[place : match.start()])
        place = match.end()
        repairer.tag(match.group(2).lower(), match.group(1) == "/", match.group(3), match.group())
    repairer.text(text[place:])
    yield from repairer.finished()


def cells_of(table: str) -> list[Cell]:
    """The cells of a repaired table, each at its position in the grid. A nested table becomes text of its cell."""
    taken: set[tuple[int, int]] = set()
    cells: list[Cell] = []
    rows = _rows(table)
    for number, row in enumerate(rows):
        column = 0
        for html, tag, wide, high in row:
            while (number, column) in taken:
                column += 1
            wide, high = min(max(1, wide), _MOST_COLUMNS), min(max(1, high), len(rows) - number)
            taken |= {(number + down, column + across) for down in range(high) for across in range(wide)}
            cells.append(
                Cell(row=number, column=column, rows=high, columns=wide, header=tag == "th", spans=_spans(html))
            )
            column += wide
    return cells


def _rows(table: str) -> list[list[tuple[str, str, int, int]]]:
    """The rows of a table: for each cell its HTML, its tag, and how many columns and rows it spans."""
    rows: list[list[tuple[str, str, int, int]]] = []
    depth, begun, tag, spans = 0, 0, "", {"colspan": 1, "rowspan": 1}
    in_head = False
    for match in _TAG.finditer(table):
        name, closing = match.group(2).lower(), match.group(1) == "/"
        depth += (-1 if closing else 1) if name == "table" else 0
        if depth != 1:
            continue
        in_head = not closing if name == "thead" else in_head
        if name == "tr" and not closing:
            rows.append([])
        elif name in _CELLS and not closing:
            begun, tag = match.end(), "th" if in_head else name
            spans = {"colspan": 1, "rowspan": 1} | {key: int(count) for key, count in _SPAN.findall(match.group(3))}
        elif name in ("td", "th") and rows:
            rows[-1].append((table[begun : match.start()], tag, spans["colspan"], spans["rowspan"]))
    return [row for row in rows if row]


def caption_of(table: str) -> list[Span]:
    """The text of a repaired table's own captions."""
    own = table.removeprefix("<table>").removesuffix("</table>")
    found: list[Span] = []
    depth, begun = 0, None
    for tag in _OUTLINE.finditer(own):
        if tag.group(2) == "table":
            depth += -1 if tag.group(1) else 1
        elif depth == 0 and not tag.group(1):
            begun = tag.end()
        elif depth == 0 and begun is not None:
            spans = _spans(own[begun : tag.start()])
            found += [Span(text=" "), *spans] if found and spans else spans
    return found


def _spans(html: str) -> list[Span]:
    """The styled text of a cell; line breaks stay, other white space is collapsed."""
    spans: list[Span] = []
    styles: dict[str, bool] = {}
    place = 0
    html = re.sub(r"<br>", "\n", re.sub(r"[^\S\n]*\n\s*", "\n", html.strip()))
    for match in _TAG.finditer(html):
        spans += _styled(html[place : match.start()], styles)
        place = match.end()
        style = _STYLES.get(match.group(2).lower())
        if style:
            styles[style] = match.group(1) != "/"
        elif match.group(2).lower() in _STRUCTURE and spans and not spans[-1].text.endswith((" ", "\n")):
            spans.append(Span(text=" "))
    spans += _styled(html[place:], styles)
    if spans and not spans[-1].math:
        spans[-1] = spans[-1].model_copy(update={"text": spans[-1].text.rstrip()})
    return [span for span in spans if span.text]


def _styled(html: str, styles: Mapping[str, bool]) -> list[Span]:
    text = re.sub(r"[^\S\n]+", " ", unescape(html))
    shown = {style: True for style, is_on in styles.items() if is_on}
    return [
        span.model_copy(update=shown) if not span.math else span
        for segment in segments(text)
        if (span := span_of(segment, segment.text)).text
    ]


class _Repairer:
    """Writes tags and text out again, keeping a stack of the open tags."""

    def __init__(self) -> None:
        self._done: list[tuple[bool, str]] = []
        self._out: list[str] = []
        self._open: list[str] = []
        self._tables: list[int] = []

    def text(self, text: str) -> None:
        if self._open and text.strip():
            self._ensure_cell()
        self._out.append(re.sub(r"\n\s*\n", "\n", text).replace("<", "&lt;") if self._open else text)

    def tag(self, name: str, closing: bool, attributes: str, raw: str) -> None:
        if name in _STRUCTURE:
            self._end(name) if closing else self._begin(name, attributes)
        elif not self._open or name not in _INLINE | _IGNORED | {"br"}:
            self.text(raw)
        elif name == "br":
            self._ensure_cell()
            self._out.append("<br>")
        elif name in _INLINE:
            self._style(name, closing)

    def finished(self) -> list[tuple[bool, str]]:
        if self._open:
            self._close_to(0)
        self._flush(table=False)
        return self._done

    def _begin(self, name: str, attributes: str) -> None:
        if name == "table":
            if self._open:
                self._ensure_cell()
            else:
                self._flush(table=False)
            self._tables.append(len(self._open))
        else:
            self._make_room(name)
        spans = {match[1].lower(): int(match[2]) for match in _SPAN.finditer(attributes)} if name in _CELLS else {}
        self._open.append(name)
        self._out.append("".join([f"<{name}", *(f' {key}="{spans[key]}"' for key in sorted(spans)), ">"]))

    def _make_room(self, name: str) -> None:
        """Closes elements that may not contain this one, and opens those that must."""
        if not self._open:
            self._begin("table", "")
        inner = self._open[self._inside() :]
        keeps = {"tr"} | _SECTIONS if name in _CELLS - {"caption"} else _SECTIONS if name == "tr" else set()
        kept = 0
        while kept < len(inner) and inner[kept] in keeps:
            kept += 1
        self._close_to(self._inside() + kept)
        if name in ("td", "th") and self._open[-1] != "tr":
            self._begin("tr", "")

    def _end(self, name: str) -> None:
        """Closes an element; a closing tag without an opening one is dropped."""
        floor = 0 if name == "table" else self._inside()
        for place in range(len(self._open) - 1, floor - 1, -1):
            if self._open[place] == name:
                self._close_to(place)
                return

    def _style(self, name: str, closing: bool) -> None:
        if not closing:
            self._ensure_cell()
            self._open.append(name)
            self._out.append(f"<{name}>")
        elif self._open[-1] == name:
            self._close_to(len(self._open) - 1)

    def _ensure_cell(self) -> None:
        if self._open[-1] not in _CELLS | _INLINE:
            self._begin("td", "")

    def _inside(self) -> int:
        """The index in the stack where the contents of the innermost open table begin."""
        return self._tables[-1] + 1 if self._tables else 0

    def _close_to(self, depth: int) -> None:
        while len(self._open) > depth:
            self._out.append(f"</{self._open.pop()}>")
        while self._tables and self._tables[-1] >= depth:
            self._tables.pop()
        if depth == 0:
            self._flush(table=True)

    def _flush(self, table: bool) -> None:
        text = "".join(self._out).strip()
        self._out = []
        if table:
            text = re.sub(r"\n\s*\n", "\n", text)
            if not re.sub(r"<[^<>]*>", "", text).strip():
                return
        if text:
            self._done.append((table, text))

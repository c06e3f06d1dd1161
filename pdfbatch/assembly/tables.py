"""Join tables that continue on the next page. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pdfbatch.assembly.comparing import compared, has_letters
from pdfbatch.records import Element, Label, Page, ReadOptions

_AGREE = 0.02
"""Share of the page's width by which the left edges of two parts may differ; below, the same for widths."""
_WIDTHS_AGREE = 0.06
_BESIDE = frozenset({Label.CAPTION, Label.PAGE_HEADER, Label.PAGE_FOOTER, Label.WATERMARK, Label.LINE_NUMBERS})
"""Elements that may be between two parts of a table; footnotes too, below the first part."""
_CAPTION = re.compile(
    r"(?:table|tab\.|tabelle|tableau|tabla|tabela|tabella|taula|таблица|表)\s*(?P<number>[\w.\-–]*\d[\w\-–]*|[IVXLC]+\b)?",
    re.IGNORECASE,
)
_CONTINUED = re.compile(
    r"\b(?:continued|cont[.'’]?d?|fortsetzung|forts|suite|continuación|continua|segue|продолжение)\b|续"
)
_LONGEST_NOTE = 60
"""Characters at most of a line such as `Table 2 (continued)`."""


class _Part(NamedTuple):
    page: int
    order: int
    element: Element
    rows: list[tuple[tuple[int, int, str], ...]]
    """For each row the cells that begin in it: column, column span, text as compared."""


def with_tables(pages: Sequence[Page], options: ReadOptions) -> list[Page]:
    """Decides `continues` and `repeated_rows` for each table that comes first on its page."""
    if not options.join_tables:
        return list(pages)
    assembled = list(pages)
    head: _Part | None = None
    last: _Part | None = None
    for number in range(len(pages)):
        first = _first(pages, number) if last is not None else None
        if head is not None and last is not None and first is not None and _goes_on(pages, head, last, first):
            assembled[number] = _continued(pages, head, first, options)
        else:
            head = None
        final = _last(pages, number)
        if final is None:
            head = last = None
            continue
        if head is None or first is None or final.order != first.order:
            head = final
        last = final
    return assembled


def _continued(pages: Sequence[Page], head: _Part, part: _Part, options: ReadOptions) -> Page:
    """Marks a page's first table as a continuation, and drops the captions that only say so."""
    page = pages[part.page]
    elements = list(page.elements)
    repeated = _equal_rows(head, part)
    elements[part.order] = part.element.model_copy(update={"continues": True, "repeated_rows": repeated})
    head_captions = [caption.text for caption in _captions(pages, head)]
    for caption in _captions(pages, part):
        if not options.keep_headers and _is_repeated(caption, head_captions):
            place = next(index for index, element in enumerate(elements) if element is caption)
            elements[place] = caption.model_copy(update={"dropped": "repeated"})
    return page.model_copy(update={"elements": elements})


def _is_repeated(caption: Element, head_captions: Sequence[str]) -> bool:
    """Whether a caption repeats one of the table's first part, or only says that the table continues."""
    if compared(caption.text) in map(compared, head_captions):
        return True
    if not _says_continued(caption):
        return False
    number = _table_number(caption.text)
    title = _CONTINUED.sub("", compared(_CAPTION.sub("", caption.text, count=1)))
    return not has_letters(title) or (number != "" and number in map(_table_number, head_captions))


def _first(pages: Sequence[Page], number: int) -> _Part | None:
    """The table at the top of a page, if any."""
    for index, element in enumerate(pages[number].elements):
        if element.label == Label.TABLE and not element.dropped:
            return _part(number, index, element)
        if not (element.dropped or element.label in _BESIDE or _says_continued(element)):
            return None
    return None


def _last(pages: Sequence[Page], number: int) -> _Part | None:
    """The table at the bottom of a page, if any."""
    for index in range(len(pages[number].elements) - 1, -1, -1):
        element = pages[number].elements[index]
        if element.label == Label.TABLE and not element.dropped:
            return _part(number, index, element)
        if not (element.dropped or element.label in _BESIDE or element.label == Label.FOOTNOTE):
            return None
    return None


def _part(number: int, index: int, element: Element) -> _Part | None:
    return _Part(number, index, element, rows_of(element)) if element.cells else None


def rows_of(table: Element) -> list[tuple[tuple[int, int, str], ...]]:
    rows: list[list[tuple[int, int, str]]] = [[] for _ in range(max(cell.row for cell in table.cells) + 1)]
    for cell in table.cells:
        text = compared("".join(span.text for span in cell.spans))
        rows[cell.row].append((cell.column, cell.columns, text))
    return [tuple(sorted(row)) for row in rows]


def _goes_on(pages: Sequence[Page], head: _Part, last: _Part, part: _Part) -> bool:
    if _columns(last.element) != _columns(part.element) or not _captions_agree(pages, head, part):
        return False
    repeated = _equal_rows(head, part)
    if repeated == len(part.rows) or _is_same_form(last, part, repeated):
        return False
    return not (not repeated and _has_own_header(part)) and _edges_agree(pages, last, part, widths=not repeated)


def _has_own_header(part: _Part) -> bool:
    """Whether the first row names columns: it has no digits where most rows below have some. If no column has digits,
    the reader's header flag decides; otherwise that flag is ignored, since some readers set it on every first row."""
    rows = [row for row in part.rows if any(text for _, _, text in row)]
    below: Counter[int] = Counter(column for row in rows[1:] for column, _, text in row if any(map(str.isdigit, text)))
    figures = {column for column, count in below.items() if 2 * count > len(rows) - 1}
    if not figures:
        return any(cell.header for cell in part.element.cells)
    return not any(column in figures and any(map(str.isdigit, text)) for column, _, text in rows[0])


def _columns(table: Element) -> int:
    return max(cell.column + cell.columns for cell in table.cells)


def _edges_agree(pages: Sequence[Page], last: _Part, part: _Part, widths: bool) -> bool:
    """Whether the left edges agree, or mirror each other as on facing pages; and, with `widths`, the widths."""
    width = pages[part.page].width or max(last.element.box[2], part.element.box[2], 1.0)
    wide, narrow = last.element.box[2] - last.element.box[0], part.element.box[2] - part.element.box[0]
    same_width = abs(wide - narrow) <= _WIDTHS_AGREE * width
    left = abs(last.element.box[0] - part.element.box[0]) <= _AGREE * width
    facing = abs(width - last.element.box[2] - part.element.box[0]) <= _AGREE * width and same_width
    return (left or facing) and (same_width or not widths)


def _equal_rows(head: _Part, part: _Part) -> int:
    count = 0
    for one, other in zip(head.rows, part.rows, strict=False):
        if one != other:
            break
        count += 1
    texts = any(text for row in part.rows[:count] for _, _, text in row)
    return count if texts else 0


def _is_same_form(last: _Part, part: _Part, repeated: int) -> bool:
    """Whether both have equally many rows and mostly the same first column: a form filled in twice."""
    if len(last.rows) != len(part.rows):
        return False
    firsts = [
        (one[0], other[0])
        for one, other in zip(last.rows[repeated:], part.rows[repeated:], strict=True)
        if one and other and one[0][2]
    ]
    return bool(firsts) and 2 * sum(one == other for one, other in firsts) >= len(firsts)


def _captions_agree(pages: Sequence[Page], head: _Part, part: _Part) -> bool:
    """Whether the second part has no caption except that of the first."""
    of_head = {number for one in _captions(pages, head) if (number := _table_number(one.text))}
    for caption in _captions(pages, part):
        if number := _table_number(caption.text):
            if of_head and number not in of_head:
                return False
            if not of_head and not _CONTINUED.search(compared(caption.text)):
                return False
    return True


def _captions(pages: Sequence[Page], part: _Part) -> Iterator[Element]:
    """The captions directly before and after a table."""
    elements = pages[part.page].elements
    for step in (-1, 1):
        index = part.order + step
        while 0 <= index < len(elements):
            element = elements[index]
            if not element.dropped:
                if element.label != Label.CAPTION and not _says_continued(element):
                    break
                yield element
            index += step


def _table_number(caption: str) -> str:
    found = _CAPTION.match(caption.strip())
    return (found["number"] or "").strip(".").casefold() if found else ""


def _says_continued(element: Element) -> bool:
    text = element.text.strip()
    plain = element.label in (Label.PARAGRAPH, Label.CAPTION, Label.HEADING)
    return plain and len(text) <= _LONGEST_NOTE and _CONTINUED.search(compared(text)) is not None

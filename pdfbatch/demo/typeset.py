"""A small typesetter over MuPDF: text blocks flow through frames. Base-14 fonts only, so texts stay within Latin-1.

Units are points, y grows downwards. A bar in a running text is where a word may be broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import pymupdf

A4 = (595.0, 842.0)
SERIF, BOLD, ITALIC = "tiro", "tibo", "tiit"
BREAK = "|"
CELL_HEIGHT = 16.0


@dataclass(frozen=True)
class SetLine:
    text: str
    font: str = SERIF
    size: float = 10.0
    indent: float = 0.0
    before: float = 0.0
    bullet: bool = False

    @property
    def height(self) -> float:
        return self.before + self.size * 1.24


@dataclass(frozen=True)
class Text:
    text: str
    font: str = SERIF
    size: float = 10.0
    before: float = 5.0


@dataclass(frozen=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A ruled table; the first row is its header, set in bold. `shares` are the columns' parts of the width."""

    rows: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...]

    @property
    def height(self) -> float:
        return 10.0 + CELL_HEIGHT * len(self.rows)


Block = Text | Bullets | Table


@dataclass(frozen=True)
class Frame:
    """A rectangle of one page that text may fill."""

    page: pymupdf.Page
    box: pymupdf.Rect


def heading(text: str) -> Text:
    return Text(text, font=BOLD, size=12.0, before=12.0)


def new_document(pages: int = 1, size: tuple[float, float] = A4) -> pymupdf.Document:
    """A document of empty pages; made at once, because MuPDF lets go of all pages when one is added."""
    document = pymupdf.open()
    for _ in range(pages):
        document.new_page(width=size[0], height=size[1])
    return document


def to_bytes(document: pymupdf.Document, **options: object) -> bytes:
    """The finished file, equal each time (no random ID)."""
    return bytes(document.tobytes(garbage=3, deflate=True, no_new_id=True, **options))


@cache
def _font(name: str) -> pymupdf.Font:
    return pymupdf.Font(name)


def width_of(text: str, font: str, size: float) -> float:
    return float(_font(font).text_length(text, fontsize=size))


def wrap(text: str, width: float, font: str, size: float) -> list[str]:
    """Greedy lines no wider than `width`; words break at bars where the rest of a line allows it."""

    def fits(line: str) -> bool:
        return width_of(line.replace(BREAK, ""), font, size) <= width

    lines: list[str] = []
    line = ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if fits(joined):
            line = joined
            continue
        head, rest = _broken(line, word, fits)
        lines.append(head)
        line = rest
    lines.append(line)
    return [line.replace(BREAK, "") for line in lines]


def _broken(line: str, word: str, fits: Callable[[str], bool]) -> tuple[str, str]:
    parts = word.split(BREAK)
    for cut in range(len(parts) - 1, 0, -1):
        head = f"{line} {''.join(parts[:cut])}-"
        if fits(head):
            return head, BREAK.join(parts[cut:])
    return line, word


def put(page: pymupdf.Page, x: float, y: float, text: str, font: str = SERIF, size: float = 10.0) -> None:
    """One line whose baseline is at y."""
    page.insert_text((x, y), text, fontname=font, fontsize=size)


def put_centred(page: pymupdf.Page, y: float, text: str, font: str = SERIF, size: float = 10.0) -> None:
    put(page, (page.rect.width - width_of(text, font, size)) / 2, y, text, font, size)


def flow(blocks: Iterable[Block], frames: Sequence[Frame]) -> None:
    """Fill the frames in order; text that finds no room is an error in the sample, so it is raised."""
    rest = iter(frames)
    frame = next(rest)
    y = frame.box.y0
    for piece in _pieces(blocks, frame.box.width):
        if y + piece.height > frame.box.y1:
            frame = next(rest, None) or _no_room(piece)
            y = frame.box.y0
        if isinstance(piece, Table):
            _draw_table(frame, y, piece)
        else:
            _draw_line(frame, y, piece)
        y += piece.height


def _no_room(piece: SetLine | Table) -> Frame:
    raise ValueError(f"no room left for {piece}")


def _pieces(blocks: Iterable[Block], width: float) -> Iterator[SetLine | Table]:
    for block in blocks:
        if isinstance(block, Table):
            yield block
        elif isinstance(block, Bullets):
            for item in block.items:
                yield from _bullet(item, width)
        else:
            for number, text in enumerate(wrap(block.text, width, block.font, block.size)):
                yield SetLine(text, block.font, block.size, before=block.before if number == 0 else 0.0)


def _bullet(item: str, width: float) -> Iterator[SetLine]:
    for number, text in enumerate(wrap(item, width - 14, SERIF, 10.0)):
        first = number == 0
        yield SetLine(text, indent=14, before=2 if first else 0, bullet=first)


def _draw_line(frame: Frame, top: float, line: SetLine) -> None:
    baseline = top + line.before + line.size
    if line.bullet:  # Latin-1 has no bullet; in the Symbol font it is 0xB7
        put(frame.page, frame.box.x0 + 4, baseline, "\u00b7", "symb", line.size)
    put(frame.page, frame.box.x0 + line.indent, baseline, line.text, line.font, line.size)


def _draw_table(frame: Frame, top: float, table: Table) -> None:
    box, page = frame.box, frame.page
    edges = [box.x0 + box.width * sum(table.shares[:n]) / sum(table.shares) for n in range(len(table.shares) + 1)]
    first, last = top + 5, top + 5 + CELL_HEIGHT * len(table.rows)
    for number in range(len(table.rows) + 1):
        y = first + CELL_HEIGHT * number
        page.draw_line((edges[0], y), (edges[-1], y), width=0.6)
    for x in edges:
        page.draw_line((x, first), (x, last), width=0.6)
    for number, row in enumerate(table.rows):
        for x, cell in zip(edges, row, strict=False):
            put(page, x + 3, first + CELL_HEIGHT * number + 11, cell, BOLD if number == 0 else SERIF, 9.0)

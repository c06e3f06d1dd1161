"""Documents whose text is known: pages of kinds that a reader without a model reads well, or not, with the number that
an endpoint's server finds in their picture (tests/endpoint/cards.py)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pymupdf

from tests.endpoint.cards import HEIGHT, WIDTH, draw_number

Kind = Literal["text", "formulas", "table", "clean scan", "poor scan", "old ocr"]
KINDS: tuple[Kind, ...] = ("text", "formulas", "table", "clean scan", "poor scan", "old ocr")
_TEXT = (
    "harbour keeper counted waves along northern pier during spring while seven boats returned slowly from distant "
    "islands carrying letters for every village between mountain and river because winter storms had closed roads "
    "until later months brought warmer weather again people gathered near market square telling stories about lost "
    "ships bells bridges lanterns orchards windmills gardens railways stations engines journals captains sailors"
)
_WORDS = _TEXT.split()
_LEFT, _TOP, _LINE = 36, 80, 14


def make_documents(folder: Path, documents: Sequence[Sequence[Kind]], seed: int = 0) -> dict[int, str]:
    """Writes a PDF for each list of kinds, with a page for each kind; at most 255 pages in all. Returns the Markdown of
    each page by its number."""
    folder.mkdir(parents=True, exist_ok=True)
    truth: dict[int, str] = {}
    number = 0
    for place, kinds in enumerate(documents):
        with pymupdf.open() as document:
            for kind in kinds:
                number += 1
                chance = random.Random(f"{seed} {number}")
                truth[number] = _PAGES[kind](document, number, chance)
            document.save(folder / f"{place:03}.pdf")
    return truth


def _sentence(chance: random.Random, words: int) -> str:
    return " ".join(chance.choice(_WORDS) for _ in range(words)).capitalize() + "."


def _page(document: pymupdf.Document, number: int) -> pymupdf.Page:
    page = document.new_page(width=WIDTH, height=HEIGHT)
    draw_number(page, number)
    return page


def _lines(chance: random.Random, count: int) -> list[str]:
    return [_sentence(chance, 6) for _ in range(count)]


def _write(page: pymupdf.Page, lines: Sequence[str], top: float = _TOP, **how: object) -> None:
    for row, line in enumerate(lines):
        page.insert_text((_LEFT, top + _LINE * row), line, fontsize=9, fontname="helv", **how)


def _text(document: pymupdf.Document, number: int, chance: random.Random) -> str:
    lines = _lines(chance, 18)
    _write(_page(document, number), lines)
    return " ".join(lines)


def _formulas(document: pymupdf.Document, number: int, chance: random.Random) -> str:
    page, parts, top = _page(document, number), [], _TOP
    for _ in range(4):
        lines = _lines(chance, 2)
        _write(page, lines, top)
        a, b, c, d = (chance.choice("abcdkmnpqrst") for _ in range(4))
        for x, y, text in ((60, 36, f"{a} ="), (92, 28, f"{b} + {c}²"), (92, 45, f"√{d} − {a}"), (150, 36, f"∑ {b}ᵢ")):
            page.insert_text((x, top + y), text, fontsize=11, fontname="tiit")
        page.draw_line((90, top + 32), (135, top + 32), width=0.6)
        parts.append(f"{' '.join(lines)}\n\n$$\n{a} = \\frac{{{b} + {c}^2}}{{\\sqrt{{{d}}} - {a}}} \\sum {b}_i\n$$")
        top += 68
    return "\n\n".join(parts)


def _table(document: pymupdf.Document, number: int, chance: random.Random) -> str:
    page = _page(document, number)
    rows = [[chance.choice(_WORDS), str(chance.randint(10, 999)), str(chance.randint(10, 999))] for _ in range(14)]
    lines = _lines(chance, 2)
    _write(page, lines)
    for row, cells in enumerate(rows):
        for x, cell in zip((40, 130, 200), cells, strict=True):
            page.insert_text((x, 126 + 16 * row), cell, fontsize=9, fontname="helv")
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>" for cells in rows)
    return f"{' '.join(lines)}\n\n<table>{body}</table>"


def _scanned(document: pymupdf.Document, number: int, lines: Sequence[str], dpi: int) -> pymupdf.Page:
    with pymupdf.open() as drawn:
        _write(_page(drawn, number), lines)
        picture = drawn[0].get_pixmap(dpi=dpi, colorspace="gray")
    page = document.new_page(width=WIDTH, height=HEIGHT)
    page.insert_image(page.rect, pixmap=picture)
    return page


def _clean_scan(document: pymupdf.Document, number: int, chance: random.Random) -> str:
    lines = _lines(chance, 18)
    _scanned(document, number, lines, 200)
    return " ".join(lines)


def _poor_scan(document: pymupdf.Document, number: int, chance: random.Random) -> str:
    lines = _lines(chance, 18)
    _scanned(document, number, lines, chance.choice((44, 50, 58)))
    return " ".join(lines)


def _old_ocr(document: pymupdf.Document, number: int, chance: random.Random) -> str:
    """A scan over the text of an old OCR, which looks like words and is wrong."""
    lines = _lines(chance, 18)
    page = _scanned(document, number, lines, 200)
    _write(page, [_misread(line, chance) for line in lines], render_mode=3)
    return " ".join(lines)


def _misread(line: str, chance: random.Random) -> str:
    swaps = {"rn": "m", "m": "rn", "e": "c", "l": "i", "h": "b", "n": "u", "u": "n", "t": "f"}
    return "".join(swaps.get(sign, sign) if chance.random() < 0.25 else sign for sign in line)


_PAGES: dict[Kind, Callable[[pymupdf.Document, int, random.Random], str]] = {
    "text": _text,
    "formulas": _formulas,
    "table": _table,
    "clean scan": _clean_scan,
    "poor scan": _poor_scan,
    "old ocr": _old_ocr,
}

"""Pages turned by 90, 180 and 270 degrees must keep their words: by a changed /Rotate, and turned in truth."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pymupdf

from pdfbatch.demo.typeset import A4
from pdfbatch.documents.textlayer.words import words_of
from tests.markdown_words import words_of_markdown

from .corpus import CorpusFile, copied, readable
from .figures import Figure, Section, at_least
from .measure import say
from .ours import local_run, pages_of

PAGES_OF_FILE = 2
TURNS = (90, 180, 270)
WAYS = ("rotate", "drawn")
CLOSE = 0.02
UNREADABLE = (RuntimeError, ValueError, pymupdf.mupdf.FzErrorBase)
Turner = Callable[[pymupdf.Document, int], tuple[pymupdf.Document, list[int]]]
"""(upright document, degrees) → the turned document, and the numbers of the pages that could be turned."""


@dataclass(frozen=True)
class Turned:
    """One page turned one way; words of its Markdown upright and turned."""

    name: str
    number: int
    way: str
    turn: int
    upright: int
    turned: int

    @property
    def off(self) -> float:
        return abs(self.turned - self.upright) / max(self.upright, 1)

    def __str__(self) -> str:
        return f"{self.name} p. {self.number} {self.way} {self.turn}: {self.turned} of {self.upright}"


def run(corpus: Path, scratch: Path) -> list[Section]:
    files = copied(readable(corpus), scratch / "turned", PAGES_OF_FILE)
    source, output = files[0].path.parent, scratch / "turned-out"
    copies = [copy for file in files for copy in _turned_copies(file, source)]
    say(f"turned: {len(copies)} turned copies of {len(files)} files")
    local_run(source, output, processes=2)
    found = sorted(_compared(copies, output), key=lambda page: page.off, reverse=True)
    return [_section(found, way) for way in WAYS]


@dataclass(frozen=True)
class Copy:
    """A file all of whose pages are turned one way; `pages` are those that came through it whole."""

    name: str
    way: str
    turn: int
    pages: list[int]

    @property
    def file(self) -> str:
        return f"{self.way}-{self.turn}-{self.name}"


def _turned_copies(file: CorpusFile, folder: Path) -> Iterator[Copy]:
    with pymupdf.open(file.path) as damaged:
        clean = damaged.tobytes(garbage=1, encryption=pymupdf.PDF_ENCRYPT_NONE)
    turners: dict[str, Turner] = {"rotate": _rotated, "drawn": _drawn}
    for way, turner in turners.items():
        for turn in TURNS:
            with pymupdf.open(stream=clean) as upright:
                document, pages = turner(upright, turn)
                copy = Copy(file.path.name, way, turn, [n for n in pages if _same_words(file, document, n)])
                document.save(folder / copy.file)
            yield copy


def _same_words(file: CorpusFile, document: pymupdf.Document, number: int) -> bool:
    """Whether the copy still holds the page's words; what is drawn anew loses annotations and damaged streams."""
    with contextlib.suppress(*UNREADABLE):
        return words_of(document[number - 1].get_text()) == file.pages[number - 1].words
    return False


def _rotated(document: pymupdf.Document, turn: int) -> tuple[pymupdf.Document, list[int]]:
    pages = []
    for number in range(document.page_count):
        with contextlib.suppress(*UNREADABLE):
            page = document[number]
            page.set_rotation((page.rotation + turn) % 360)
            pages.append(number + 1)
    return document, pages


def _drawn(upright: pymupdf.Document, turn: int) -> tuple[pymupdf.Document, list[int]]:
    drawn, pages = pymupdf.open(), []
    for number in range(upright.page_count):
        with contextlib.suppress(*UNREADABLE):
            upright[number].remove_rotation()  # looks the same; show_pdf_page would clip a page under /Rotate
        width, height = _size(upright, number)
        page = drawn.new_page(width=width if turn == 180 else height, height=height if turn == 180 else width)
        with contextlib.suppress(*UNREADABLE):
            page.show_pdf_page(page.rect, upright, number, rotate=turn)
            pages.append(number + 1)
    return drawn, pages


def _size(document: pymupdf.Document, number: int) -> tuple[float, float]:
    with contextlib.suppress(*UNREADABLE):
        return tuple(document[number].rect.br)
    return A4


def _compared(copies: list[Copy], output: Path) -> Iterator[Turned]:
    for copy in copies:
        upright, turned = _words(output, copy.name), _words(output, copy.file)
        for number in copy.pages:
            yield Turned(copy.name, number, copy.way, copy.turn, upright.get(number, 0), turned.get(number, 0))


def _words(output: Path, name: str) -> dict[int, int]:
    return {number: words_of_markdown(text).total() for number, text in pages_of(output, name).items()}


def _section(found: list[Turned], way: str) -> Section:
    pages = [page for page in found if page.way == way]
    close = sum(page.off <= CLOSE for page in pages)
    title = {"rotate": "by a changed /Rotate", "drawn": "in truth, the content itself turned"}[way]
    return Section(
        f"Pages turned by 90, 180 and 270 degrees {title}",
        [
            Figure("turned pages", len(pages)),
            at_least("words within 2 % of the upright page", 100 * close / len(pages), 100, "%"),
            *(Figure("worst", str(page)) for page in pages[:6] if page.off > CLOSE),
        ],
        [f"up to {PAGES_OF_FILE} pages of each readable file, scans too"],
    )

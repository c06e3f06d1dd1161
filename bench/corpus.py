"""The PDFs of the benchmark: those of a folder that MuPDF can open, or our own samples if there is no folder."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pymupdf

from pdfbatch.demo.pdfs import DEMO
from pdfbatch.documents.pdf.raster import STRIP_RATIO
from pdfbatch.documents.textlayer.lines import RAW_FLAGS, lines_of
from pdfbatch.documents.textlayer.words import LEGIBLE_FROM, words_of
from samples import odd
from samples.many import long_pdf

GARBLED_SHARE = 0.05
PICTURE_SHARE = 0.5
OWN = ("hidden_layer", "stamp_only", "right_to_left", "accents_apart", "tall_page", "owner_password")


@dataclass(frozen=True)
class PageFacts:
    """What is known about a page before it is read."""

    words: Counter[str]
    blank: bool = False
    hidden: bool = False
    pictured: bool = False
    """Whether pictures cover half of it or more."""
    garbled: bool = False
    strip: bool = False
    """Whether it is a very long strip, cut into many pieces for OCR: one such page outlasts all the others."""

    @property
    def legible(self) -> bool:
        """Whether its text layer can be compared with its Markdown."""
        return self.words.total() >= LEGIBLE_FROM and not self.garbled


@dataclass(frozen=True)
class CorpusFile:
    path: Path
    pages: tuple[PageFacts, ...]

    @property
    def born_digital(self) -> bool:
        """Whether no page needs OCR: each has a healthy visible text layer and no large picture."""
        return all(
            page.blank or (page.words and not (page.hidden or page.pictured or page.garbled)) for page in self.pages
        )


def pages_in(files: Sequence[CorpusFile]) -> int:
    return sum(len(file.pages) for file in files)


def readable(folder: Path) -> list[CorpusFile]:
    """The files of the folder that open without a password and have pages, by name."""
    files = []
    for path in sorted(folder.glob("*.pdf")):
        try:
            with pymupdf.open(path) as document:
                if document.is_pdf and not document.needs_pass and document.page_count:
                    files.append(CorpusFile(path, tuple(_facts(document, n) for n in range(document.page_count))))
        except (RuntimeError, ValueError):
            continue
    return files


def own_corpus(folder: Path) -> Path:
    """Generates our own samples, if there are no other PDFs."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in DEMO:
        (folder / sample.name).write_bytes(sample.make())
    for name in OWN:
        (folder / f"{name}.pdf").write_bytes(getattr(odd, name)())
    long_pdf(folder / "long.pdf", 76)
    return folder


def copied(files: Sequence[CorpusFile], folder: Path, most_pages: int | None = None) -> list[CorpusFile]:
    """Copies the files into a new folder; each is cut to at most `most_pages` pages."""
    folder.mkdir(parents=True)
    copies = []
    for file in files:
        target = folder / file.path.name
        if most_pages is None or len(file.pages) <= most_pages:
            shutil.copyfile(file.path, target)
        else:
            with pymupdf.open(file.path) as whole, pymupdf.open() as part:
                part.insert_pdf(whole, to_page=most_pages - 1)
                part.save(target, garbage=3)
        copies.append(CorpusFile(target, file.pages[:most_pages]))
    return copies


def _facts(document: pymupdf.Document, number: int) -> PageFacts:
    try:
        page = document[number]
        text = page.get_text()
        lines = lines_of(page.get_textpage(flags=RAW_FLAGS).extractDICT()["blocks"])
        letters, broken = sum(len(line.text) for line in lines), sum(line.broken for line in lines)
        hidden = any(span["type"] == 3 for span in page.get_texttrace())
        blank = not text.strip() and not page.get_images() and not page.get_drawings()
        covered = sum(abs(pymupdf.Rect(info["bbox"]) & page.rect) for info in page.get_image_info())
        pictured = covered >= PICTURE_SHARE * abs(page.rect)
    except (RuntimeError, ValueError):
        return PageFacts(Counter())
    garbled = broken > GARBLED_SHARE * letters
    strip = max(page.rect.br) > STRIP_RATIO * min(page.rect.br)
    return PageFacts(words_of(text), blank, hidden, pictured, garbled, strip)

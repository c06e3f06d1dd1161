"""PDFs by the thousand and PDFs of thousands of pages, written as plain objects because that is fast."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pdfbatch.demo.raw import raw_pdf, stream

WORDS = (
    "harbour", "lantern", "granite", "meadow", "copper", "winter", "bridge", "orchard", "signal", "feather",
    "market", "compass", "river", "engine", "ladder", "chapel", "button", "timber", "garden", "kettle",
    "anchor", "saddle", "window", "barrel", "island", "pepper", "thunder", "violin", "cabin", "needle",
)  # fmt: skip


def long_pdf(path: Path, pages: int, *, lines: int = 24, text_every: int = 1) -> Path:
    """A text PDF of `pages` different pages; page N is headed "Sheet N of PAGES". 3,000 take 0.4 s.

    With `text_every` k, only pages 1, k + 1, 2k + 1, … hold text; the others are blank.
    """
    path.write_bytes(_text_pdf("Sheet", pages, lines, text_every=text_every))
    return path


def many_pdfs(folder: Path, count: int, *, pages: int = 1, lines: int = 3) -> list[Path]:
    """`count` small text PDFs `doc-00000.pdf`, …, spread over subfolders of 1,000; each differs from all others."""
    paths = [folder / f"{number // 1000:03d}" / f"doc-{number:05d}.pdf" for number in range(count)]
    for parent in {path.parent for path in paths}:
        parent.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(paths):
        path.write_bytes(_text_pdf(f"Document {number} sheet", pages, lines, first=number))
    return paths


def sentences(seed: int, lines: int) -> Iterator[str]:
    """`lines` lines of eleven words each: arithmetic instead of a random generator, the same in every version."""
    state = seed * 2_654_435_761 % 2**32
    for _ in range(lines):
        words = []
        for _ in range(11):
            state = (state * 1_664_525 + 1_013_904_223) % 2**32
            words.append(WORDS[(state >> 16) % len(WORDS)])
        yield " ".join(words).capitalize() + "."


def _text_pdf(title: str, pages: int, lines: int, first: int = 0, text_every: int = 1) -> bytes:
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(pages))
    objects: list[str | bytes] = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {pages}/MediaBox[0 0 595 842]/Resources<</Font<</F 3 0 R>>>>>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/Encoding/WinAnsiEncoding>>",
    ]
    for number in range(pages):
        title_here = f"{title} {number + 1} of {pages}"
        content = "" if number % text_every else _content(title_here, sentences(first + number + 1, lines))
        objects += [
            f"<</Type/Page/Parent 2 0 R/Contents {5 + 2 * number} 0 R>>",
            stream(content),
        ]
    return raw_pdf(*objects)


def _content(title: str, lines: Iterator[str]) -> str:
    body = "\n".join(f"({line}) Tj T*" for line in lines)
    return f"BT /F 16 Tf 72 760 Td ({title}) Tj ET BT /F 11 Tf 15 TL 72 720 Td {body} ET"

"""The demo set: a few typical PDFs, each with its expected outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pymupdf

from pdfbatch.records import OutcomeKind, Reason

from . import texts
from .raw import raw_pdf
from .scans import put_picture, scan_of
from .typeset import BOLD, ITALIC, Block, Frame, flow, new_document, put, put_centred, to_bytes

USER_PASSWORD = "ask-the-harbour-master"
LEFT, RIGHT = pymupdf.Rect(54, 66, 286, 780), pymupdf.Rect(309, 66, 541, 780)
PAGE = pymupdf.Rect(72, 110, 523, 780)


@dataclass(frozen=True)
class Sample:
    """One file of the demo and its expected outcome.

    `phrases` must be in the Markdown after collapsing white space; `absent` must not (running headers).
    `blank_pages` are page numbers without any text.
    """

    name: str
    make: Callable[[], bytes]
    outcome: OutcomeKind
    reason: Reason | None = None
    pages: int = 0
    phrases: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    blank_pages: tuple[int, ...] = ()


def paper() -> bytes:
    """Two columns with a running header, page numbers, sections, a ruled table, a list, hyphenated words."""
    document = new_document(2)
    pages = list(document)
    put_centred(pages[0], 92, texts.PAPER_TITLE, BOLD, 20)
    put_centred(pages[0], 114, texts.PAPER_AUTHORS, ITALIC, 11)
    below_title = pymupdf.Rect(0, 80, 0, 0)
    short = pymupdf.Rect(0, 0, 0, -480)
    frames = [Frame(pages[0], box + below_title) for box in (LEFT, RIGHT)]
    frames += [Frame(pages[1], box + short) for box in (LEFT, RIGHT)]
    flow(texts.PAPER, frames)
    for number, page in enumerate(pages, start=1):
        if number > 1:
            put_centred(page, 42, texts.PAPER_HEADER, ITALIC, 9)
        put_centred(page, 812, str(number), size=9)
    return to_bytes(document)


def single_page(title: str, blocks: tuple[Block, ...]) -> pymupdf.Document:
    """A one-page document in one column under a title."""
    document = new_document()
    page = document[0]
    put(page, PAGE.x0, 90, title, BOLD, 18)
    flow(blocks, [Frame(page, PAGE)])
    return document


def scanned() -> bytes:
    """A typed page as a scanner saves it: one grey JPEG, half a degree askew, no text layer."""
    document = pymupdf.open()
    typed = single_page(texts.LETTER_TITLE, texts.LETTER)
    put_picture(document, scan_of(typed[0]))
    return to_bytes(document)


def sideways() -> bytes:
    """A scan laid in sideways whose /Rotate claims that it stands on its head: obeyed or ignored, the page lies."""
    document = pymupdf.open()
    typed = single_page(texts.INVENTORY_TITLE, texts.INVENTORY)
    picture = scan_of(typed[0], skew=0.0, seed=11)
    page = put_picture(document, picture.rotate(90, expand=True))
    page.set_rotation(180)
    return to_bytes(document)


def report() -> bytes:
    """Three pages, the second of them blank, as double-sided printing leaves it."""
    document = new_document(3)
    first, _blank, last = document
    put(first, PAGE.x0, 90, texts.REPORT_TITLE, BOLD, 18)
    flow(texts.REPORT_FIRST, [Frame(first, PAGE)])
    flow(texts.REPORT_LAST, [Frame(last, PAGE)])
    return to_bytes(document)


def encrypted() -> bytes:
    """A file encrypted with AES-256 that cannot be opened without the user password."""
    document = single_page("Confidential", texts.SECRET)
    return to_bytes(
        document, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=USER_PASSWORD, owner_pw=USER_PASSWORD + "-owner"
    )


def cut_off() -> bytes:
    """A truncated upload. Its page tree was at the end, so MuPDF repairs the rest to a document without pages."""
    with pymupdf.open(stream=scanned()) as document:
        whole = to_bytes(document, use_objstms=1)
    return whole[: len(whole) * 6 // 10]


def zero_pages() -> bytes:
    """A valid file with an empty page tree."""
    return raw_pdf("<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[]/Count 0>>")


def web_page() -> bytes:
    """The HTML error page that a download script saves as a PDF."""
    return b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"


DEMO = (
    Sample(
        "two-column-paper.pdf",
        paper,
        "ok",
        pages=2,
        phrases=(
            "Reading Forty Years of Harbour Tide Gauges",
            "Zoë Håkansson, René Muñoz and Françoise Düring",
            "1 Introduction",
            "Somebody changed the sheet on Monday morning",
            "eleven harbours between Malmö and La Coruña",
            "|Malmö|9,804|41|12|",
            "at least ten times in the week",
            "count too few. We suggest",
            "An uncomplicated rule",
            "when the sheet used to be changed",
        ),
        absent=("Håkansson et al.",),
    ),
    Sample(
        "scanned-minutes.pdf",
        scanned,
        "ok",
        pages=1,
        phrases=("Minutes of the Garden Committee", "seven of the twenty-two apple trees", "the key is with the baker"),
    ),
    Sample(
        "sideways-scan.pdf",
        sideways,
        "ok",
        pages=1,
        phrases=("Inventory of the Lighthouse Store", "eighteen barrels", "end of January if the winter is mild"),
    ),
    Sample(
        "report-with-blank-page.pdf",
        report,
        "ok",
        pages=3,
        phrases=("The company carried 184,260 passengers", "dogs pay as children do"),
        blank_pages=(2,),
    ),
    Sample("password-needed.pdf", encrypted, "failed", Reason.ENCRYPTED),
    Sample("cut-off-upload.pdf", cut_off, "failed", Reason.CORRUPT),
    Sample("no-pages.pdf", zero_pages, "failed", Reason.NO_PAGES),
    Sample("web-page.pdf", web_page, "failed", Reason.NOT_A_PDF),
    Sample("zero-bytes.pdf", bytes, "failed", Reason.EMPTY_FILE),
)


def write_demo(folder: Path) -> list[Path]:
    """Writes the set into `folder`, which is created if necessary, and returns the files.

    A file that exists is kept: to write it again would change the input of a run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / sample.name for sample in DEMO]
    for path, sample in zip(paths, DEMO, strict=True):
        if not path.exists():
            path.write_bytes(sample.make())
    return paths

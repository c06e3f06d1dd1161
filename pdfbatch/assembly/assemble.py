"""Assemble pages that were read one by one into a document. Pure, and linear in pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pdfbatch.assembly.captions import with_captions
from pdfbatch.assembly.furniture import with_furniture
from pdfbatch.assembly.headings import with_headings
from pdfbatch.assembly.listings import with_listings
from pdfbatch.assembly.paragraphs import with_paragraphs
from pdfbatch.assembly.tables import with_tables
from pdfbatch.records import Element, Heading, Page, ReadOptions


def assemble(pages: Sequence[Page], options: ReadOptions, outline: Sequence[Heading] = ()) -> list[Page]:
    """Decides `dropped`, `label`, `level`, `continues` and `repeated_rows` for each element.

    `pages` are the requested pages in order, as a reader returns them; `outline` is the PDF's, in any order. No text is
    lost: every element is in the result, on its page, with captions beside their figure or table and footnotes last. A
    figure without text gets its caption's first sentence. Assembling again changes nothing.
    """
    undecided = [_undecided(page) for page in pages]
    running = with_furniture(undecided, options)
    arranged = with_captions(with_headings(running, outline))
    return [page for part in _unbroken(arranged) for page in with_paragraphs(with_listings(with_tables(part, options)))]


def _unbroken(pages: Sequence[Page]) -> Iterator[list[Page]]:
    """The runs of consecutive pages: nothing continues across pages that were left out."""
    starts = [at for at in range(1, len(pages)) if pages[at].number != pages[at - 1].number + 1]
    for first, last in zip([0, *starts], [*starts, len(pages)], strict=True):
        yield list(pages[first:last])


def _undecided(page: Page) -> Page:
    """The page without the data on how it was read, and without anything that is decided here."""
    values = {name: getattr(page, name) for name in Page.model_fields}
    return Page(**values | {"elements": [_unjoined(element) for element in page.elements]})


def _unjoined(element: Element) -> Element:
    if not (element.continues or element.repeated_rows):
        return element
    return element.model_copy(update={"continues": False, "repeated_rows": 0})

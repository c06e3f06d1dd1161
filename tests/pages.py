"""Pages for tests, and what becomes of one as the only page of its document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pdfbatch.assembly.assemble import assemble
from pdfbatch.markdown.document import document_markdown
from pdfbatch.records import DocumentElements, Element, Label, PageResult, ReadOptions, plain_text

if TYPE_CHECKING:
    from pdfbatch.documents.layout.region import Region


def page_of(text: str, number: int = 1, **facts: object) -> PageResult:
    """A page of one paragraph."""
    elements = [Element(label=Label.PARAGRAPH, box=(72, 72, 523, 84), spans=plain_text(text))] if text else []
    return PageResult(number=number, elements=elements, **facts)  # type: ignore[arg-type]


PLAIN = ReadOptions()


def document_of(pages: list[PageResult], options: ReadOptions = PLAIN) -> DocumentElements:
    return DocumentElements(
        version=2,
        key="a.pdf",
        etag="",
        engine="cpu",
        model="",
        figures="a/figures/",
        pages=assemble(pages, options),
    )


def markdown_of(page: PageResult, options: ReadOptions = PLAIN) -> str:
    """The page's Markdown without its anchor."""
    return document_markdown(document_of([page], options)).partition("\n")[2].strip()


def regions_markdown(regions: Sequence[Region]) -> str:
    """The Markdown of a page that holds these regions."""
    from pdfbatch.documents.layout.elements import elements_of  # MuPDF, which the processes of tests start without

    return markdown_of(PageResult(number=1, width=595, height=842, elements=elements_of(regions)))

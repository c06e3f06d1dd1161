"""Estimate from a few pages how many pages of a document have a text layer worth reading."""

from __future__ import annotations

from typing import NamedTuple

from pdfbatch.documents.pdf.document_cache import forget, open_document
from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.documents.pdf.pictures import picture_kind
from pdfbatch.documents.pdf.silence import silenced
from pdfbatch.documents.textlayer.health import Health, health_of
from pdfbatch.documents.textlayer.lines import RAW_FLAGS, lines_of
from pdfbatch.documents.textlayer.spans import blocks_of


class LayerSample(NamedTuple):
    """`healthy`: sampled pages that are blank or have a healthy text layer; `pages`: pages sampled."""

    healthy: int
    pages: int


def sample_layers(path: str) -> LayerSample:
    """Check the first, middle and last page of the PDF at `path`, about 10 ms each. A page that cannot be checked
    counts as unhealthy. Never raises because of the file."""
    with silenced():
        try:
            document = open_document(path)
            count = document.page_count
            if picture_kind(path):
                return LayerSample(0, count)
            numbers = sorted({0, count // 2, count - 1}) if count else []
            return LayerSample(sum(_is_healthy(document, number) for number in numbers), len(numbers))
        except Exception:
            forget(path)
            return LayerSample(0, 0)


def _is_healthy(document: pymupdf.Document, number: int) -> bool:
    try:
        page = document[number]
        lines = lines_of(blocks_of(page.get_textpage(flags=RAW_FLAGS)))
        return health_of(page, lines) in (Health.GOOD, Health.HIDDEN, Health.BLANK)
    except Exception:
        return False

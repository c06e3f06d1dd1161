"""`images`: pages, figures and tables as image files, drawn from the document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator

from pdfbatch.documents.judgement import AS_SHOWN
from pdfbatch.processors.base import NoOptions, Processor, ReadDocument
from pdfbatch.records import Box, Label, Page

_KINDS = {"pages": None, "figures": Label.FIGURE, "tables": Label.TABLE}


class ImageOptions(NoOptions):
    """`what`: one of `pages`, `figures` and `tables`, or several joined by `+`."""

    what: str = "pages"
    format: Literal["webp", "png", "jpeg"] = "webp"
    dpi: int = Field(default=150, ge=20, le=600)
    quality: int = Field(default=82, ge=1, le=100)
    """Of WebP and JPEG."""

    @field_validator("what")
    @classmethod
    def _known(cls, what: str) -> str:
        kinds = what.split("+")
        if not set(kinds) <= set(_KINDS):
            raise ValueError("pages, figures or tables, or several as in pages+figures")
        return "+".join(kind for kind in _KINDS if kind in kinds)


class Images(Processor):
    """Writes `page-0001.webp` for a page, and `page-0001-figure-1.webp` for its first figure."""

    version = "1"
    Options = ImageOptions
    pages_per_task = 16

    options: ImageOptions

    def process(self, document: ReadDocument) -> None:
        """Draws the pages one by one. A page that an engine could read must be drawn too.

        Raises:
            ValueError: a page cannot be drawn.
        """
        failed = [why for page in document.pages() if (why := self._drawn(document, page)) and page.reason is None]
        if failed:
            raise ValueError("; ".join(failed[:3]))

    def _drawn(self, document: ReadDocument, page: Page) -> str:
        """Writes the images of a page; returns why it could not."""
        from pdfbatch.documents.page_picture import Cut, page_files

        cuts = [Cut(name, box) for name, box in self._wanted(page)]
        if not cuts:
            return ""
        options, rotation = self.options, page.rotation if page.width else AS_SHOWN
        how = (options.format, options.quality)
        try:
            for name, data in page_files(str(document.pdf), page.number, options.dpi, rotation, cuts, *how):
                (document.folder / f"{name}.{options.format}").write_bytes(data)
        except Exception as error:
            return f"page {page.number} cannot be drawn: {error}"
        return ""

    def _wanted(self, page: Page) -> Iterator[tuple[str, Box | None]]:
        """Yields names with boxes in points; the whole page has none."""
        name = f"page-{page.number:04d}"
        kinds = self.options.what.split("+")
        if "pages" in kinds:
            yield name, None
        for kind in ("figures", "tables"):
            if kind in kinds:
                found = [each for each in page.elements if each.label is _KINDS[kind] and not each.dropped]
                yield from ((f"{name}-{kind[:-1]}-{n}", each.box) for n, each in enumerate(found, 1))

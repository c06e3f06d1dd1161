"""Cut the figures of a page from its picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pdfbatch.documents.pdf.mupdf import pymupdf
from pdfbatch.records import Box, Element, Label

FIGURE_DPI = 150

Draw = Callable[[Box], pymupdf.Pixmap]
"""Draws the part of a page in a box."""


def figure_name(page: int, order: int) -> str:
    """Return the file name of a figure, the `order`-th element (from 1) of a page."""
    return f"page-{page:04}-{order:03}.png"


def with_figures(
    elements: Sequence[Element], page: int, before: int, draw: Draw
) -> tuple[list[Element], dict[str, bytes]]:
    """Return the elements of page number `page` with the names of their figures, and the figures as PNG files by name.

    `before`: number of the page's elements that come before these. A box of a single colour is no figure.
    """
    named: list[Element] = []
    files: dict[str, bytes] = {}
    for order, element in enumerate(elements, start=before + 1):
        if element.label is not Label.FIGURE:
            named.append(element)
            continue
        pixmap = draw(element.box)
        if not pixmap.is_unicolor:
            name = figure_name(page, order)
            files[name] = pixmap.tobytes("png")
            named.append(element.model_copy(update={"figure": name}))
    return named, files

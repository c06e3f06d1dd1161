"""All that makes lines say what the page says: each rule has a module, and the order of the rules is here. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pdfbatch.documents.textlayer.annotations import CheckBox
from pdfbatch.documents.textlayer.check_boxes import with_check_boxes
from pdfbatch.documents.textlayer.initials import with_initials
from pdfbatch.documents.textlayer.inline_numbers import with_numbers_cut
from pdfbatch.documents.textlayer.line_numbers import with_line_numbers
from pdfbatch.documents.textlayer.lines import Box, Line
from pdfbatch.documents.textlayer.soft_hyphens import without_soft_hyphens
from pdfbatch.documents.textlayer.twice import once
from pdfbatch.documents.textlayer.vertical import with_columns
from pdfbatch.documents.textlayer.watermarks import with_watermarks

ASIDE = ("line_number", "watermark", "form_field", "vertical")
"""Roles of lines that a layout model must not see among the text."""


def repaired(lines: Iterable[Line], boxes: Sequence[CheckBox] = ()) -> list[Line]:
    """The page's lines, mended; those that are not text in rows have a role."""
    whole = without_soft_hyphens(once(lines))
    whole = with_numbers_cut(with_line_numbers(with_watermarks(whole)))
    return with_check_boxes(with_initials(with_columns(whole)), boxes)


def hidden_boxes(before: Iterable[Line], after: Iterable[Line]) -> frozenset[Box]:
    """The boxes of those lines that are no longer rows of text, so that a layout model is shown the others alone."""
    text = {line.box for line in after if line.role not in ASIDE}
    return frozenset(line.box for line in before if line.box not in text)

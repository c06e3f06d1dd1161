"""Apply all repairs to the lines of a page. Each rule has a module of its own; their order is defined here. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pdfbatch.documents.textlayer.annotations import CheckBox
from pdfbatch.documents.textlayer.check_boxes import with_check_boxes
from pdfbatch.documents.textlayer.initials import with_initials
from pdfbatch.documents.textlayer.inline_numbers import with_numbers_cut
from pdfbatch.documents.textlayer.line_numbers import with_line_numbers
from pdfbatch.documents.textlayer.lines import Box, Line
from pdfbatch.documents.textlayer.lone_letters import with_letters_joined
from pdfbatch.documents.textlayer.soft_hyphens import without_soft_hyphens
from pdfbatch.documents.textlayer.twice import once
from pdfbatch.documents.textlayer.vertical import with_columns
from pdfbatch.documents.textlayer.watermarks import with_watermarks

ASIDE = ("line_number", "watermark", "form_field", "vertical")
"""Roles of lines that the layout model must not see as text."""


def repaired(lines: Iterable[Line], boxes: Sequence[CheckBox] = ()) -> list[Line]:
    """Return the page's lines after all repairs; lines that are not running text have a role."""
    whole = with_letters_joined(without_soft_hyphens(once(lines)))
    whole = with_numbers_cut(with_line_numbers(with_watermarks(whole)))
    return with_check_boxes(with_initials(with_columns(whole)), boxes)


def hidden_boxes(before: Sequence[Line], after: Sequence[Line]) -> frozenset[Box]:
    """Return the boxes of lines that are no longer running text or part of it, to hide them from the layout model."""
    text = {line.box for line in after if line.role not in ASIDE}
    gone = [line.box for line in before if line.box not in text]
    joined = text - {line.box for line in before} if gone else set()
    return frozenset(box for box in gone if not any(_lies_in(box, whole) for whole in joined))


def _lies_in(box: Box, whole: Box) -> bool:
    return box[0] >= whole[0] and box[1] >= whole[1] and box[2] <= whole[2] and box[3] <= whole[3]

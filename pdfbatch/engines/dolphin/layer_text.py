"""The text layer under a region of a drawn page, as a draft of what the model will read there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pdfbatch.engines.dolphin.layout import Box

if TYPE_CHECKING:
    from pdfbatch.documents.picture import PrintedLine


def text_under(lines: Sequence[PrintedLine], box: Box) -> str:
    """Returns the lines whose middle lies in the box, in their order, one below the other; "" if there are none."""
    return "\n".join(line.text.strip() for line in lines if _is_inside(line, box))


def _is_inside(line: PrintedLine, box: Box) -> bool:
    x, y = (line.box[0] + line.box[2]) / 2, (line.box[1] + line.box[3]) / 2
    return box.x0 <= x < box.x1 and box.y0 <= y < box.y1

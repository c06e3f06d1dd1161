"""One box that the layout model found on a page, and the lines in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pdfbatch.documents.layout.rulings import Rules
from pdfbatch.documents.textlayer.lines import Line
from pdfbatch.records import Box


@dataclass(slots=True)
class Region:
    """One box in reading order. `kind`: title, section-header, text, list-item, table, caption, footnote, formula,
    picture, page-header or page-footer; outside the text: line-numbers, watermark, form-field. `rows` and `columns`: a
    table's borders as the model guesses them, in points; `ruled_rows` and `ruled_columns`: those drawn on the page,
    empty if too few are drawn. `across` and `down`: all rules in it, with where they begin and end."""

    kind: str
    box: Box
    lines: list[Line] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)
    columns: list[float] = field(default_factory=list)
    ruled_rows: list[float] = field(default_factory=list)
    ruled_columns: list[float] = field(default_factory=list)
    across: Rules = field(default_factory=list)
    down: Rules = field(default_factory=list)

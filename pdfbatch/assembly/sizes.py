"""The body font size of a document. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pdfbatch.records import Label, Page

HEADING_SIZE = 1.3
"""Times the body size: a line of at least this size at the top is a heading; running titles are smaller."""


def body_size(pages: Sequence[Page]) -> float:
    """The median font size in points of the letters outside tables; 0 if no size is known."""
    letters: Counter[float] = Counter()
    for page in pages:
        for element in page.elements:
            if element.size > 0 and element.label != Label.TABLE:
                letters[round(element.size, 1)] += len(element.text)
    half, seen = letters.total() / 2, 0
    for size in sorted(letters):
        seen += letters[size]
        if seen >= half:
            return size
    return 0.0

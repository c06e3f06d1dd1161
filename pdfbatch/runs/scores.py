"""How reliable pages are: counts by score, and the worst pages. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping

from pdfbatch.records import DoubtfulPage, Page

WORST = 20
"""The number of worst pages that are kept."""
DOUBTFUL = 0.9
"""A page with a lower score is doubtful."""


def by_tenth(pages: Iterable[Page]) -> dict[str, int]:
    """Counts read pages by score, rounded down to a tenth: `0.9` means from 0.9 to below 1."""
    counts = Counter(f"{int(page.score * 10 + 1e-9) / 10:.1f}" for page in pages if page.reason is None)
    return dict(sorted(counts.items()))


def doubtful(key: str, pages: Iterable[Page]) -> list[DoubtfulPage]:
    """Returns the worst read pages of a document."""
    found = (DoubtfulPage(key, page.number, page.score) for page in pages if page.reason is None)
    return worst(page for page in found if page.score < DOUBTFUL)


def worst(pages: Iterable[DoubtfulPage]) -> list[DoubtfulPage]:
    """Returns the `WORST` lowest-scored pages, the lowest first."""
    return heapq.nsmallest(WORST, pages, key=lambda page: (page.score, page.key, page.page))


def added(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Returns the sum of several counts."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total

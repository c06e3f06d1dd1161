"""How far pages can be trusted, as counts by tenths and the worst of them. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping

from pdfbatch.records import DoubtfulPage, Page

WORST = 20
"""So many of the worst pages are kept."""
DOUBTFUL = 0.9
"""A page with a lower score is one of the worst."""


def by_tenth(pages: Iterable[Page]) -> dict[str, int]:
    """Read pages by their score, cut to a tenth: `0.9` is from 0.9 to below 1."""
    counts = Counter(f"{int(page.score * 10 + 1e-9) / 10:.1f}" for page in pages if page.reason is None)
    return dict(sorted(counts.items()))


def doubtful(key: str, pages: Iterable[Page]) -> list[DoubtfulPage]:
    """The worst read pages of a document."""
    found = (DoubtfulPage(key, page.number, page.score) for page in pages if page.reason is None)
    return worst(page for page in found if page.score < DOUBTFUL)


def worst(pages: Iterable[DoubtfulPage]) -> list[DoubtfulPage]:
    """The `WORST` ones, the worst first."""
    return heapq.nsmallest(WORST, pages, key=lambda page: (page.score, page.key, page.page))


def added(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Several counts as one."""
    all_of_them: Counter[str] = Counter()
    for each in counts:
        all_of_them.update(each)
    return all_of_them

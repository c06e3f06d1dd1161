"""Derive the borders of a table's rows and columns from the rules drawn between its cells. Pure.

If a table is ruled, the page shows its borders; the layout model only guesses them. Few rules, such as the three of a
table in a book, separate no rows and say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Span = tuple[float, float]
Rules = list[tuple[float, Span]]
"""Position of a rule across its direction, and where it begins and ends."""

THICKEST = 2.5
SHORTEST = 4.0
SAME = 2.5
"""Points; rules closer than this count as one, because adjacent cells may each draw their own."""
CROSSED_SHARE = 0.6
"""A border crosses at least this share of the table; a cell that spans several rows interrupts it."""
FEWEST_BORDERS = 4


def drawn_edges(vectors: Iterable[dict[str, Any]]) -> tuple[Rules, Rules]:
    """Return horizontal and vertical rules among MuPDF's vector blocks: thin boxes, and the sides of stroked
    rectangles."""
    across: Rules = []
    down: Rules = []
    for vector in vectors:
        x0, y0, x1, y1 = vector["bbox"]
        if y1 - y0 <= THICKEST and x1 - x0 >= SHORTEST:
            across.append(((y0 + y1) / 2, (x0, x1)))
        elif x1 - x0 <= THICKEST and y1 - y0 >= SHORTEST:
            down.append(((x0 + x1) / 2, (y0, y1)))
        elif vector["stroked"] and vector["isrect"]:
            across += [(y0, (x0, x1)), (y1, (x0, x1))]
            down += [(x0, (y0, y1)), (x1, (y0, y1))]
    return across, down


def within(across: Rules, down: Rules, box: tuple[float, float, float, float]) -> tuple[Rules, Rules]:
    """Return the rules in `box` and those of the frame around it: rules that cross the box may end at others
    outside."""
    left, top, right, bottom = box
    rows = [span for place, span in across if top <= place <= bottom and span[0] < right and span[1] > left]
    columns = [span for place, span in down if left <= place <= right and span[0] < bottom and span[1] > top]
    left = min([left, *(low for low, _ in rows)]) - 2 * SAME
    right = max([right, *(high for _, high in rows)]) + 2 * SAME
    top = min([top, *(low for low, _ in columns)]) - 2 * SAME
    bottom = max([bottom, *(high for _, high in columns)]) + 2 * SAME
    return (
        [rule for rule in across if top <= rule[0] <= bottom and rule[1][0] < right and rule[1][1] > left],
        [rule for rule in down if left <= rule[0] <= right and rule[1][0] < bottom and rule[1][1] > top],
    )


def borders(rules: Rules, along: Span, within: Span) -> list[float]:
    """Return the positions of the rules that cross most of `along`, in or near `within`, in order; also its ends if
    text may lie outside the rules."""
    near = sorted(rule for rule in rules if within[0] - 2 * SAME <= rule[0] <= within[1] + 2 * SAME)
    groups: list[Rules] = []
    for rule in near:
        if groups and rule[0] - groups[-1][-1][0] < SAME:
            groups[-1].append(rule)
        else:
            groups.append([rule])
    places = [
        sum(place for place, _ in group) / len(group)
        for group in groups
        if _covered([span for _, span in group], along) >= CROSSED_SHARE
    ]
    if places and places[0] - within[0] > 2 * SAME:
        places.insert(0, within[0])
    if places and within[1] - places[-1] > 2 * SAME:
        places.append(within[1])
    return places


def _covered(spans: list[Span], along: Span) -> float:
    """Return the share of `along` covered by the spans."""
    covered, reached = 0.0, along[0]
    for low, high in sorted(spans):
        covered += max(0.0, min(high, along[1]) - max(low, reached))
        reached = max(reached, high)
    return covered / max(along[1] - along[0], 1e-6)

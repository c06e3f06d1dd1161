"""The shapes of decoding steps. With CUDA graphs there are few, because each is captured once. Pure."""

from __future__ import annotations

from typing import NamedTuple

LENGTH_STEP = 64
GRAPH_LENGTHS = (256, 384, 768, 1536, 4096)
GRAPH_SPLITS = (8, 16, 32)
GRAPH_ROWS = (16, 64)
DRAFTED = 8
"""Tokens of its draft that a step verifies in a row."""
DRAFTING_SHARES = (2,)
"""With CUDA graphs one row in so many may have a draft."""


class StepShape(NamedTuple):
    """The shape of a step: rows, and the cache length they read; from row `split` on only `short` positions. In the
    last `drafting` rows drafts are verified."""

    rows: int
    length: int
    split: int = 0
    short: int = 0
    drafting: int = 0

    @property
    def plain(self) -> int:
        """The rows before those with drafts."""
        return self.rows - self.drafting


def rounded(wanted: StepShape, rows: int, length: int, graphs: bool) -> StepShape:
    """Rounds a wanted shape up to one that is computed, in a cache of `rows` x `length`. Without graphs only the
    lengths are rounded. Rows with drafts must be the last of the rounded rows."""

    def longer(size: int) -> int:
        if not graphs:
            return min(length, -(-size // LENGTH_STEP) * LENGTH_STEP)
        return min(length, next((step for step in GRAPH_LENGTHS if step >= size), size))

    used = rounded_rows(wanted.rows, rows) if graphs else wanted.rows
    split = rounded_split(wanted.split, used, graphs)
    whole, short = longer(wanted.length), longer(wanted.short)
    if 0 < split < used - wanted.drafting and short < whole:
        return StepShape(used, whole, split, short, wanted.drafting)
    return StepShape(used, whole, drafting=wanted.drafting)


def rounded_rows(rows: int, most: int) -> int:
    """Returns how many rows a recorded step computes for `rows` of them."""
    return min(most, next((step for step in GRAPH_ROWS if step >= rows), rows))


def rounded_split(split: int, rows: int, graphs: bool) -> int:
    """Returns how many of `rows` rows a recorded step computes as long ones for `split` of them."""
    return next((step for step in GRAPH_SPLITS if step >= split), rows) if graphs and split else split


def drafting_choices(rows: int, wanted: int, graphs: bool) -> list[int]:
    """Returns for how many of `rows` rows a step may verify drafts, if `wanted` have one; recorded steps come in few
    shapes."""
    if not graphs:
        return [wanted]
    return [rows // share for share in DRAFTING_SHARES if rows // share > 0]

"""Whether a model says the same over and over. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LONGEST_PERIOD = 512
MIN_SPAN = 128
"""Tokens that must repeat what came one period before; contents pages hold rows of dots, but hardly of this length."""
TABLE_SPAN = 768
"""The same for tables, which may well hold many empty rows."""
MIN_TURNS = 4
LOOK_EVERY = 32
"""Tokens between two looks at a row."""


def loop_start(tokens: Sequence[int], min_span: int = MIN_SPAN) -> int | None:
    """Where the repetition at the end begins, its first turn left out; None if the end is no loop.

    A loop is a tail that equals itself shifted by a period of at most `LONGEST_PERIOD` tokens, over at least
    `min_span` tokens and `MIN_TURNS` periods.
    """
    tail = np.asarray(tokens[-(LONGEST_PERIOD * (MIN_TURNS + 1)) :])
    for period in range(1, min(LONGEST_PERIOD, len(tail) // MIN_TURNS) + 1):
        span = max(min_span, MIN_TURNS * period)
        if span + period > len(tail) or tail[-1] != tail[-1 - period]:
            continue
        same = tail[period:] == tail[:-period]
        if same[-span:].all():
            return _first_turn(tokens, period)
    return None


def _first_turn(tokens: Sequence[int], period: int) -> int:
    """The first place from which on every token equals the one a period before."""
    whole = np.asarray(tokens)
    differs = np.flatnonzero(whole[period:] != whole[:-period])
    return period + (int(differs[-1]) + 1 if len(differs) else 0)

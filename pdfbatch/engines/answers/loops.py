"""Detect whether a model repeats itself endlessly. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

LONGEST_PERIOD = 512
MIN_SPAN = 128
"""Tokens that must equal those one period before."""
TABLE_SPAN = 768
"""The same for tables, which may hold many empty rows."""
FILLER_SPAN = 768
"""The same where all are fillers: dot leaders, lines to write on and rules repeat, and are right."""
MIN_TURNS = 4
_PROBE = 16
"""Tokens at the end that rule out most periods at once: tables repeat single tokens at many distances."""
_ROUNDING = 1e-6
LOOK_EVERY = 32
"""Tokens between two checks of a row."""


Flags = npt.NDArray[np.bool_]


def loop_start(tokens: Sequence[int], min_span: int = MIN_SPAN, fillers: Flags | None = None) -> int | None:
    """Where the repetition at the end begins, after its first turn; None if the end is no loop.

    A loop is a tail that equals itself shifted by a period of at most `LONGEST_PERIOD` tokens, over at least
    `min_span` tokens and `MIN_TURNS` periods. What is left before it is no loop either: loops within turns are loops.

    `fillers` says for each token of the vocabulary whether it is a filler (see `filler_tokens`). Fillers count less, so
    that `FILLER_SPAN` of them are a loop, and of fillers with few words a number in between.
    """
    whole = np.asarray(tokens, dtype=np.int64)
    weights = np.ones(len(whole)) if fillers is None else np.where(fillers[whole], _filler_weight(min_span), 1.0)
    start = len(whole)
    while (period := _period(whole[:start], _span(weights[:start], min_span))) is not None:
        start = _first_turn(whole[:start], period)
    return start if start < len(whole) else None


def filler_tokens(texts: Sequence[str]) -> Flags:
    """Which tokens are fillers, by the text of each: those without a letter or digit. A piece of a character, which
    decodes to U+FFFD, is not."""
    return np.array([_is_filler(text) for text in texts], dtype=np.bool_)


def _is_filler(text: str) -> bool:
    return bool(text) and not any(char.isalnum() or char == "\ufffd" for char in text)


def _filler_weight(min_span: int) -> float:
    return min(1.0, min_span / FILLER_SPAN)


def _span(weights: npt.NDArray[np.float64], min_span: int) -> int:
    """How many tokens at the end weigh `min_span`; more than there are if all weigh less."""
    return int(np.searchsorted(np.cumsum(weights[::-1]), min_span - _ROUNDING)) + 1


def _period(whole: npt.NDArray[np.int_], min_span: int) -> int | None:
    """The shortest period with which the end repeats itself."""
    longest = min(LONGEST_PERIOD, len(whole) // (MIN_TURNS + 1))
    if longest == 0 or len(whole) <= min_span:
        return None
    probe = min(_PROBE, max(min_span, MIN_TURNS))
    before = sliding_window_view(whole[-longest - probe : -1], probe)[::-1]
    for period in (int(before_it) + 1 for before_it in np.flatnonzero((before == whole[-probe:]).all(axis=1))):
        span = max(min_span, MIN_TURNS * period)
        if span + period <= len(whole) and (whole[-span:] == whole[-span - period : -period]).all():
            return period
    return None


def _first_turn(whole: npt.NDArray[np.int_], period: int) -> int:
    """The first index from which every token equals the one a period before."""
    differs = np.flatnonzero(whole[period:] != whole[:-period])
    return period + (int(differs[-1]) + 1 if len(differs) else 0)

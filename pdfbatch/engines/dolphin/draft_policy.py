"""Decide in how many rows steps verify drafts: only while the tokens gained are worth the longer steps. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

FIRST_COST = 0.01
"""By what share of a step each row with a draft makes it longer, until that was measured. Counted for a T4 and 64 rows:
0.65 for all of them."""
FIRST_GAIN = 2.0
"""Tokens that a step is believed to gain in a row with a draft, until that was measured."""
_BELIEF = 20
"""The weight of `FIRST_GAIN`, in steps."""
_FADING = 0.995
"""What is left of a measurement's weight with each further one."""
_TRIED_AGAIN = 200
"""After so many decisions against drafts they are tried once, in case the pages have changed."""
_OUTLIER = 3.0
"""A step this many times as long as usual does not count: something else was running."""


class DraftPolicy:
    """What drafts cost and gain, as measured so far. Rows are told apart by `kind`, any name for what they hold.

    `known_cost` returns how many times as long a step over so many rows takes if so many of them have drafts; None:
    measured.
    """

    def __init__(self, known_cost: Callable[[int, int], float] | None = None) -> None:
        self._known_cost = known_cost
        self._gains: dict[str, tuple[float, float]] = {}
        """By kind: steps and tokens gained, both fading."""
        self._seconds: dict[tuple[int, int], float] = {}
        """By rows, and rows with drafts: seconds of a step."""
        self._refused = 0

    def best(self, rows: int, kinds: Sequence[str], choices: Sequence[int]) -> int:
        """Returns in how many of `rows` rows the next steps should verify drafts, one of `choices` or 0; `kinds` are
        those of the rows that have one."""
        gains = sorted(map(self.gain, kinds), reverse=True)

        def speed(drafting: int) -> float:
            return (rows + sum(gains[:drafting])) / self.cost(rows, drafting)

        chosen = max([0, *choices], key=speed)
        if chosen:
            self._refused = 0
            return chosen
        self._refused = (self._refused + 1) % _TRIED_AGAIN
        return 0 if self._refused else min(choices, default=0)

    def gain(self, kind: str) -> float:
        """Returns the tokens that a step gains in a row of this kind, besides the one it always says."""
        steps, more = self._gains.get(kind, (_BELIEF, _BELIEF * FIRST_GAIN))
        return more / steps

    def cost(self, rows: int, drafting: int) -> float:
        """Returns how many times as long a step over `rows` rows takes if `drafting` of them have drafts."""
        if self._known_cost is not None:
            return self._known_cost(rows, drafting)
        with_drafts, without = (self._seconds.get((rows, some)) for some in (drafting, 0))
        return with_drafts / without if with_drafts and without else 1 + FIRST_COST * drafting

    def heard(self, kind: str, steps: int, tokens: int) -> None:
        """Learns that `steps` steps with drafts said `tokens` tokens in one row."""
        before, more = self._gains.get(kind, (_BELIEF, _BELIEF * FIRST_GAIN))
        self._gains[kind] = (_FADING * before + steps, _FADING * more + tokens - steps)

    def took(self, rows: int, drafting: int, seconds: float) -> None:
        """Learns how long one step took."""
        usual = self._seconds.get((rows, drafting))
        if usual is None:
            self._seconds[rows, drafting] = seconds
        elif seconds < _OUTLIER * usual:
            self._seconds[rows, drafting] = 0.9 * usual + 0.1 * seconds

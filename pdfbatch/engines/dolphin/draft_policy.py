"""Decide whether steps verify drafts: only while the tokens gained are worth the longer steps. Pure."""

from __future__ import annotations

from collections.abc import Sequence

FIRST_COST = 1.4
"""Seconds of a step with drafts to one without, until both were measured."""
FIRST_GAIN = 2.0
"""Tokens that a step is believed to gain in a row with a draft, until it was measured."""
_BELIEF = 20
"""The weight of `FIRST_GAIN`, in steps."""
_FADING = 0.995
"""What is left of a measurement's weight with each further one."""
_TRIED_AGAIN = 200
"""After so many decisions against drafts they are tried once, in case the pages have changed."""
_OUTLIER = 3.0
"""A step this many times as long as usual does not count: something else was running."""


class DraftPolicy:
    """What drafts cost and gain, as measured so far. Rows are told apart by `kind`, any name for what they hold. With
    `known_cost` the cost is not measured."""

    def __init__(self, known_cost: float | None = None) -> None:
        self._known_cost = known_cost
        self._gains: dict[str, tuple[float, float]] = {}
        """By kind: steps and tokens gained, both fading."""
        self._seconds: dict[tuple[int, bool], float] = {}
        """By rows, and with drafts or not: seconds of a step."""
        self._refused = 0

    def is_wanted(self, rows: int, kinds: Sequence[str]) -> bool:
        """Decides for the next steps over `rows` rows, of which those with a draft are of these `kinds`."""
        if not kinds:
            return False
        if rows + sum(map(self.gain, kinds)) > self.cost(rows) * rows:
            self._refused = 0
            return True
        self._refused = (self._refused + 1) % _TRIED_AGAIN
        return not self._refused

    def gain(self, kind: str) -> float:
        """Returns the tokens that a step gains in a row of this kind, besides the one it always says."""
        steps, more = self._gains.get(kind, (_BELIEF, _BELIEF * FIRST_GAIN))
        return more / steps

    def cost(self, rows: int) -> float:
        """Returns how many times as long a step takes with drafts."""
        if self._known_cost is not None:
            return self._known_cost
        with_drafts, without = (self._seconds.get((rows, drafted)) for drafted in (True, False))
        return with_drafts / without if with_drafts and without else FIRST_COST

    def heard(self, kind: str, steps: int, tokens: int) -> None:
        """Learns that `steps` steps with drafts said `tokens` tokens in one row."""
        before, more = self._gains.get(kind, (_BELIEF, _BELIEF * FIRST_GAIN))
        self._gains[kind] = (_FADING * before + steps, _FADING * more + tokens - steps)

    def took(self, rows: int, drafted: bool, seconds: float) -> None:
        """Learns how long one step over `rows` rows took."""
        usual = self._seconds.get((rows, drafted))
        if usual is None:
            self._seconds[rows, drafted] = seconds
        elif seconds < _OUTLIER * usual:
            self._seconds[rows, drafted] = 0.9 * usual + 0.1 * seconds

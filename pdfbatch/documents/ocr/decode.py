"""Decode the recogniser's probabilities to text, keeping spaces with a low probability.

Greedy decoding takes the most likely character at each step, and a narrow space seldom is: "Date ofInclusion". But the
model still gives such a space a few percent, and nothing at all inside words. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

BLANK = 0
SPACE_FROM = 0.05
"""Probability from which a space between two characters is accepted. Lost spaces had 0.02 to 0.25, all else 0.00."""


def decode(steps: npt.NDArray[np.float32], signs: Sequence[str]) -> tuple[str, float]:
    """Return the text and the mean probability of its characters. `steps` are steps x characters probabilities of a CTC
    model (blank first, space last)."""
    likeliest = steps.argmax(axis=1)
    starts = np.flatnonzero((likeliest != BLANK) & (likeliest != np.concatenate([[-1], likeliest[:-1]])))
    if len(starts) == 0:
        return "", 0.0
    space = len(signs) - 1
    text = [signs[likeliest[starts[0]]]]
    for before, start in pairwise(starts):
        between = steps[before + 1 : start, space]
        known = space in (likeliest[before], likeliest[start])
        if not known and len(between) and between.max() >= SPACE_FROM:
            text.append(" ")
        text.append(signs[likeliest[start]])
    return "".join(text), float(steps[starts, likeliest[starts]].mean())

"""How far a page's text can be trusted, as one number. Pure.

    score = ink explained × agreement by sight × recogniser's confidence × share of words kept

Each factor is 0 to 1, and 1 where there is nothing to doubt:
- ink explained: the share of the page's text-like ink that its lines account for, found ones included;
- agreement by sight: the mean over the layer's letters of what their fonts' samples had (1 for a font unchecked);
- confidence: the mean over all letters, 1 for the layer's and the recogniser's own for read ones;
- words kept: the share of the lines' words that are in the Markdown.
"""

from __future__ import annotations

from collections.abc import Iterable


def page_score(ink_explained: float, agreement: float, confidence: float, words_kept: float) -> float:
    """The product, to two digits; a factor outside 0 to 1 counts as the nearer end."""
    product = 1.0
    for factor in (ink_explained, agreement, confidence, words_kept):
        product *= min(1.0, max(0.0, factor))
    return round(product, 2)


def mean_over_letters(parts: Iterable[tuple[int, float]]) -> float:
    """The mean of values over how many letters each stands for; 1 where there are none."""
    pairs = list(parts)
    letters = sum(count for count, _ in pairs)
    return sum(count * value for count, value in pairs) / letters if letters else 1.0

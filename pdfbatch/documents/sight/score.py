"""Compute one number for how far a page's text can be trusted. Pure.

    score = ink explained × agreement by sight × recogniser's confidence × share of words kept

Each factor is 0 to 1, and 1 without any doubt:
- ink explained: the share of the page's text-like ink covered by its lines, including lines read by OCR;
- agreement by sight: the mean over the layer's letters of their fonts' agreement (1 for an unchecked font);
- confidence: the mean over all letters, 1 for the layer's and the recogniser's own for letters read by OCR;
- words kept: the share of the lines' words that are in the Markdown.
"""

from __future__ import annotations

from collections.abc import Iterable


def page_score(ink_explained: float, agreement: float, confidence: float, words_kept: float) -> float:
    """Return the product, to two digits; factors are clipped to 0 to 1."""
    product = 1.0
    for factor in (ink_explained, agreement, confidence, words_kept):
        product *= min(1.0, max(0.0, factor))
    return round(product, 2)


def mean_over_letters(parts: Iterable[tuple[int, float]]) -> float:
    """Return the mean of values weighted by letters; 1 if there are none."""
    pairs = list(parts)
    letters = sum(count for count, _ in pairs)
    return sum(count * value for count, value in pairs) / letters if letters else 1.0

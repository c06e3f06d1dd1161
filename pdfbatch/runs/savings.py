"""Estimates the savings of using reliable text layers instead of reading every page with the model.

It assumes that a page not read whole would have needed as many tokens as the average whole page of the same run. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from pydantic import BaseModel, ConfigDict

from pdfbatch.records import EndpointUse, ModelUse, PageResult

WHOLE, BLANK = "dolphin", "blank"
"""As in `PageResult.read_by`."""


class Savings(BaseModel):
    """`share`: the part of the work of reading all pages with the model that was saved, 0 to 1. `model_seconds`: the
    computing time saved. `dollars`: the instance cost saved, None if unknown."""

    model_config = ConfigDict(frozen=True)
    share: float
    model_seconds: float
    dollars: float | None = None


def use_of(pages: Iterable[PageResult]) -> ModelUse:
    """Returns the model's work for some pages."""
    return total(
        ModelUse(
            elements=page.model_elements,
            tokens=page.tokens,
            whole_tokens=page.tokens if page.read_by == WHOLE else 0,
            seconds=page.model_seconds,
            endpoint=page.endpoint,
        )
        for page in pages
    )


def total(uses: Iterable[ModelUse]) -> ModelUse:
    """Returns the sum of several uses."""
    every = list(uses)
    return ModelUse(
        elements=sum(use.elements for use in every),
        tokens=sum(use.tokens for use in every),
        whole_tokens=sum(use.whole_tokens for use in every),
        seconds=round(sum(use.seconds for use in every), 3),
        endpoint=reduce(EndpointUse.plus, (use.endpoint for use in every), EndpointUse()),
    )


def savings(read_by: Mapping[str, int], use: ModelUse, dollars_an_hour: float | None = None) -> Savings | None:
    """Estimates the savings; None if no page was read whole, because then the cost of one is unknown.

    `read_by`: number of pages by reader. `dollars_an_hour`: price of an instance with the model. Blank pages are left
    out: the model would not have read them either.
    """
    whole, pages = read_by.get(WHOLE, 0), sum(read_by.values()) - read_by.get(BLANK, 0)
    if not whole or not use.whole_tokens:
        return None
    of_all = use.whole_tokens / whole * pages
    more = max(0.0, of_all - use.tokens)
    seconds = use.seconds * more / use.tokens
    return Savings(
        share=round(more / of_all, 4),
        model_seconds=round(seconds, 3),
        dollars=None if dollars_an_hour is None else round(seconds / 3600 * dollars_an_hour, 4),
    )

"""What it saves that text layers were read where they are right: the model's work against that of reading all by it.

An estimate: a page that the model did not read whole would have cost as many tokens as the whole pages of the same run
did on average. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from pdfbatch.records import ModelUse, PageResult

WHOLE, BLANK = "dolphin", "blank"
"""As in `PageResult.read_by`."""


class Savings(BaseModel):
    """`share`: of the work of reading all pages by the model, 0 to 1. `model_seconds`: that the model would have
    computed longer. `dollars`: what its machines would have cost more, None where that is not known."""

    model_config = ConfigDict(frozen=True)
    share: float
    model_seconds: float
    dollars: float | None = None


def use_of(pages: Iterable[PageResult]) -> ModelUse:
    """What the model did for some pages."""
    return total(
        ModelUse(
            elements=page.model_elements,
            tokens=page.tokens,
            whole_tokens=page.tokens if page.read_by == WHOLE else 0,
            seconds=page.model_seconds,
        )
        for page in pages
    )


def total(uses: Iterable[ModelUse]) -> ModelUse:
    """All together."""
    every = list(uses)
    return ModelUse(
        elements=sum(use.elements for use in every),
        tokens=sum(use.tokens for use in every),
        whole_tokens=sum(use.whole_tokens for use in every),
        seconds=round(sum(use.seconds for use in every), 3),
    )


def savings(read_by: Mapping[str, int], use: ModelUse, dollars_an_hour: float | None = None) -> Savings | None:
    """`read_by`: pages by what read them. `dollars_an_hour`: of a machine with the model. None where no page was read
    whole: then nothing tells what one costs. Blank pages cost the model nothing either."""
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

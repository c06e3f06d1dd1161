"""From an answer to a page, and what it cost. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pdfbatch.engines.endpoint.answer import Answer, is_same_model
from pdfbatch.engines.endpoint.tasks import POINTS_PER_INCH, Drawn
from pdfbatch.records import Box, Element, EndpointPrice, EndpointUse, PageResult, Picture, Reason

READ_BY = "endpoint"
_SCORES = {"whole": 1.0, "truncated": 0.5, "looped": 0.0}
_PATCH = 28
"""Pixels of the side of what most vision models read as one token (Qwen-VL's patches of 14 pixels, 2 × 2 merged)."""
LETTERS_PER_TOKEN = 3


def box_of(drawn: Drawn) -> Box:
    """Returns the whole page in points: an answer does not say where on the page its elements are."""
    scale = POINTS_PER_INCH / drawn.dpi
    return (0.0, 0.0, round(drawn.width * scale, 1), round(drawn.height * scale, 1))


def page_of(
    number: int, drawn: Drawn, answer: Answer, elements: Sequence[Element], use: EndpointUse, asked: str
) -> PageResult:
    """Returns the page. `asked` is the model's name as it was asked for. An answer that was cut short, repeats itself
    or is empty is kept, with a flag and a lower score."""
    is_empty = not answer.text.strip()
    flags: list[str] = [answer.ending] if answer.ending != "whole" else []
    flags += ["empty"] if is_empty else []
    flags += ["turned"] if drawn.turned else []
    flags += ["other_model"] if not is_same_model(asked, answer.model) else []
    score = 0.0 if is_empty else _SCORES[answer.ending]
    has_looped = answer.ending == "looped"
    _, _, width, height = box_of(drawn)
    marks = {"score": score, "flags": [answer.ending] if answer.ending != "whole" else []}
    return PageResult(
        number=number,
        width=width,
        height=height,
        rotation=drawn.rotation,
        reason=Reason.REPETITION if has_looped else None,
        detail="the model repeated itself endlessly, twice" if has_looped else "",
        read_by=READ_BY,
        score=score,
        flags=flags,
        elements=[*elements[:-1], *(last.model_copy(update=marks) for last in elements[-1:])],
        picture=Picture(width=drawn.width, height=drawn.height, dpi=round(drawn.dpi, 2)),
        endpoint=use,
    )


def use_of(answer: Answer, drawn: Drawn, prompt: str, price: EndpointPrice | None) -> EndpointUse:
    """Returns what one answer cost. Tokens that the endpoint did not count are estimated, rather too high."""
    tokens_in, tokens_out = answer.tokens_in, answer.tokens_out
    is_uncounted = tokens_in is None or tokens_out is None
    if tokens_in is None:
        patches = math.ceil(drawn.width / _PATCH) * math.ceil(drawn.height / _PATCH)
        tokens_in = patches + len(prompt) // LETTERS_PER_TOKEN
    if tokens_out is None:
        tokens_out = math.ceil(len(answer.text) / LETTERS_PER_TOKEN)
    return EndpointUse(
        answers=1,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        uncounted=int(is_uncounted),
        dollars=price.dollars(tokens_in, tokens_out) if price else 0.0,
    )

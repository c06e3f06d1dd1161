"""Draft tokens: what a row will probably say next, taken from text that is already known, to be verified by the model.

A step computes a row's last token and the next few tokens of its draft in one pass. As many of them are kept as equal
what the model itself would have said, so that the tokens are the same with and without a draft.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from pdfbatch.engines.dolphin.row_state import RowState


class Drafted(NamedTuple):
    """The next tokens of each row's draft, R x K (`NO_TOKEN` where there are none), and the index in the draft of the
    first one, R."""

    tokens: Tensor
    first: Tensor


def drafted(rows: RowState, ahead: int) -> Drafted:
    """Finds each row's last token in its draft, and returns the `ahead` tokens that follow it.

    The place after the last agreement is tried first; then, further on, the nearest pair of the last two tokens, and
    the nearest last token. If it is nowhere, it probably stands for the token at that place, and the draft goes on
    behind it. A wrong guess costs nothing but the guess.
    """
    import torch

    draft = rows.draft
    at = torch.arange(draft.shape[1], device=draft.device)
    is_last = (draft == rows.tokens[:, None]) & (at >= rows.place[:, None])
    is_pair = torch.zeros_like(is_last)
    is_pair[:, 1:] = draft[:, :-1] == rows.before[:, None]
    rank = is_last * (1 + 2 * is_pair.long() + 4 * (at == rows.place[:, None]).long())
    best, found = (rank * draft.shape[1] - at).max(dim=-1)
    last = draft.shape[1] - 1  # always NO_TOKEN
    first = torch.where(best > 0, found, rows.place) + 1
    places = first[:, None] + torch.arange(ahead, device=draft.device)
    return Drafted(draft.gather(1, places.clamp(max=last)), first)


def agreed(best: Tensor, tokens: Tensor, guess: Drafted, may_follow: Tensor) -> Tensor:
    """Returns how many guessed tokens of each row (R) are what the model says. `tokens` and their scores `best` are
    R x (1 + K); rows without `may_follow` (R) keep none."""
    same = (tokens[:, :-1] == guess.tokens) & best[:, :-1].isfinite() & may_follow[:, None]
    return same.long().cumprod(dim=1).sum(dim=1)

"""What the rows of a batch carry from step to step, on the device, besides their caches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

DRAFT_LENGTH = 1024
"""Columns for a row's draft; the last is always `NO_TOKEN`, and tokens beyond it are not used."""
NO_TOKEN = -1
"""Fills up the drafts; it equals no token."""


@dataclass
class RowState:
    """R rows. A free row has `active` 0 and stays at position 0."""

    tokens: Tensor
    """R, the last token of each row; its keys and values are not in the cache yet."""
    before: Tensor
    """R, the token before that."""
    positions: Tensor
    """R, the position of the last token."""
    active: Tensor
    """R, 1 for a row in use, else 0."""
    penalty: Tensor
    """R, float32; 1 for no penalty."""
    said: Tensor
    """R x W, whether a token was in the row's prompt or answer; kept for rows with a penalty only."""
    draft: Tensor
    """R x DRAFT_LENGTH, tokens that the row's answer may contain, `NO_TOKEN` after the last."""
    place: Tensor
    """R, the index in the draft after the last token that was found there."""

    @classmethod
    def empty(cls, rows: int, words: int, device: object) -> RowState:
        """Returns the state of `rows` free rows; `words` is W."""
        import torch

        def zeros(*shape: int, dtype: torch.dtype = torch.long) -> Tensor:
            return torch.zeros(*shape, device=device, dtype=dtype)  # type: ignore[call-overload,no-any-return]

        return cls(
            tokens=zeros(rows),
            before=zeros(rows),
            positions=zeros(rows),
            active=zeros(rows),
            penalty=zeros(rows, dtype=torch.float32) + 1,
            said=zeros(rows, words, dtype=torch.bool),
            draft=zeros(rows, DRAFT_LENGTH) + NO_TOKEN,
            place=zeros(rows),
        )

    def resized(self, rows: int) -> RowState:
        """Returns the state of `rows` rows; those that remain are copied."""
        new = RowState.empty(rows, self.said.shape[1], self.tokens.device)
        kept = min(rows, len(self.tokens))
        for old_tensor, new_tensor in zip(self._tensors(), new._tensors(), strict=True):
            new_tensor[:kept] = old_tensor[:kept]
        return new

    def part(self, first: int, last: int) -> RowState:
        """Returns views of the rows from `first` to `last` (exclusive)."""
        return RowState(*(tensor[first:last] for tensor in self._tensors()))

    def clone(self) -> RowState:
        return RowState(*(tensor.clone() for tensor in self._tensors()))

    def restore(self, saved: RowState) -> None:
        """Copies a clone back."""
        for tensor, old in zip(self._tensors(), saved._tensors(), strict=True):
            tensor.copy_(old)

    def move(self, source: int, target: int) -> None:
        for tensor in self._tensors():
            tensor[target] = tensor[source]

    def swap(self, one: int, other: int) -> None:
        for tensor in self._tensors():
            kept = tensor[one].clone()
            tensor[one] = tensor[other]
            tensor[other] = kept

    def free(self, row: int) -> None:
        for tensor in (self.active, self.positions):
            tensor[row] = 0

    def _tensors(self) -> Iterator[Tensor]:
        return (getattr(self, field.name) for field in fields(self))


def padded(drafts: Sequence[Sequence[int]]) -> Tensor:
    """Returns drafts as R x DRAFT_LENGTH, on the CPU; longer ones are cut off."""
    import torch

    table = torch.full((len(drafts), DRAFT_LENGTH), NO_TOKEN, dtype=torch.long)
    for line, draft in zip(table, drafts, strict=True):
        used = draft[: DRAFT_LENGTH - 1]
        line[: len(used)] = torch.tensor(used, dtype=torch.long)
    return table

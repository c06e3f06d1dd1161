"""The optimizer Muon in 32 bits: torch's own works in bfloat16, which many CPUs only emulate, ten times as slowly."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import torch  # noqa: TID253 - whoever imports this module has seen that it is there

_MOMENTUM = 0.95
_ROUNDS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Source: Keller Jordan, "Muon: an optimizer for hidden layers in neural networks"."""


class Muon(torch.optim.Optimizer):
    """Steps matrices along the nearest orthogonal matrix of their gradients' running mean; all of one shape at once."""

    def __init__(self, matrices: Iterable[torch.Tensor], lr: float) -> None:
        ordered = sorted(matrices, key=lambda matrix: matrix.shape)
        super().__init__(
            [{"params": list(alike)} for _, alike in groupby(ordered, key=lambda matrix: matrix.shape)], {"lr": lr}
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            matrices = group["params"]
            gradients = torch.stack([matrix.grad for matrix in matrices])
            mean = self.state[matrices[0]].setdefault("mean", torch.zeros_like(gradients))
            mean.lerp_(gradients, 1 - _MOMENTUM)
            rows, columns = gradients.shape[1:]
            scale = group["lr"] * max(1.0, rows / columns) ** 0.5
            for matrix, way in zip(matrices, _orthogonal(gradients.lerp(mean, _MOMENTUM)), strict=True):
                matrix.sub_(way, alpha=scale)


def _orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """The matrices with all singular values brought near 1, by Newton and Schulz."""
    linear, cubic, quintic = _COEFFICIENTS
    is_tall = matrices.shape[1] > matrices.shape[2]
    near = matrices.mT if is_tall else matrices
    near = near / near.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(_ROUNDS):
        gram = near @ near.mT
        near = torch.baddbmm(near, torch.baddbmm(gram, gram, gram, beta=cubic, alpha=quintic), near, beta=linear)
    return near.mT if is_tall else near

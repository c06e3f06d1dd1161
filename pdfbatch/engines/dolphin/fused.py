"""Several linear layers over the same input, computed as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def fused(*layers: Any) -> tuple[Tensor, Tensor | None]:
    """Joins layers with equally many outputs into one weight and bias (None: they have none). The layers' own become
    views of them, so that nothing is held twice."""
    return _joined(layers, "weight"), None if layers[0].bias is None else _joined(layers, "bias")


def _joined(layers: tuple[Any, ...], name: str) -> Tensor:
    import torch

    parts = [getattr(layer, name) for layer in layers]
    whole = torch.cat([part.data for part in parts])
    for part, view in zip(parts, whole.chunk(len(parts)), strict=True):
        part.data = view
    return whole

"""Count the kernels of a forward pass, and what they read, write and hold, on tensors without data.

A kernel is an operator that is no view. Fused attention is the one that CUDA uses where there is a bias. A number that
a kernel reads several times counts once. A kernel takes as long as its operations or its bytes, whichever takes longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch  # noqa: TID253 - whoever imports this module has seen that it is there
from torch.multiprocessing.reductions import StorageWeakRef  # noqa: TID253
from torch.overrides import TorchFunctionMode  # noqa: TID253
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: TID253
from torch.utils._pytree import tree_leaves  # noqa: TID253
from torch.utils.flop_counter import flop_registry  # noqa: TID253

_VIEWS = {torch.ops.aten._unsafe_view.default}
"""Those that do not say so themselves."""


_PICKING = {torch.ops.aten.embedding, torch.ops.aten.index, torch.ops.aten.index_select, torch.ops.aten.gather}
_SETTING = {torch.ops.aten.index_put_, torch.ops.aten.copy_}


class Kernels(TorchDispatchMode):
    """As a context: counts what runs in it. `peak` is the most bytes held at once of what was made in it."""

    def __init__(self, seconds_for: Callable[[float, float], float]) -> None:
        """`seconds_for` operations and bytes: how long a kernel takes."""
        super().__init__()
        self.count, self.flop, self.bytes, self.seconds, self.peak = 0, 0.0, 0.0, 0.0, 0
        self._seconds_for = seconds_for
        self._held: dict[StorageWeakRef, int] = {}

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        done = operator(*args, **kwargs)
        if not operator.is_view and operator not in _VIEWS:
            count_flop = flop_registry.get(operator.overloadpacket)
            flop = count_flop(*args, **kwargs, out_val=done) if count_flop else 0
            moved = sum(map(_bytes, _moved(operator, args, kwargs, done)))
            self.count += 1
            self.flop += flop
            self.bytes += moved
            self.seconds += self._seconds_for(flop, moved)
            self._hold(_tensors(done))
        return done

    def _hold(self, tensors: list[torch.Tensor]) -> None:
        self._held = {storage: size for storage, size in self._held.items() if not storage.expired()}
        storages = [tensor.untyped_storage() for tensor in tensors]
        self._held |= {StorageWeakRef(storage): storage.nbytes() for storage in storages}
        self.peak = max(self.peak, sum(self._held.values()))


@contextmanager
def without_data() -> Iterator[None]:
    """As a context: tensors are made without data, and attention is CUDA's; torch takes it apart where it knows no
    fused kernel."""
    with torch.device("meta"), torch.no_grad(), AttentionOfCuda():
        yield


class AttentionOfCuda(TorchFunctionMode):
    """As a context: attention is the fused kernel that CUDA uses."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.nn.functional.scaled_dot_product_attention:
            query, key, value, bias = args
            bias = None if bias is None else bias.expand(*query.shape[:-1], -1)
            return torch.ops.aten._scaled_dot_product_efficient_attention(query, key, value, bias, False)[0]
        return function(*args, **(kwargs or {}))


def _moved(operator: Any, args: Any, kwargs: Any, done: Any) -> list[torch.Tensor]:
    """Returns what a kernel reads and writes: of a table or cache only the rows that it picks or sets."""
    tensors = _tensors((args, kwargs, done))
    picks, sets = (operator.overloadpacket in packets for packets in (_PICKING, _SETTING))
    if picks:
        return [done, *(one for one in tensors if one is not args[0])]
    if sets:
        values = [one for one in _tensors((args[1:], kwargs)) if one is not args[0]]
        return values + values
    return tensors


def _tensors(found: Any) -> list[torch.Tensor]:
    return [one for one in tree_leaves(found) if isinstance(one, torch.Tensor)]


def _bytes(tensor: torch.Tensor) -> int:
    sizes = [size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride]
    return torch.Size(sizes).numel() * tensor.element_size()

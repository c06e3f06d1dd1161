"""Counts the bytes of tensors that live at once, on any device, also on one without memory."""

from __future__ import annotations

import weakref
from typing import Any

import torch  # noqa: TID253 - whoever imports this module has seen that it is there
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: TID253


class Allocations(TorchDispatchMode):
    """`peak` is the most bytes of storages made in this context that lived at once. The inside of an operator is not
    seen."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._bytes: dict[int, int] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, list | tuple) else [made]:
            if isinstance(tensor, torch.Tensor):
                self._add(tensor.untyped_storage())
        return made

    def _add(self, storage: Any) -> None:
        key = storage._cdata
        if key in self._bytes:
            return
        self._bytes[key] = storage.nbytes()
        self._now += storage.nbytes()
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._free, key)

    def _free(self, key: int) -> None:
        self._now -= self._bytes.pop(key)

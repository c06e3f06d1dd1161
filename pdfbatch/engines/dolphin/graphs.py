"""Record a step once as a CUDA graph and replay it, so that its kernels are launched without Python in between."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Protocol

from pdfbatch.engines.dolphin.device import is_out_of_memory

if TYPE_CHECKING:
    from torch import Tensor

Step = Callable[[], None]
"""Computes on tensors whose addresses never change."""
WARM_UPS = 2
log = logging.getLogger(__name__)


class Recorder(Protocol):
    """The device's part."""

    def warm_up(self, step: Step) -> None:
        """Runs the step as capturing requires, `WARM_UPS` times, beside the current stream."""

    def record(self, step: Step) -> Step:
        """Captures the step without running it; returns what replays it."""


class CudaRecorder:
    """Captures on one side stream: each further stream would pin its own workspace of cuBLAS, 270 MB together."""

    def __init__(self) -> None:
        import torch

        self._torch = torch
        self._stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._pool: Any = torch.cuda.graph_pool_handle()

    def warm_up(self, step: Step) -> None:
        cuda = self._torch.cuda
        self._stream.wait_stream(cuda.current_stream())
        with cuda.stream(self._stream):
            for _ in range(WARM_UPS):
                step()
        cuda.current_stream().wait_stream(self._stream)

    def record(self, step: Step) -> Step:
        graph = self._torch.cuda.CUDAGraph()
        with self._torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            step()
        replay: Step = graph.replay
        return replay


class Graphs:
    """The recorded steps by key. After an error while recording, steps are no longer recorded but run as they are."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._recorded: dict[Hashable, Step] = {}
        self.are_on = True

    def forget(self) -> None:
        """Drops all graphs: the addresses of their tensors have changed."""
        self._recorded.clear()

    def run(self, key: Hashable, step: Step, saved: Callable[[], Callable[[], None]]) -> None:
        """Runs the step, recording it first if its key is new. `saved` saves what the step changes, and returns what
        restores it: a step is run several times before it is captured.

        Raises:
            Exception: the step itself failed.
        """
        if key not in self._recorded and self.are_on:
            restore = saved()
            self._recorder.warm_up(step)
            restore()
            self._record(key, step)
        self._recorded.get(key, step)()

    def _record(self, key: Hashable, step: Step) -> None:
        try:
            self._recorded[key] = self._recorder.record(step)
        except Exception as error:
            self.are_on = False
            self.forget()
            cause = "too little device memory" if is_out_of_memory(error) else f"{type(error).__name__}: {error}"
            log.warning("CUDA graphs are off from here on, which is slower: recording one failed (%s)", cause)


def fetched(tensor: Tensor) -> Callable[[], Tensor]:
    """Starts copying a tensor to the CPU; returns a function that waits for the copy and returns it."""
    import torch

    if not tensor.is_cuda:
        copy = tensor.clone()
        return lambda: copy
    pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    pinned.copy_(tensor, non_blocking=True)
    arrived: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
    arrived.record()

    def wait() -> Tensor:
        arrived.synchronize()
        return pinned

    return wait

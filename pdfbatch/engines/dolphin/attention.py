"""Choose at the start how decoding steps attend, by what is faster on the GPU that is there.

torch's fused kernels are made for many queries at once. For one query a T4's computes 64 and throws away 63, so that
two plain matrix products may be faster; on newer GPUs it is the other way round.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from pdfbatch.engines.dolphin.memory import FIRST_LENGTH
from pdfbatch.engines.dolphin.network import Attention, Network

_log = logging.getLogger(__name__)
_WAYS: tuple[Attention, ...] = ("fused", "products")
_WARM_UPS, _TRIES, _CALLS = 3, 3, 20


def fastest_attention(network: Network, rows: int) -> Attention:
    """Returns the faster way for one token of each of `rows` rows. Takes a fraction of a second on a GPU."""
    seconds = {way: _seconds(network, way, rows) for way in _WAYS}
    best = min(_WAYS, key=lambda way: seconds[way])
    measured = ", ".join(f"{way} {1e6 * took:.0f} us" for way, took in seconds.items())
    _log.info("attention of a decoding step: %s (%s)", best, measured)
    return best


def _seconds(network: Network, way: Attention, rows: int) -> float:
    """Returns the seconds of one layer's two attentions: over its own tokens, and over the picture's."""
    import torch

    size = network.width // network.heads

    def some(length: int) -> torch.Tensor:
        return torch.zeros(rows, network.heads, length, size, device=network.device, dtype=network.dtype)

    query, own, picture = some(1), some(FIRST_LENGTH), some(network.picture_tokens)
    mask = torch.zeros(rows, 1, 1, FIRST_LENGTH, device=network.device, dtype=network.dtype)

    def attend() -> None:
        network.attend(query, own, own, mask, way)
        network.attend(query, picture, picture, None, way)

    with torch.inference_mode():
        for _ in range(_WARM_UPS):
            attend()
        return min(_timed(attend, network.device) for _ in range(_TRIES))


def _timed(work: Callable[[], None], device: object) -> float:
    import torch

    def wait() -> None:
        if "cuda" in str(device):
            torch.cuda.synchronize()

    wait()
    began = time.perf_counter()
    for _ in range(_CALLS):
        work()
    wait()
    return (time.perf_counter() - began) / _CALLS

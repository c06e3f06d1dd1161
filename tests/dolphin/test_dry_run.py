"""All the device computes, run without data: nothing is on the wrong device or of the wrong type, nothing waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs torch and transformers, see the extra [dolphin]")
pytest.importorskip("transformers")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402, TID253
from torch.utils._pytree import tree_leaves  # noqa: E402, TID253

from bench.dolphin_kernels import AttentionOfCuda  # noqa: E402
from bench.dolphin_work import Geometry, random_model  # noqa: E402
from pdfbatch.engines.dolphin.attention import fastest_attention  # noqa: E402
from pdfbatch.engines.dolphin.model import IMAGENET_MEAN, IMAGENET_STD, ImageProcessor  # noqa: E402
from pdfbatch.engines.dolphin.network import ALIGNED, Network  # noqa: E402
from pdfbatch.engines.dolphin.slots import SlotEntry, Slots  # noqa: E402
from pdfbatch.engines.dolphin.step_shape import StepShape  # noqa: E402

SMALL = Geometry(224, 16, (1, 1, 2, 1), (1, 2, 4, 8), 128, 2, 4, 96, 301, 256)
DEVICE, DTYPE = "meta", torch.float16
WAITING = ("_local_scalar_dense", "nonzero", "item", "is_nonzero", "_unique")
"""Operators for which the CPU waits until the device has come so far."""


class Watched(TorchDispatchMode):
    """Notes operators that mix devices, compute in another type, or wait."""

    def __init__(self) -> None:
        super().__init__()
        self.mixed: set[str] = set()
        self.copied: set[str] = set()
        self.wide: set[str] = set()
        self.waiting: set[str] = set()
        self.computed = 0

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        done = operator(*args, **(kwargs or {}))
        name = operator.overloadpacket.__name__
        tensors = [one for one in tree_leaves((args, kwargs, done)) if isinstance(one, torch.Tensor)]
        devices = {one.device.type for one in tensors if one.device.type == DEVICE or one.dim()}
        self.computed += DEVICE in devices
        if devices == {DEVICE, "cpu"}:
            (self.copied if name in ("_to_copy", "copy_") else self.mixed).add(name)
        first = next(iter(tree_leaves(done)), None)
        if isinstance(first, torch.Tensor) and first.device.type == DEVICE and first.dtype == torch.float32:
            self.wide.add(name)
        if name in WAITING:
            self.waiting.add(name)
        return done


@contextmanager
def watched() -> Iterator[Watched]:
    with torch.no_grad(), AttentionOfCuda(), Watched() as seen:
        yield seen
    assert seen.computed
    assert not seen.mixed
    assert not seen.waiting


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(random_model(SMALL, DEVICE).half())


def entry(network: Network, prompt: int = 8, **more: Any) -> SlotEntry:
    hidden = torch.zeros(network.picture_tokens, network.width, device=DEVICE, dtype=DTYPE)
    return SlotEntry(hidden, [1] * prompt, **more)


def test_pictures_are_prepared_and_encoded_on_the_device(network: Network) -> None:
    import numpy as np

    prepare = ImageProcessor(network, IMAGENET_MEAN, IMAGENET_STD)
    with watched() as seen:
        hidden = network.encode(prepare([np.zeros((30, 200, 3), np.uint8)] * 3))
    assert (hidden.shape, hidden.dtype, hidden.device.type) == (
        (3, network.picture_tokens, network.width),
        DTYPE,
        DEVICE,
    )
    assert not seen.wide
    assert seen.copied, "the pictures come from the CPU"


@pytest.mark.parametrize("penalty", [1.0, 1.1])
@pytest.mark.parametrize("drafting", [0, 2])
@pytest.mark.parametrize("way", ["fused", "products"])
def test_a_stride_of_steps_runs_on_the_device_alone(network: Network, way: Any, drafting: int, penalty: float) -> None:
    slots = Slots(network, 8, 128, banned_token=3)
    network.attention = way
    with watched() as seen:
        slots.admit([5, 0, 1], [entry(network, draft=[4, 5, 6]), entry(network, 3), entry(network, penalty=penalty)])
    assert seen.copied, "prompts and drafts come from the CPU"
    with watched() as seen:
        for shape in (StepShape(6, 40, drafting=drafting), StepShape(8, 128, 2, 64, drafting)):
            slots.step(shape, 2)
    assert not seen.copied
    # The penalty itself is kept in single precision, and so are scores under it.
    assert seen.wide <= ({"_to_copy", "div", "mul", "where", "gt", "cat", "max", "isfinite"} | ALWAYS_WIDE)
    network.attention = "fused"


ALWAYS_WIDE = {"slice", "select", "eq", "unsqueeze", "alias", "view", "detach", "clone", "copy_"}
"""Operators on the rows' penalties, which have a number a row."""


def test_rows_are_moved_exchanged_freed_and_resized_on_the_device_alone(network: Network) -> None:
    slots = Slots(network, 4, 128)
    with watched():
        slots.admit([0, 2], [entry(network), entry(network, penalty=1.1)])
    with watched() as seen:
        slots.move(0, 1, 9)
        slots.swap(1, 2, 9)
        slots.free(1)
        slots.resize(6, 192)
        slots.step(StepShape(3, 20), 1)
    assert not seen.copied


def test_tensors_cores_get_aligned_matrices(network: Network) -> None:
    assert network.padded_vocab_size == 320
    assert network.padded_vocab_size % ALIGNED == 0


def test_either_way_of_attention_can_be_chosen_at_the_start(network: Network) -> None:
    assert fastest_attention(network, 4) in ("fused", "products")

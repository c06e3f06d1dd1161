"""Compare our forward pass of Dolphin's encoder with transformers': seconds on this CPU, counted work on a T4."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from pdfbatch.engines.dolphin.encoder import Published, encode_with

from .dolphin_counted import CHIPS, Chip, Reached
from .dolphin_work import FULL, Geometry, random_model
from .figures import Figure, Section, at_least
from .measure import say

CHIP, REACHED = "T4", Reached(0.45, 0.75)
AT_ONCE = 8
"""Pictures of a counted batch."""
TIMES = 3


class Count(NamedTuple):
    """`kernels` of a whole batch; all others for one picture: `flop`, `bytes` read and written, `seconds` at the chip's
    roofline, `peak` bytes held at once besides weights and pictures."""

    kernels: int
    flop: float
    bytes: float
    seconds: float
    peak: float


class Timed(NamedTuple):
    """CPU seconds of one thread a picture, the best of several in turn; `difference`: the largest, as a share of the
    largest number."""

    published: float
    ours: float
    difference: float


def counted(
    geometry: Geometry, published: bool, chip: Chip, reached: Reached = REACHED, pictures: int = AT_ONCE
) -> Count:
    """Counts a forward pass in fp16, of the second batch of `pictures` pictures."""
    import torch

    from .dolphin_kernels import Kernels, without_data

    flop, bandwidth = chip.flop * reached.flop, chip.bandwidth * reached.bandwidth
    with without_data():
        encoder = random_model(geometry, "meta").encoder.half()
        batch = torch.empty(pictures, 3, geometry.side, geometry.side, dtype=torch.float16)
        encode = encode_with(encoder, geometry.side, geometry.side, published)
        encode(batch)
        with Kernels(lambda operations, moved: max(operations / flop, moved / bandwidth)) as kernels:
            encode(batch)
    each = (kernels.flop, kernels.bytes, kernels.seconds, kernels.peak)
    return Count(kernels.count, *(total / pictures for total in each))


def timed(geometry: Geometry, times: int = TIMES) -> Timed:
    """Measures one picture at a time in fp32, in one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        encoder = random_model(geometry).encoder
        for name, weight in encoder.named_parameters():
            if "relative_position_bias" in name:  # zeros would show nothing
                weight.data.normal_()
        both = [Published(encoder), encode_with(encoder, geometry.side, geometry.side)]
        picture = torch.randn(1, 3, geometry.side, geometry.side)
        with torch.inference_mode():
            first, second = (encode(picture) for encode in both)
            turns = [[_seconds(encode, picture) for encode in both] for _ in range(times)]
    finally:
        torch.set_num_threads(threads)
    published, ours = map(min, zip(*turns, strict=True))
    return Timed(published, ours, ((first - second).abs().max() / first.abs().max()).item())


def _seconds(encode: Callable[[Any], Any], picture: Any) -> float:
    began = time.process_time()
    encode(picture)
    return time.process_time() - began


def compared(geometry: Geometry = FULL) -> Section:
    """Both forward passes of the encoder, with the same weights."""
    took = timed(geometry)
    say(f"dolphin: encoder, {took.published:.1f} s a picture as published, {took.ours:.1f} s ours")
    counts = {way: counted(geometry, way == "published", CHIPS[CHIP]) for way in ("published", "ours")}
    first_stage = (geometry.side // 4) ** 2 * geometry.embed * 2
    found = [
        Figure("published", took.published, "s a picture"),
        Figure("ours", took.ours, "s a picture"),
        at_least("ratio", took.published / took.ours, 1, "x"),
        Figure("largest difference", f"{took.difference:.1e}", "of the largest number"),
    ]
    for way, count in counts.items():
        found += [
            Figure(f"{way}, counted: kernels", count.kernels),
            Figure(f"{way}, counted: read and written", count.bytes / 1e9, "GB a picture"),
            Figure(f"{way}, counted: at the roofline of a {CHIP}", 1000 * count.seconds, "ms a picture"),
            Figure(f"{way}, counted: held at once", count.peak / first_stage, "x the first stage's output"),
        ]
    return Section(
        f"Dolphin's encoder alone: pictures of {geometry.side} px",
        found,
        [
            f"measured: fp32, one thread of this CPU, one picture, CPU time, the best of {TIMES} in turn",
            f"counted: fp16, {AT_ONCE} pictures at once, {100 * REACHED.flop:.0f} % of the {CHIP}'s operations and "
            f"{100 * REACHED.bandwidth:.0f} % of its bandwidth, kernel by kernel",
        ],
    )

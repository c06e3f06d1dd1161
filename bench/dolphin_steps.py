"""Count the decoder's steps kernel by kernel, at full size in fp16: what drafts and penalties cost on a T4."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from pdfbatch.engines.dolphin.network import Network
from pdfbatch.engines.dolphin.slots import SlotEntry, Slots
from pdfbatch.engines.dolphin.step_shape import DRAFTED, StepShape

from .dolphin_counted import CHIPS
from .dolphin_encoder import CHIP, REACHED
from .dolphin_work import FULL, Geometry, prompt, random_model
from .figures import Figure, Section

ROWS, LENGTH = 64, 256


class StepCount(NamedTuple):
    """Of one step: `kernels`, the `bytes` they read and write, and the `seconds` they take at the chip's roofline."""

    kernels: int
    bytes: float
    seconds: float


class Steps:
    """A cache of `rows` x `length` without data."""

    def __init__(self, geometry: Geometry = FULL, rows: int = ROWS, length: int = LENGTH) -> None:
        import torch

        self._rows, self._length = rows, length
        model = random_model(geometry, "meta").half()
        self._slots = Slots(Network(model), rows, length)
        hidden = torch.zeros(geometry.picture_tokens, geometry.width, device="meta", dtype=torch.float16)
        self._entry = SlotEntry(hidden, prompt("text", geometry))

    def count(self, drafting: int = 0, penalised: bool = False) -> StepCount:
        """Counts one step; `drafting` rows have drafts, and if `penalised` one has a penalty."""
        from .dolphin_kernels import Kernels, without_data

        flop, bandwidth = CHIPS[CHIP].flop * REACHED.flop, CHIPS[CHIP].bandwidth * REACHED.bandwidth
        with without_data():
            self._slots.admit([0], [self._entry._replace(penalty=1.1 if penalised else 1.0)])
            with Kernels(lambda operations, moved: max(operations / flop, moved / bandwidth)) as kernels:
                self._slots.step(StepShape(self._rows, self._length, drafting=drafting), 1)
        return StepCount(kernels.count, kernels.bytes, kernels.seconds)


def draft_cost(geometry: Geometry = FULL) -> Callable[[int, int], float]:
    """Returns what tells how many times as long a step over some rows takes if some of them have drafts."""

    @cache
    def steps(rows: int) -> Steps:
        return Steps(geometry, rows)

    @cache
    def cost(rows: int, drafting: int) -> float:
        return steps(rows).count(drafting).seconds / steps(rows).count().seconds

    return cost


def counted(geometry: Geometry = FULL) -> Section:
    steps = Steps(geometry)
    counts = {f"drafts in {drafting} rows": steps.count(drafting) for drafting in (0, 16, 32, 64)}
    counts["no drafts, one row with a penalty"] = steps.count(penalised=True)
    found = []
    for name, count in counts.items():
        found += [
            Figure(f"{name}: kernels", count.kernels),
            Figure(f"{name}: read and written", count.bytes / 1e9, "GB"),
            Figure(f"{name}: at the roofline of a {CHIP}", 1000 * count.seconds, "ms"),
        ]
    return Section(
        f"A step of {ROWS} rows with {LENGTH} places, counted",
        found,
        [
            f"{DRAFTED} tokens of each draft",
            f"fp16, {100 * REACHED.flop:.0f} % of the {CHIP}'s operations, "
            f"{100 * REACHED.bandwidth:.0f} % of its bandwidth",
        ],
    )

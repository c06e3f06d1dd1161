"""Count the work of a Dolphin instead of measuring it: operations and bytes, and the time a chip would need.

FLOP are two for each multiplication with its addition. Norms, activations, softmax and the encoder's masks are left
out of the operations; activations are left out of the bytes: next to weights and caches they are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from typing import Any, NamedTuple

import numpy as np

from pdfbatch.engines.dolphin import memory
from pdfbatch.engines.dolphin.graphs import Step
from pdfbatch.engines.dolphin.step_shape import DRAFTED, rounded

from .dolphin_ours import Look, Ours, Setting, drawn_page, read_pages, shape_of, watched, with_mistakes
from .dolphin_work import FEWEST_WORDS, FULL, Geometry, Page, Pixels, prompt

WINDOW = 49
"""Patches that attend to one another in the encoder."""
_WORDS = 400
HALF = 2
"""Bytes of a number in fp16."""
T4_MEMORY = 14.5
"""GiB that a process can have of a T4's 16 GB."""


class Chip(NamedTuple):
    """`flop` a second in fp16 with fp32 sums, dense; `bandwidth` bytes a second; both as the maker says."""

    flop: float
    bandwidth: float


CHIPS = {
    "T4": Chip(65e12, 320e9),
    "L4": Chip(121e12, 300e9),
    "A10G": Chip(70e12, 600e9),
    "A10": Chip(125e12, 600e9),
    "L40S": Chip(362e12, 864e9),
    "A100": Chip(312e12, 1.555e12),
    "H100": Chip(989e12, 3.35e12),
    "H200": Chip(989e12, 4.8e12),
    "B200": Chip(2250e12, 8e12),
}


class Reached(NamedTuple):
    """Shares of a chip's best that are reached."""

    flop: float
    bandwidth: float


class Times(NamedTuple):
    """Seconds."""

    encoder: float
    filling: float
    steps: float

    @property
    def all(self) -> float:
        return sum(self)


BEST = Reached(1, 1)


def encoder_flop(geometry: Geometry) -> float:
    """FLOP of one picture. For Dolphin's sizes 413.6e9, as torch's own counter reports."""
    patches, width = (geometry.side // 4) ** 2, geometry.embed
    flop = 2.0 * 4 * 4 * 3 * width * patches
    for stage, depth in enumerate(geometry.depths):
        if stage:  # four neighbours become one of twice the width
            flop += 2 * (4 * width) * (2 * width) * patches / 4
            patches, width = patches // 4, width * 2
        flop += depth * patches * (24 * width**2 + 4 * WINDOW * width)
    return flop


def keys_flop(geometry: Geometry) -> float:
    """Of a picture's keys and values in all layers of the decoder, once for each row."""
    return 4.0 * geometry.layers * geometry.picture_tokens * geometry.width**2


def token_weights(geometry: Geometry) -> int:
    """Numbers that a token is multiplied with: all of the decoder but the pictures' keys."""
    layer = 6 * geometry.width**2 + 2 * geometry.width * geometry.ffn
    return geometry.layers * layer + geometry.vocab_size * geometry.width


def weights_flop(geometry: Geometry, tokens: int) -> float:
    """Of `tokens` tokens with all weights that they meet."""
    return 2.0 * tokens * token_weights(geometry)


def attention_flop(geometry: Geometry, tokens: int, places: int) -> float:
    """Of the attention of `tokens` tokens to their pictures and to `places` tokens together."""
    return 4.0 * geometry.layers * geometry.width * (tokens * geometry.picture_tokens + places)


def step_bytes(geometry: Geometry, rows: int, places: int, item: int = HALF) -> float:
    """Read for one token of each of `rows` rows whose caches hold `places` tokens together."""
    caches = 2 * geometry.layers * geometry.width * (rows * geometry.picture_tokens + places)
    return float(item * (token_weights(geometry) + caches))


def padded(look: Look) -> tuple[int, int]:
    """Rows and places (all rows') that a step over CUDA graphs computes, be they in use or not."""
    shape = rounded(look.shape, *look.room, graphs=True)
    split = shape.split or shape.rows
    return shape.rows, split * shape.length + (shape.rows - split) * shape.short


def times(done: Ours, geometry: Geometry, chip: Chip, reached: Reached = BEST, *, exact: bool = True) -> Times:
    """What the chip needs for it: each part (of a step the weights and the caches) is bound by operations or by bytes,
    whichever takes longer. `exact`: only
    for rows in use and places written; otherwise for all that the padded steps compute."""
    flop, bandwidth = chip.flop * reached.flop, chip.bandwidth * reached.bandwidth

    def bound(operations: float, read: float) -> float:
        return max(operations / flop, read / bandwidth)

    def step(look: Look) -> float:
        mean_places = look.places + look.live * (look.count + 1) // 2
        rows, places = (look.live, mean_places) if exact else padded(look)
        read = step_bytes(geometry, 0, 0)
        more = DRAFTED * look.shape.drafting
        weights = bound(weights_flop(geometry, rows + more), read)
        seen = attention_flop(geometry, rows + more, places * (rows + more) // max(1, rows))
        caches = bound(seen, step_bytes(geometry, rows, places) - read)
        return look.count * (weights + caches)

    def fill(rows: int) -> float:
        words = len(prompt("text", geometry)) * rows
        operations = rows * keys_flop(geometry) + weights_flop(geometry, words) + attention_flop(geometry, words, 0)
        # The pictures' keys are written, and read by the prompt; the weights that make them count too.
        read = step_bytes(geometry, 2 * rows, 0) + 2 * HALF * geometry.layers * geometry.width**2
        return bound(operations, read)

    encoder = done.pictures * encoder_flop(geometry) / flop
    return Times(encoder, sum(map(fill, done.fills)), sum(map(step, done.looks)))


class _Here(Executor):
    """Does at once what it is given."""

    def submit(self, work: Any, /, *given: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*given, **named))
        return done


class _Idle:
    """A network that computes nothing and never returns the end token, to simulate the decoder's schedule alone. What
    it says hangs on the position: words in turn, so that a draft fits at one place only."""

    def __init__(self, max_positions: int) -> None:
        import torch

        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.heads = self.width = self.layers = self.picture_tokens = 1
        self.vocab_size = self.padded_vocab_size = _WORDS
        self.max_positions = max_positions
        self._scores = torch.eye(_WORDS)

    def encode(self, pictures: Any) -> Any:
        return pictures.new_zeros(len(pictures), 1, 1)

    def cross_kv(self, layer: int, hidden: Any) -> tuple[Any, Any]:
        return hidden[:, None], hidden[:, None]

    def logits(
        self, tokens: Any, rows: Any, positions: Any, self_kv: Any, cross_kv: Any, bands: Any, wanted: Any = None
    ) -> Any:
        return self._scores[_said(positions if wanted is None else positions[wanted])]


class CountingRecorder:
    """Records nothing, and counts what it would have recorded."""

    def __init__(self) -> None:
        self.recorded = 0

    def warm_up(self, step: Step) -> None:
        pass

    def record(self, step: Step) -> Step:
        self.recorded += 1
        return step


def _said(position: Any) -> Any:
    """Returns the word that follows the one at a position."""
    return FEWEST_WORDS + position % (_WORDS - FEWEST_WORDS)


class _Blank(_Here):
    """Prepares nothing: each element's picture is as large as its text, so that the longest go first."""

    def submit(self, work: Any, /, *given: Any, **named: Any) -> Future[Any]:
        if work is drawn_page:
            return super().submit(_empty, 1)
        return super().submit(lambda elements, side: [_empty(one.tokens) for one in elements], *given, **named)


def _empty(tokens: int) -> Pixels:
    return np.zeros((30, 30 * tokens, 3), np.uint8)


def simulated(pages: Sequence[Page], setting: Setting, geometry: Geometry = FULL, drafted: bool = False) -> Ours:
    """The order in which our decoder would encode, fill and step, without the arithmetic; children take no time.
    `drafted`: texts have drafts with a few mistakes."""
    network = _Idle(geometry.max_positions)

    def prepare(pictures: Sequence[Pixels]) -> Any:
        import torch

        return torch.zeros(len(pictures), 1)

    decoder = watched(network, prepare, setting)
    begins = len(prompt("text", geometry)) - 1

    def draft(page: int, place: int) -> list[int]:
        tokens = pages[page].elements[place].tokens
        return with_mistakes([_said(position) for position in range(begins, begins + tokens)])

    few_words = geometry._replace(vocab_size=network.vocab_size)
    return read_pages(decoder, few_words, pages, _Blank(), draft if drafted else None)


def plan_on(free_gib: float, rows: int = memory.MOST_ROWS, pictures: int = memory.MOST_PICTURES) -> memory.BatchPlan:
    """The engine's plan for Dolphin in fp16 with this much memory, including the weights."""
    weights = 322e6 * HALF
    return memory.plan(shape_of(FULL, HALF), int(free_gib * 2**30 - weights), rows, pictures)

"""The KV cache of the rows that are decoded together, each row at its own position, and the step over all of them.

Shapes are fixed between two `resize`s. A step runs over the first `rows` rows and the first `length` positions of the
cache. Both are rounded up to a few sizes, so that on a GPU each size is captured once as a CUDA graph and replayed
without launching kernels from Python. Free rows are computed too; their tokens are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pdfbatch.engines.dolphin.network import Band, Network

if TYPE_CHECKING:
    from torch import Tensor
    from torch.cuda import CUDAGraph

LENGTH_STEP = 64
GRAPH_LENGTHS = (*range(128, 512, 64), 512, 640, 768, 1024, 1280, 1536, 2048, 2560, 3072, 4096)
GRAPH_SPLIT = 8
GRAPH_ROWS = (8, 16, 24, 32, 48, 64, 96, 128)


class StepShape(NamedTuple):
    """The shape of a step: rows, and the cache length they read; from row `split` on only `short` positions."""

    rows: int
    length: int
    split: int = 0
    short: int = 0


def rounded(wanted: StepShape, rows: int, length: int, graphs: bool) -> StepShape:
    """Rounds a wanted shape up to one that is computed, in a cache of `rows` x `length`. With graphs there are only a
    few sizes, so that there are few graphs; without graphs only the lengths are rounded."""

    def longer(size: int) -> int:
        if not graphs:
            return min(length, -(-size // LENGTH_STEP) * LENGTH_STEP)
        return min(length, next((step for step in GRAPH_LENGTHS if step >= size), size))

    used, split = wanted.rows, wanted.split
    if graphs:
        used = min(rows, next((step for step in GRAPH_ROWS if step >= used), used))
        split = -(-split // GRAPH_SPLIT) * GRAPH_SPLIT
    whole, short = longer(wanted.length), longer(wanted.short)
    return StepShape(used, whole, split, short) if 0 < split < used and short < whole else StepShape(used, whole)


class SlotEntry(NamedTuple):
    """The start of a row: an encoded picture (N x D), the tokens so far (at least the prompt), and the repetition
    penalty (1.0: none)."""

    hidden: Tensor
    tokens: list[int]
    penalty: float = 1.0


class Said(NamedTuple):
    """One row's result of a step: the token, and whether its score was finite (not NaN)."""

    token: int
    sound: bool


class Slots:
    """`rows` rows of at most `length` tokens each, on the network's device. `banned_token` is never chosen."""

    def __init__(self, network: Network, rows: int, length: int, graphs: bool, banned_token: int | None = None) -> None:
        import torch

        self._banned_token = banned_token
        self._torch = torch
        self._network = network
        self._uses_graphs = graphs
        self.rows = self.length = 0
        self._self_kv: list[tuple[Tensor, Tensor]] = []
        self._cross_kv: list[tuple[Tensor, Tensor]] = []
        self.resize(rows, length)

    def resize(self, rows: int, length: int) -> None:
        """Resizes the cache to `rows` x `length`; the contents of the remaining rows are kept.

        Works layer by layer, so that at most one layer is in memory twice.
        """
        torch, network = self._torch, self._network
        self._graphs: dict[StepShape, CUDAGraph] = {}
        self._pool = torch.cuda.graph_pool_handle() if self._uses_graphs else None
        kept, positions = min(rows, self.rows), min(length, self.length)

        def resized(old: Tensor | None, size: int, kept_positions: int) -> Tensor:
            shape = (rows, network.heads, size, network.width // network.heads)
            new: Tensor = torch.zeros(shape, device=network.device, dtype=network.dtype)
            if old is not None and kept:
                new[:kept, :, :kept_positions] = old[:kept, :, :kept_positions]
            return new

        def all_resized(caches: list[tuple[Tensor, Tensor]], size: int, kept_positions: int) -> None:
            olds: list[tuple[Tensor, Tensor] | tuple[None, None]] = [*caches] or [(None, None)] * network.layers
            caches.clear()
            while olds:
                keys, values = olds.pop(0)
                new_keys = resized(keys, size, kept_positions)
                del keys
                caches.append((new_keys, resized(values, size, kept_positions)))

        all_resized(self._self_kv, length, positions)
        if rows != self.rows:
            all_resized(self._cross_kv, network.picture_tokens, network.picture_tokens)
        self._resize_rows(rows, kept)
        self.rows, self.length = rows, length

    def _resize_rows(self, rows: int, kept: int) -> None:
        torch, network = self._torch, self._network

        def fresh(like: Tensor | None, *shape: int, dtype: object) -> Tensor:
            new: Tensor = torch.zeros(*shape, device=network.device, dtype=dtype)
            if like is not None:
                new[:kept] = like[:kept]
            return new

        old = self.__dict__
        self._tokens = fresh(old.get("_tokens"), rows, dtype=torch.long)
        self._positions = fresh(old.get("_positions"), rows, dtype=torch.long)
        self._active = fresh(old.get("_active"), rows, dtype=torch.long)
        self._sound = fresh(old.get("_sound"), rows, dtype=torch.bool)
        self._penalty = fresh(old.get("_penalty"), rows, dtype=torch.float32)
        self._said = fresh(old.get("_said"), rows, network.vocab_size, dtype=torch.bool)
        self._penalised: set[int] = {row for row in old.get("_penalised", ()) if row < rows}

    def admit(self, rows: Sequence[int], entries: Sequence[SlotEntry]) -> list[Said]:
        """Fills free rows and returns the first token of each. Prompts may differ in length: the padding after a
        shorter one is overwritten before it can be read."""
        torch, network = self._torch, self._network
        place = torch.tensor(rows, device=network.device)
        hidden = torch.stack([entry.hidden for entry in entries])
        for layer, (keys, values) in enumerate(self._cross_kv):
            keys[place], values[place] = network.cross_kv(layer, hidden)
        lengths = torch.tensor([len(entry.tokens) for entry in entries], device=network.device)
        longest = max(len(entry.tokens) for entry in entries)
        tokens = torch.tensor([entry.tokens + [0] * (longest - len(entry.tokens)) for entry in entries])
        tokens = tokens.to(network.device)
        positions = torch.arange(longest, device=network.device).expand(len(entries), -1)
        band = Band(0, len(entries), (torch.arange(longest, device=network.device) <= positions[..., None])[:, None])
        self_kv = [(keys[place, :, :longest], values[place, :, :longest]) for keys, values in self._self_kv]
        cross_kv = [(keys[place], values[place]) for keys, values in self._cross_kv]
        logits = network.logits(tokens, positions, self_kv, cross_kv, [band], lengths - 1)
        for (keys, values), (new_keys, new_values) in zip(self._self_kv, self_kv, strict=True):
            keys[place, :, :longest], values[place, :, :longest] = new_keys, new_values
        self._begin(place, rows, entries, tokens)
        token, sound = self._chosen(logits, self._said[place], self._penalty[place])
        self._tokens[place], self._positions[place], self._active[place] = token, lengths, 1
        self._said[place, token] = True
        return self._as_said(token, sound)

    def _begin(self, place: Tensor, rows: Sequence[int], entries: Sequence[SlotEntry], tokens: Tensor) -> None:
        self._penalty[place] = self._torch.tensor([entry.penalty for entry in entries], device=self._network.device)
        self._penalised.difference_update(rows)
        self._penalised.update(row for row, entry in zip(rows, entries, strict=True) if entry.penalty != 1.0)
        self._said[place] = False
        for row, entry, line in zip(rows, entries, tokens, strict=True):
            self._said[row, line[: len(entry.tokens)]] = True

    def step(self, rows: int, length: int, count: int, split: int = 0, short: int = 0) -> list[list[Said]]:
        """Decodes `count` more tokens in the first `rows` rows; returns one list over the rows for each token.

        Every row must be below position `length` - `count`. If `split` is given, rows from there on must be below
        `short` - `count`: they read only that much of their cache.
        """
        shape = rounded(StepShape(rows, length, split, short), self.rows, self.length, self._uses_graphs)
        rows = shape.rows
        steps = []
        for _ in range(count):
            self._step(shape)
            steps.append((self._tokens[:rows].clone(), self._sound[:rows].clone()))
        tokens = self._torch.stack([token for token, _ in steps]).tolist()
        sounds = self._torch.stack([sound for _, sound in steps]).tolist()
        return [[Said(*said) for said in zip(*step, strict=True)] for step in zip(tokens, sounds, strict=True)]

    def swap(self, one: int, other: int) -> None:
        """Exchanges two rows in use."""
        for keys, values in (*self._self_kv, *self._cross_kv):
            keys[[one, other]], values[[one, other]] = keys[[other, one]], values[[other, one]]
        for state in (self._tokens, self._positions, self._active, self._penalty, self._said):
            state[[one, other]] = state[[other, one]]
        self._penalised = {{one: other, other: one}.get(row, row) for row in self._penalised}

    def free(self, row: int, wipe: bool = False) -> None:
        """Marks a row as free. `wipe` is needed after a NaN: even a masked one would spoil the row's next job."""
        self._active[row] = 0
        self._positions[row] = 0
        self._penalised.discard(row)
        if wipe:
            for keys, values in (*self._self_kv, *self._cross_kv):
                keys[row], values[row] = 0, 0

    def move(self, source: int, target: int) -> None:
        """Moves a row into a free one, so that the rows in use are contiguous."""
        for caches in (self._self_kv, self._cross_kv):
            for keys, values in caches:
                keys[target], values[target] = keys[source], values[source]
        for state in (self._tokens, self._positions, self._active, self._penalty, self._said):
            state[target] = state[source]
        if source in self._penalised:
            self._penalised.add(target)
        self.free(source)

    def _step(self, shape: StepShape) -> None:
        if not self._uses_graphs or self._penalised:
            self._compute(shape, bool(self._penalised))
            return
        graph = self._graphs.get(shape)
        if graph is None:
            graph = self._graphs[shape] = self._record(shape)
        graph.replay()

    def _record(self, shape: StepShape) -> CUDAGraph:
        """Captures a step as a CUDA graph. The warm-up runs that capturing needs are undone, except for the keys and
        values they write: the step itself overwrites those."""
        torch = self._torch
        state = (self._tokens, self._positions, self._active, self._sound)
        before = [tensor.clone() for tensor in state]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(2):
                self._compute(shape, penalise=False)
                for tensor, old in zip(state, before, strict=True):
                    tensor.copy_(old)
        torch.cuda.current_stream().wait_stream(aside)
        graph: CUDAGraph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            self._compute(shape, penalise=False)
        for tensor, old in zip(state, before, strict=True):
            tensor.copy_(old)
        return graph

    def _compute(self, shape: StepShape, penalise: bool) -> None:
        torch, network = self._torch, self._network
        rows, length = shape.rows, shape.length
        positions = self._positions[:rows]
        may_read = (torch.arange(length, device=network.device) <= positions[:, None])[:, None, None]
        split = shape.split or rows
        bands = [Band(0, split, may_read[:split])]
        if split < rows:
            bands.append(Band(split, rows, may_read[split:, ..., : shape.short]))
        self_kv = [(keys[:rows, :, :length], values[:rows, :, :length]) for keys, values in self._self_kv]
        cross_kv = [(keys[:rows], values[:rows]) for keys, values in self._cross_kv]
        last = torch.zeros(rows, dtype=torch.long, device=network.device)
        logits = network.logits(self._tokens[:rows, None], positions[:, None], self_kv, cross_kv, bands, last)
        said = (self._said[:rows], self._penalty[:rows]) if penalise else ()
        token, sound = self._chosen(logits, *said)
        self._tokens[:rows] = token
        self._sound[:rows] = sound
        self._positions[:rows] += self._active[:rows]
        if penalise:
            self._said[:rows].scatter_(1, token[:, None], True)

    def _chosen(
        self, logits: Tensor, said: Tensor | None = None, penalty: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The most likely token of each row, and whether its score is finite. A penalty works as in transformers'
        RepetitionPenaltyLogitsProcessor."""
        logits = logits.float()
        if self._banned_token is not None:
            logits[:, self._banned_token] = -float("inf")
        if said is not None and penalty is not None:
            dimmed = self._torch.where(logits > 0, logits / penalty[:, None], logits * penalty[:, None])
            logits = self._torch.where(said, dimmed, logits)
        best, token = logits.max(dim=-1)
        return token, best.isfinite()

    @staticmethod
    def _as_said(token: Tensor, sound: Tensor) -> list[Said]:
        return [Said(*pair) for pair in zip(token.tolist(), sound.tolist(), strict=True)]

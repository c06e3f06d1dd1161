"""The KV cache of the rows that are decoded together, each row at its own position, and the step over all of them.

Addresses are fixed between two `resize`s. A step runs over the first `rows` rows and the first `length` positions of
the cache, both rounded up, see step_shape.py. Free rows are computed too; their tokens are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pdfbatch.engines.dolphin.drafts import agreed, drafted
from pdfbatch.engines.dolphin.graphs import Graphs, fetched
from pdfbatch.engines.dolphin.network import Band, Network
from pdfbatch.engines.dolphin.row_state import RowState, padded
from pdfbatch.engines.dolphin.step_shape import DRAFTED, StepShape, rounded

if TYPE_CHECKING:
    from torch import Tensor


class SlotEntry(NamedTuple):
    """The start of a row: an encoded picture (N x D), the tokens so far (at least the prompt), the repetition penalty
    (1.0: none), and a draft of what follows. A row with a penalty makes no use of a draft."""

    hidden: Tensor
    tokens: list[int]
    penalty: float = 1.0
    draft: Sequence[int] = ()


class Said(NamedTuple):
    """One row's result of a step: the tokens, at least one if `sound`. Otherwise a score was not finite (NaN)."""

    tokens: list[int]
    sound: bool


Heard = Callable[[], list[list[Said]]]
"""Waits for the device and returns, for each step, the results of the rows."""


class Slots:
    """`rows` rows of at most `length` tokens each, on the network's device. `banned_token` is never chosen."""

    def __init__(
        self, network: Network, rows: int, length: int, graphs: Graphs | None = None, banned_token: int | None = None
    ) -> None:
        import torch

        self._torch = torch
        self._network = network
        self._graphs = graphs
        self.rows = self.length = 0
        self._self_kv: list[Tensor] = []
        """By layer: keys and values, 2 x R x H x L x d."""
        self._cross_kv: list[Tensor] = []
        """By layer: keys and values, 2 x R x H x N x d."""
        self._state = RowState.empty(0, network.padded_vocab_size, network.device)
        self._penalised: set[int] = set()
        self._banned_token = banned_token
        self.resize(rows, length)

    @property
    def uses_graphs(self) -> bool:
        return self._graphs is not None and self._graphs.are_on

    def resize(self, rows: int, length: int) -> None:
        """Resizes the cache to `rows` x `length`; the contents of the remaining rows are kept.

        Works layer by layer, so that at most one layer is in memory twice.
        """
        network = self._network
        if self._graphs is not None:
            self._graphs.forget()
        self._all_resized(self._self_kv, rows, length)
        if rows != self.rows:
            self._all_resized(self._cross_kv, rows, network.picture_tokens)
        self._state = self._state.resized(rows)
        self._penalised = {row for row in self._penalised if row < rows}
        self._out = self._torch.zeros(rows, 2 + DRAFTED, device=network.device, dtype=self._torch.long)
        """The last step's results: how many tokens (0: NaN), and the tokens."""
        self.rows, self.length = rows, length

    def _all_resized(self, caches: list[Tensor], rows: int, size: int) -> None:
        network = self._network
        shape = (2, rows, network.heads, size, network.width // network.heads)
        olds: list[Tensor | None] = [*caches] or [None] * network.layers
        caches.clear()
        while olds:
            old = olds.pop(0)
            new = self._torch.zeros(shape, device=network.device, dtype=network.dtype)
            if old is not None:
                kept, positions = min(rows, old.shape[1]), min(size, old.shape[3])
                new[:, :kept, :, :positions] = old[:, :kept, :, :positions]
            caches.append(new)
            del old

    def admit(self, rows: Sequence[int], entries: Sequence[SlotEntry]) -> Heard:
        """Fills free rows; the result is one step with the first token of each. Prompts may differ in length: the
        padding after a shorter one is overwritten before it can be read."""
        torch, network = self._torch, self._network
        place = torch.tensor(rows, device=network.device)
        hidden = torch.stack([entry.hidden for entry in entries])
        cross_kv = [network.cross_kv(layer, hidden) for layer in range(network.layers)]
        for cache, (keys, values) in zip(self._cross_kv, cross_kv, strict=True):
            cache[0, place], cache[1, place] = keys, values
        lengths = torch.tensor([len(entry.tokens) for entry in entries], device=network.device)
        longest = max(len(entry.tokens) for entry in entries)
        tokens = torch.tensor([entry.tokens + [0] * (longest - len(entry.tokens)) for entry in entries])
        tokens = tokens.to(network.device)
        positions = torch.arange(longest, device=network.device).expand(len(entries), -1)
        band = Band(0, len(entries), self._mask(positions, longest))
        shape = (len(entries), network.heads, longest, network.width // network.heads)
        self_kv = [(hidden.new_zeros(shape), hidden.new_zeros(shape)) for _ in self._self_kv]
        logits = network.logits(tokens, positions, self_kv, cross_kv, [band], lengths - 1)
        for cache, (keys, values) in zip(self._self_kv, self_kv, strict=True):
            cache[0, place, :, :longest], cache[1, place, :, :longest] = keys, values
        last = tokens.gather(1, lengths[:, None] - 1)[:, 0]
        self._begin(place, rows, entries, last, lengths)
        said, penalty = (self._state.said[place], self._state.penalty[place]) if self._penalised else (None, None)
        best, token = self._scores(logits, said, penalty).max(dim=-1)
        self._state.tokens[place] = token[:, 0]
        if self._penalised:
            self._state.said[place, token[:, 0]] = True
        return _heard(torch.cat([best.isfinite().long(), token], dim=1)[None])

    def _begin(
        self, place: Tensor, rows: Sequence[int], entries: Sequence[SlotEntry], last: Tensor, lengths: Tensor
    ) -> None:
        torch, state, device = self._torch, self._state, self._network.device
        state.before[place], state.positions[place], state.active[place], state.place[place] = last, lengths, 1, 0
        state.penalty[place] = torch.tensor([entry.penalty for entry in entries], device=device)
        state.draft[place] = padded([entry.draft for entry in entries]).to(device)
        self._penalised.difference_update(rows)
        for row, entry in zip(rows, entries, strict=True):
            if entry.penalty != 1.0:
                self._penalised.add(row)
                state.said[row] = False
                state.said[row, torch.tensor(entry.tokens, device=device)] = True

    def step(self, wanted: StepShape, count: int) -> Heard:
        """Starts `count` steps in the first `wanted.rows` rows.

        Every row must stay below position `wanted.length`, and rows from `wanted.split` on (0: none) below
        `wanted.short`, whose cache they read no further. A step moves a row by up to 1 + `wanted.drafted` positions.
        """
        shape = rounded(wanted, self.rows, self.length, self.uses_graphs)
        steps = []
        for _ in range(count):
            self._step(shape)
            steps.append(self._out[: wanted.rows, : 2 + shape.drafted].clone())
        return _heard(self._torch.stack(steps))

    def free(self, row: int) -> None:
        """Marks a row as free."""
        self._state.free(row)
        self._penalised.discard(row)

    def move(self, source: int, target: int, length: int) -> None:
        """Moves a row of `length` tokens into a free one."""
        for cache in self._self_kv:
            cache[:, target, :, :length] = cache[:, source, :, :length]
        for cache in self._cross_kv:
            cache[:, target] = cache[:, source]
        self._state.move(source, target)
        if source in self._penalised:
            self._penalised.add(target)
        self.free(source)

    def swap(self, one: int, other: int, length: int) -> None:
        """Exchanges two rows in use of at most `length` tokens."""
        for cache in (*(cache[:, :, :, :length] for cache in self._self_kv), *self._cross_kv):
            kept = cache[:, one].clone()
            cache[:, one] = cache[:, other]
            cache[:, other] = kept
        self._state.swap(one, other)
        self._penalised = {{one: other, other: one}.get(row, row) for row in self._penalised}

    # ── one step ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _step(self, shape: StepShape) -> None:
        penalise = bool(self._penalised)

        def step() -> None:
            self._compute(shape, penalise)

        if self._graphs is None:
            step()
        else:
            self._graphs.run((shape, penalise), step, self._saved)

    def _saved(self) -> Callable[[], None]:
        """Saves the rows' state. Keys and values need not be saved: the step itself overwrites those it writes."""
        saved = self._state.clone()
        return lambda: self._state.restore(saved)

    def _compute(self, shape: StepShape, penalise: bool) -> None:
        torch, network = self._torch, self._network
        rows = self._state.first(shape.rows)
        guess = drafted(rows, shape.drafted) if shape.drafted else None
        tokens = rows.tokens[:, None]
        if guess is not None:
            tokens = torch.cat([tokens, guess.tokens.clamp(min=0)], dim=1)
        positions = rows.positions[:, None] + torch.arange(1 + shape.drafted, device=network.device)
        split = shape.split or shape.rows
        bands = [Band(0, split, self._mask(positions[:split], shape.length))]
        if split < shape.rows:
            bands.append(Band(split, shape.rows, self._mask(positions[split:], shape.short)))
        self_kv = _views(self._self_kv, shape.rows, shape.length)
        cross_kv = _views(self._cross_kv, shape.rows, network.picture_tokens)
        logits = network.logits(tokens, positions, self_kv, cross_kv, bands)
        scores = self._scores(logits, *((rows.said, rows.penalty) if penalise else ()))
        best, said = scores.max(dim=-1)
        more = torch.zeros_like(rows.positions)
        if guess is not None:
            more = agreed(best, said, guess, rows.penalty == 1)
            rows.place.copy_(torch.where(more > 0, guess.first + more, rows.place))
        self._go_on(rows, said, more)
        sound = best.gather(1, more[:, None]).isfinite()
        self._out[: shape.rows, : 2 + shape.drafted] = torch.cat([sound * (1 + more[:, None]), said], dim=1)
        if penalise:
            rows.said.scatter_(1, said[:, :1], True)

    def _go_on(self, rows: RowState, said: Tensor, more: Tensor) -> None:
        """Moves the rows behind the 1 + `more` (R) tokens they said."""
        known = self._torch.cat([rows.tokens[:, None], said], dim=1)
        rows.before.copy_(known.gather(1, more[:, None])[:, 0])
        rows.tokens.copy_(known.gather(1, more[:, None] + 1)[:, 0])
        rows.positions.add_((1 + more) * rows.active)

    def _mask(self, positions: Tensor, length: int) -> Tensor:
        """R x T positions → R x 1 x T x `length`: each may read what lies before it, and itself."""
        torch = self._torch
        at = torch.arange(length, device=positions.device)
        mask = torch.zeros(*positions.shape, length, device=positions.device, dtype=self._network.dtype)
        return mask.masked_fill_(at > positions[..., None], -float("inf"))[:, None]

    def _scores(self, logits: Tensor, said: Tensor | None = None, penalty: Tensor | None = None) -> Tensor:
        """R x T x W logits, which are changed → scores; -inf for what is never chosen. The penalty, on the first token
        of each row, works as in transformers' RepetitionPenaltyLogitsProcessor."""
        logits[..., self._network.vocab_size :] = -float("inf")
        if self._banned_token is not None:
            logits[..., self._banned_token] = -float("inf")
        if said is None or penalty is None:
            return logits
        first, by = logits[:, :1].float(), penalty[:, None, None]
        dimmed = self._torch.where(said[:, None], self._torch.where(first > 0, first / by, first * by), first)
        return self._torch.cat([dimmed, logits[:, 1:].float()], dim=1)


def _views(caches: Sequence[Tensor], rows: int, length: int) -> list[tuple[Tensor, Tensor]]:
    """Returns each layer's keys and values of the first `rows` rows and `length` positions."""
    return [(cache[0, :rows, :, :length], cache[1, :rows, :, :length]) for cache in caches]


def _heard(results: Tensor) -> Heard:
    """`results` is S x R x (1 + T): for each step and row how many tokens, and the tokens."""
    wait = fetched(results)
    return lambda: [[Said(row[1 : 1 + row[0]], row[0] > 0) for row in step] for step in wait().tolist()]

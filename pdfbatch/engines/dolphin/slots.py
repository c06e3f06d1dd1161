"""The KV cache of the rows that are decoded together, each row at its own position, and the step over all of them.

Addresses are fixed between two `resize`s. A step runs over the first `rows` rows and the first `length` positions of
the cache, both rounded up, see step_shape.py. Free rows are computed too; their tokens are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pdfbatch.engines.dolphin.drafts import Drafted, agreed, drafted
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
        torch, device = self._torch, self._network.device
        place = torch.tensor(rows, device=device)
        lengths = torch.tensor([len(entry.tokens) for entry in entries], device=device)
        longest = max(len(entry.tokens) for entry in entries)
        tokens = torch.tensor([entry.tokens + [0] * (longest - len(entry.tokens)) for entry in entries]).to(device)
        logits = self._prompted(place, torch.stack([entry.hidden for entry in entries]), tokens, lengths)
        last = tokens.gather(1, lengths[:, None] - 1)[:, 0]
        self._begin(place, rows, entries, last, lengths)
        best, token = self._chosen(logits)
        if self._penalised:
            best, token = self._chosen_with_penalty(logits, self._state.said[place], self._state.penalty[place])
            self._state.said[place, token] = True
        self._state.tokens[place] = token
        return _heard(torch.stack([best.isfinite().long(), token], dim=1)[None])

    def _prompted(self, place: Tensor, hidden: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Fills the caches of the rows `place` (R) with pictures (R x N x D) and prompts (R x T, of which `lengths`
        count) → R x W, the logits after each prompt."""
        torch, network = self._torch, self._network
        rows, longest = tokens.shape
        cross_kv = [network.cross_kv(layer, hidden) for layer in range(network.layers)]
        for cache, (keys, values) in zip(self._cross_kv, cross_kv, strict=True):
            cache[0, place], cache[1, place] = keys, values
        every = torch.arange(rows, device=network.device)
        positions = torch.arange(longest, device=network.device).repeat(rows, 1)
        shape = (rows, network.heads, longest, network.width // network.heads)
        self_kv = [(hidden.new_zeros(shape), hidden.new_zeros(shape)) for _ in self._self_kv]
        flat = (tokens.flatten(), every.repeat_interleave(longest), positions.flatten())
        band = Band(0, rows, self._mask(positions, longest))
        logits = network.logits(*flat, self_kv, cross_kv, [band], every * longest + lengths - 1)
        for cache, (keys, values) in zip(self._self_kv, self_kv, strict=True):
            cache[0, place, :, :longest], cache[1, place, :, :longest] = keys, values
        return logits

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
        `wanted.short`, whose cache they read no further. A step moves a row by one position, one of the last
        `wanted.drafting` by up to 1 + `DRAFTED`.
        """
        shape = rounded(wanted, self.rows, self.length, self.uses_graphs)
        steps = []
        for _ in range(count):
            self._step(shape)
            steps.append(self._out[: shape.rows, : 2 + (DRAFTED if shape.drafting else 0)].clone())
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
        rows, behind = self._state.part(0, shape.rows), self._state.part(shape.plain, shape.rows)
        guess = drafted(behind, DRAFTED)
        at = torch.arange(shape.rows, device=network.device)
        tokens = torch.cat([behind.tokens[:, None], guess.tokens.clamp(0, network.vocab_size - 1)], dim=1)
        positions = behind.positions[:, None] + torch.arange(1 + DRAFTED, device=network.device)
        flat = (
            torch.cat([rows.tokens[: shape.plain], tokens.flatten()]),
            torch.cat([at[: shape.plain], at[shape.plain :].repeat_interleave(1 + DRAFTED)]),
            torch.cat([rows.positions[: shape.plain], positions.flatten()]),
        )
        bands = self._bands(shape, rows.positions[: shape.plain, None], positions)
        self_kv = _views(self._self_kv, shape.rows, shape.length)
        cross_kv = _views(self._cross_kv, shape.rows, network.picture_tokens)
        logits = network.logits(*flat, self_kv, cross_kv, bands)
        best, said = self._chosen(logits)
        if penalise:
            first = torch.cat([at[: shape.plain], shape.plain + at[: shape.drafting] * (1 + DRAFTED)])
            best_first, said_first = self._chosen_with_penalty(logits[first], rows.said, rows.penalty)
            best[first], said[first] = best_first.to(best.dtype), said_first
            rows.said.scatter_(1, said_first[:, None], True)
        self._go_on(shape, best, said, guess)

    def _go_on(self, shape: StepShape, best: Tensor, said: Tensor, guess: Drafted) -> None:
        """Moves the rows behind the tokens `said` (M), whose scores are `best` (M)."""
        plain, behind = self._state.part(0, shape.plain), self._state.part(shape.plain, shape.rows)
        self._say(plain, self._out[: shape.plain], best[: shape.plain, None], said[: shape.plain, None])
        if shape.drafting:
            best, said = (flat[shape.plain :].view(shape.drafting, -1) for flat in (best, said))
            more = agreed(best, said, guess, behind.penalty == 1)
            behind.place.copy_(self._torch.where(more > 0, guess.first + more, behind.place))
            self._say(behind, self._out[shape.plain : shape.rows], best, said, more)

    def _say(self, rows: RowState, out: Tensor, best: Tensor, said: Tensor, more: Tensor | None = None) -> None:
        """Moves rows behind the first 1 + `more` (R, None: 0) tokens of `said` (R x T), and writes them to `out`."""
        torch = self._torch
        more = torch.zeros_like(rows.positions) if more is None else more
        known = torch.cat([rows.tokens[:, None], said], dim=1)
        sound = best.gather(1, more[:, None]).isfinite()
        out[:, : 1 + said.shape[1]] = torch.cat([sound * (1 + more[:, None]), said], dim=1)
        rows.before.copy_(known.gather(1, more[:, None])[:, 0])
        rows.tokens.copy_(known.gather(1, more[:, None] + 1)[:, 0])
        rows.positions.add_((1 + more) * rows.active)

    def _bands(self, shape: StepShape, plain: Tensor, behind: Tensor) -> list[Band]:
        """`plain` and `behind` are the positions of rows without and with drafts, R x T each."""
        split = shape.split or shape.plain
        short = shape.short if shape.split else shape.length
        bands = [
            Band(0, split, self._mask(plain[:split], shape.length)),
            Band(split, shape.plain, self._mask(plain[split:], short)),
            Band(shape.plain, shape.rows, self._mask(behind, short)),
        ]
        return [band for band in bands if band.first < band.last]

    def _mask(self, positions: Tensor, length: int) -> Tensor:
        """R x T positions → R x 1 x T x `length`: each may read what lies before it, and itself."""
        torch = self._torch
        at = torch.arange(length, device=positions.device)
        mask: Tensor = torch.zeros(*positions.shape, length, device=positions.device, dtype=self._network.dtype)
        mask.masked_fill_(at > positions[..., None], -float("inf"))
        return mask.unsqueeze(1)

    def _chosen(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """M x W logits, from which what is never chosen is removed → the best scores and their tokens, M each."""
        logits[:, self._network.vocab_size :] = -float("inf")
        if self._banned_token is not None:
            logits[:, self._banned_token] = -float("inf")
        best, token = logits.max(dim=-1)
        return best, token

    def _chosen_with_penalty(self, logits: Tensor, said: Tensor, penalty: Tensor) -> tuple[Tensor, Tensor]:
        """As `_chosen`, for R x W logits of which it was called before, with the penalty of transformers'
        RepetitionPenaltyLogitsProcessor."""
        scores, by = logits.float(), penalty[:, None]
        dimmed = self._torch.where(scores > 0, scores / by, scores * by)
        best, token = self._torch.where(said, dimmed, scores).max(dim=-1)
        return best, token


def _views(caches: Sequence[Tensor], rows: int, length: int) -> list[tuple[Tensor, Tensor]]:
    """Returns each layer's keys and values of the first `rows` rows and `length` positions."""
    return [(cache[0, :rows, :, :length], cache[1, :rows, :, :length]) for cache in caches]


def _heard(results: Tensor) -> Heard:
    """`results` is S x R x (1 + T): for each step and row how many tokens, and the tokens."""
    wait = fetched(results)
    return lambda: [[Said(row[1 : 1 + row[0]], row[0] > 0) for row in step] for step in wait().tolist()]

"""The forward pass of Dolphin's encoder (DonutSwin) in few operators: equal to transformers' within rounding.

Tokens stay in the order of the windows in which they attend (`windows.py`): one gather between two blocks does what
transformers' roll, partition and their reversals do, and one gather merges patches. Windows with the same mask are
computed at once and share one bias.
Shapes: B pictures, W windows of n tokens, C channels, H heads of size d. Tokens are W*B*n x C: the windows of one kind
are a slice, whatever B.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pdfbatch.engines.dolphin.fused import fused
from pdfbatch.engines.dolphin.windows import Grid, Indices, Marks, Order, grids, order, separated

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger(__name__)

Encode = Callable[["Tensor"], "Tensor"]
"""B x 3 x height x width, normalised → B x N x C."""

_MASKED = -100.0
"""Added to the scores of tokens that must not attend to one another, as in transformers (`get_attn_mask`)."""
_ALIGNED = 8
"""Fused attention kernels read biases whose rows begin at multiples of 8 numbers; torch would copy others each time."""


def encode_with(encoder: Any, height: int, width: int, published: bool = False) -> Encode:
    """The forward pass of transformers' `encoder` for pictures of `height` x `width` pixels: ours, or if `published`,
    transformers'. Also transformers', with a warning in the log, for an architecture that ours does not know."""
    reason = unsupported(encoder, height, width)
    if reason and not published:
        _log.warning("the encoder runs as transformers publishes it, which is slower: %s", reason)
    return Published(encoder) if published or reason else WindowEncoder(encoder, height, width)


def unsupported(encoder: Any, height: int, width: int) -> str:
    """Why `WindowEncoder` cannot run this encoder; "" if it can."""
    if type(encoder).__name__ != "DonutSwinModel":
        return f"it is a {type(encoder).__name__}, not a DonutSwinModel"
    if encoder.embeddings.position_embeddings is not None:
        return "it has absolute position embeddings"
    small = [grid for grid in grids(encoder.config, height, width) if min(grid.height, grid.width) < grid.window]
    return f"a stage of {small[0].height} x {small[0].width} tokens is smaller than a window" if small else ""


class Published:
    """transformers' own forward pass."""

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder

    def __call__(self, pictures: Tensor) -> Tensor:
        hidden: Tensor = self._encoder(pixel_values=pictures).last_hidden_state
        return hidden


class WindowEncoder:
    """Our forward pass, without dropout, for pictures of `height` x `width` pixels. It computes with the weights of
    `encoder`, whose queries, keys and values become views of one matrix per block."""

    def __init__(self, encoder: Any, height: int, width: int) -> None:
        found = grids(encoder.config, height, width)
        self._embedding = _Embedding(encoder.embeddings, found[0])
        self._steps: list[Callable[[Tensor, int], Tensor]] = []
        for stage, grid, following in zip(encoder.encoder.layers, found, [*found[1:], None], strict=True):
            self._steps += _stage(stage, grid, following)

    def __call__(self, pictures: Tensor) -> Tensor:
        hidden = self._embedding(pictures)
        for step in self._steps:
            hidden = step(hidden, len(pictures))
        return hidden.view(len(pictures), -1, hidden.shape[1])


def _stage(stage: Any, grid: Grid, following: Grid | None) -> Iterator[Callable[[Tensor, int], Tensor]]:
    """Blocks over plain and shifted windows in turn, the tokens brought into the order of each. Then the merging of
    patches, or after the last stage the reading order, B*N x C."""
    device = next(stage.parameters()).device
    shift = grid.window // 2 if min(grid.height, grid.width) > grid.window else 0
    orders = order(grid), order(grid, shift)
    into = [_Gather(orders[1 - kind].moved_to(orders[kind]), grid, device) for kind in (0, 1)]
    kind = 0
    for number, block in enumerate(stage.blocks):
        kind = number % 2 if shift else 0
        if number and shift:
            yield into[kind]
        yield _Block(block, orders[kind], shift * kind)
    if following:
        yield _Merging(stage.downsample, orders[kind], order(following), device)
    else:
        yield _Gather(orders[kind].in_reading_order(), grid, device)


class _Embedding:
    """Patches become tokens in one matrix product, already in the order of the first block's windows."""

    def __init__(self, embeddings: Any, grid: Grid) -> None:
        self._projection = embeddings.patch_embeddings.projection
        self._norm = embeddings.norm
        self._grid = grid

    def __call__(self, pictures: Tensor) -> Tensor:
        import torch

        (high, broad), side = self._projection.kernel_size, self._grid.window
        (down, across), (tall, wide) = self._grid.windows, self._grid.padded
        batch, colours, height, width = pictures.shape
        if (height, width) != (tall * high, wide * broad):
            pictures = torch.nn.functional.pad(pictures, (0, wide * broad - width, 0, tall * high - height))
        patches = pictures.reshape(batch, colours, down, side, high, across, side, broad)
        rows = patches.permute(2, 5, 0, 3, 6, 1, 4, 7).reshape(-1, colours * high * broad)
        hidden = torch.nn.functional.linear(rows, self._projection.weight.flatten(1), self._projection.bias)
        return self._norm(hidden)  # type: ignore[no-any-return]


class _Block:
    """Attention within windows, then the feed-forward layers, both added to the tokens in place."""

    def __init__(self, block: Any, tokens: Order, shift: int) -> None:
        attention = block.attention.self
        self._first_norm, self._second_norm = block.layernorm_before, block.layernorm_after
        self._project = block.attention.output.dense
        self._widen, self._narrow = block.intermediate.dense, block.output.dense
        self._activation = block.intermediate.intermediate_act_fn
        self._heads = attention.num_attention_heads
        self._window_tokens = tokens.positions.shape[1]
        self._qkv = fused(attention.query, attention.key, attention.value)
        self._padding = _mask(tokens.padding, self._project.weight.device)
        self._biases = _biases(attention, tokens, shift)

    def __call__(self, hidden: Tensor, batch: int) -> Tensor:
        hidden += self._project(self._attend(_cleared(self._first_norm(hidden), self._padding), batch))
        hidden += self._narrow(self._activation(self._widen(self._second_norm(hidden))))
        return hidden

    def _attend(self, hidden: Tensor, batch: int) -> Tensor:
        import torch

        joined = torch.nn.functional.linear(hidden, *self._qkv)
        heads = joined.view(-1, self._window_tokens, 3, self._heads, hidden.shape[1] // self._heads)
        heads, seen, first = heads.permute(2, 0, 3, 1, 4), [], 0
        for windows, bias in self._biases:
            query, key, value = heads[:, first * batch : (first + windows) * batch]
            seen.append(torch.nn.functional.scaled_dot_product_attention(query, key, value, bias).transpose(1, 2))
            first += windows
        return (torch.cat(seen) if len(seen) > 1 else seen[0]).reshape(hidden.shape)


class _Merging:
    """Each four neighbours become one token of twice the width, in the order of the next stage's windows."""

    def __init__(self, merging: Any, tokens: Order, target: Order, device: Any) -> None:
        indices, outside = tokens.merged_to(target)
        self._gather = _Gather(indices, tokens.grid, device)
        self._outside = _mask(outside, device)
        self._norm, self._reduction = merging.norm, merging.reduction

    def __call__(self, hidden: Tensor, batch: int) -> Tensor:
        neighbours = _cleared(self._gather(hidden, batch), self._outside)
        return self._reduction(self._norm(neighbours.view(-1, 4 * hidden.shape[1])))  # type: ignore[no-any-return]


class _Gather:
    """Brings tokens into another order, W*B*m x C: `indices`, W x m, are one picture's, in the order as it is."""

    def __init__(self, indices: Indices, grid: Grid, device: Any) -> None:
        import torch

        window_tokens = grid.window**2
        self._indices = torch.from_numpy(indices).to(device)
        self._first = torch.from_numpy(indices - indices % window_tokens).to(device)
        self._window_tokens = window_tokens
        self._batch, self._rows = 1, self._indices.flatten()

    def __call__(self, hidden: Tensor, batch: int) -> Tensor:
        if batch != self._batch:
            self._batch, self._rows = batch, self._rows_of(batch)
        return hidden.index_select(0, self._rows)

    def _rows_of(self, batch: int) -> Tensor:
        """Kept for the next batch, as most are equally large. Made outside of inference mode, so that it can be used
        there as well."""
        import torch

        with torch.inference_mode(False):
            steps = torch.arange(0, batch * self._window_tokens, self._window_tokens, device=self._indices.device)
            first = torch.add(self._indices, self._first, alpha=batch - 1)
            return (first[:, None] + steps.to(first.dtype)[:, None]).flatten()


def _mask(marks: Marks, device: Any) -> Tensor | None:
    """W x m marks as W x 1 x m x 1; None if there are none."""
    import torch

    return torch.from_numpy(marks[:, None, :, None]).to(device) if marks.any() else None


def _cleared(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """Sets the W*B*m x C tokens of a mask to zero in place."""
    if mask is not None:
        hidden.view(mask.shape[0], -1, mask.shape[2], hidden.shape[1]).masked_fill_(mask, 0)
    return hidden


def _biases(attention: Any, tokens: Order, shift: int) -> list[tuple[int, Tensor]]:
    """For each kind of windows how many there are and what is added to their scores, 1 x H x n x n."""
    import torch

    table = attention.relative_position_bias_table.detach()
    count = tokens.positions.shape[1]
    bias = table[attention.relative_position_index.flatten()].view(count, count, -1).permute(2, 0, 1)
    masks = torch.from_numpy(separated(tokens.grid.window, shift)).to(bias.device)
    found = []
    for windows, mask in zip(tokens.counts, masks, strict=True):
        if windows:
            room = bias.new_zeros(1, len(bias), count, -(-count // _ALIGNED) * _ALIGNED)
            room[..., :count] = bias + mask * _MASKED
            found.append((windows, room[..., :count]))
    return found

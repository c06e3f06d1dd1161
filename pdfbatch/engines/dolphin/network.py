"""The forward passes of a Dolphin: its encoder over pictures, and its decoder over rows of a KV cache.

The weights are those of transformers' `VisionEncoderDecoderModel` (DonutSwin and mBART). The decoder's forward pass is
written here because every row is at its own position, which transformers' cache cannot express without left padding,
and left padding shifts mBART's learned positions. Shapes: R rows, T tokens per row, M tokens of all rows, D the width,
H heads of size d, N tokens per picture, L positions of the cache, V the vocabulary, W the vocabulary padded to a
multiple of `ALIGNED`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pdfbatch.engines.dolphin.encoder import encode_with
from pdfbatch.engines.dolphin.fused import fused
from pdfbatch.engines.dolphin.windows import grids

if TYPE_CHECKING:
    from torch import Tensor

_POSITION_OFFSET = 2  # transformers, MBartLearnedPositionalEmbedding
ALIGNED = 64
"""Matrix products in fp16 use the tensor cores' fast kernels only for multiples of 8; 64 fills a tile."""
Attention = Literal["fused", "products"]
"""How a decoding step attends: torch's fused kernel, or two batched matrix products around a softmax."""


class Band(NamedTuple):
    """Rows from `first` to `last` (exclusive) with as many tokens each, T, that read the same length of their cache:
    what the longest of them needs. A few long rows should therefore not share a band with many short ones. `mask` is
    rows x 1 x T x length, and is added to the scores: 0 for what may be read, else -inf."""

    first: int
    last: int
    mask: Tensor


class Network:
    """A loaded model on its device. Not thread-safe: one thread computes. `published_encoder`: the encoder's forward
    pass is transformers' own, which is slower. `attention` may be changed at any time; both ways give the same within
    rounding."""

    attention: Attention = "fused"

    def __init__(self, model: Any, published_encoder: bool = False) -> None:
        import torch

        self._torch = torch
        self.device = model.device
        self.dtype = model.dtype
        self._project = getattr(model, "enc_to_dec_proj", None)
        decoder = model.decoder.model.decoder
        self._layers = list(decoder.layers)
        self._embed = decoder.embed_tokens
        self._positions = decoder.embed_positions.weight
        self._first_norm = decoder.layernorm_embedding
        self._last_norm = decoder.layer_norm
        config = model.decoder.config
        self.heads = int(config.decoder_attention_heads)
        self.width = int(config.d_model)
        self.layers = len(self._layers)
        self.vocab_size = int(config.vocab_size)
        self.max_positions = int(config.max_position_embeddings)
        """Tokens of one row, its prompt included."""
        attentions = [layer.self_attn for layer in self._layers]
        self._qkv = [fused(one.q_proj, one.k_proj, one.v_proj) for one in attentions]
        self._head = self._padded_head(model.decoder)
        size = model.config.encoder.image_size
        self.side = int(size if isinstance(size, int) else size[0])
        """Pixels along a side of the encoder's square input."""
        self._encode = encode_with(model.encoder, self.side, self.side, published_encoder)
        last = grids(model.config.encoder, self.side, self.side)[-1]
        self.picture_tokens = last.height * last.width
        self._scale = (self.width // self.heads) ** -0.5

    def encode(self, pictures: Tensor) -> Tensor:
        """E x 3 x side x side, normalised → E x N x D."""
        hidden = self._encode(pictures)
        projected: Tensor = hidden if self._project is None else self._project(hidden)
        return projected

    def cross_kv(self, layer: int, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """One layer's cross-attention keys and values of pictures: R x N x D → two of R x H x N x d."""
        attention = self._layers[layer].encoder_attn
        return self._split(attention.k_proj(hidden)), self._split(attention.v_proj(hidden))

    def logits(
        self,
        tokens: Tensor,
        rows: Tensor,
        positions: Tensor,
        self_kv: list[tuple[Tensor, Tensor]],
        cross_kv: list[tuple[Tensor, Tensor]],
        bands: Sequence[Band],
        wanted: Tensor | None = None,
    ) -> Tensor:
        """M tokens of `rows` at `positions` → M x W, the logits after each; those of the padding mean nothing. With
        `wanted`, only those after the tokens at these indexes. The tokens are in the order of the bands, row by row.

        `self_kv` and `cross_kv` hold each layer's keys and values, R x H x L x d and R x H x N x d. Those of the new
        tokens are written into `self_kv` at their positions before it is read. No NaN is ever written: even a masked
        one would spoil the row's next job.
        """
        torch = self._torch
        hidden = self._embed(tokens) + self._positions[positions + _POSITION_OFFSET]
        hidden = self._first_norm(hidden)
        for layer, qkv, (keys, values), picture in zip(self._layers, self._qkv, self_kv, cross_kv, strict=True):
            joined = torch.nn.functional.linear(layer.self_attn_layer_norm(hidden), *qkv)
            query, key, value = joined.nan_to_num_().chunk(3, dim=-1)
            keys[rows, :, positions], values[rows, :, positions] = self._heads_of(key), self._heads_of(value)
            hidden = hidden + layer.self_attn.out_proj(self._attend_to_own(query, keys, values, bands))
            query = layer.encoder_attn.q_proj(layer.encoder_attn_layer_norm(hidden))
            hidden = hidden + layer.encoder_attn.out_proj(self._attend_to_pictures(query, *picture, bands))
            hidden = hidden + layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden))))
        last = hidden if wanted is None else hidden[wanted]
        scores: Tensor = torch.nn.functional.linear(self._last_norm(last), self._head)
        return scores

    def _attend_to_own(self, query: Tensor, keys: Tensor, values: Tensor, bands: Sequence[Band]) -> Tensor:
        """M x D queries → M x D."""
        seen = []
        for band, part in zip(bands, _by_band(query, bands), strict=True):
            rows, length = slice(band.first, band.last), band.mask.shape[-1]
            seen.append(self.attend(self._split(part), keys[rows, :, :length], values[rows, :, :length], band.mask))
        return self._torch.cat([part.flatten(0, 1) for part in seen])

    def _attend_to_pictures(self, query: Tensor, keys: Tensor, values: Tensor, bands: Sequence[Band]) -> Tensor:
        """M x D queries → M x D. Bands with as many tokens a row are computed at once."""
        seen = []
        alike = [[*same] for _, same in groupby(bands, key=lambda band: band.mask.shape[2])]
        joined = [same[0]._replace(last=same[-1].last) for same in alike]
        for band, part in zip(joined, _by_band(query, joined), strict=True):
            rows = slice(band.first, band.last)
            seen.append(self.attend(self._split(part), keys[rows], values[rows], None))
        return self._torch.cat([part.flatten(0, 1) for part in seen])

    def attend(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, way: Attention | None = None
    ) -> Tensor:
        """R x H x T x d queries → R x T x D. `way` is one of both, None: `attention`."""
        torch = self._torch
        if (way or self.attention) == "fused":
            seen: Tensor = torch.nn.functional.scaled_dot_product_attention(
                query, keys, values, mask, scale=self._scale
            )
        else:
            scores = (query * self._scale) @ keys.transpose(-1, -2)
            seen = torch.softmax(scores if mask is None else scores + mask, dim=-1) @ values
        joined: Tensor = seen.transpose(1, 2).flatten(2)
        return joined

    def _heads_of(self, hidden: Tensor) -> Tensor:
        heads: Tensor = hidden.view(*hidden.shape[:-1], self.heads, -1)
        return heads

    def _split(self, hidden: Tensor) -> Tensor:
        split: Tensor = self._heads_of(hidden).transpose(1, 2)
        return split

    @property
    def padded_vocab_size(self) -> int:
        return len(self._head)

    def _padded_head(self, decoder: Any) -> Tensor:
        """Returns the output matrix with rows of zeros up to a multiple of `ALIGNED`. The model's own matrix, which is
        usually its embedding too, becomes a view of it."""
        head = decoder.get_output_embeddings()
        pad = -len(head.weight) % ALIGNED
        weight: Tensor = self._torch.nn.functional.pad(head.weight.data, (0, 0, 0, pad))
        head.weight.data = weight[: self.vocab_size]
        return weight


def _by_band(hidden: Tensor, bands: Sequence[Band]) -> Iterator[Tensor]:
    """M x D → R x T x D for each band."""
    begin = 0
    for band in bands:
        rows, each = band.last - band.first, band.mask.shape[2]
        yield hidden[begin : begin + rows * each].view(rows, each, -1)
        begin += rows * each

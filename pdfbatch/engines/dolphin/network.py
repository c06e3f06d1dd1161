"""The forward passes of a Dolphin: its encoder over pictures, and its decoder over rows of a KV cache.

The weights are those of transformers' `VisionEncoderDecoderModel` (DonutSwin and mBART). The decoder's forward pass is
written here because every row is at its own position, which transformers' cache cannot express without left padding,
and left padding shifts mBART's learned positions. Shapes: R rows, T tokens per row, D the width, H heads of size d,
N tokens per picture, L positions of the cache, V the vocabulary, W the vocabulary padded to a multiple of `ALIGNED`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pdfbatch.engines.dolphin.encoder import encode_with
from pdfbatch.engines.dolphin.fused import fused
from pdfbatch.engines.dolphin.windows import grids

if TYPE_CHECKING:
    from torch import Tensor

_POSITION_OFFSET = 2  # transformers, MBartLearnedPositionalEmbedding
ALIGNED = 64
"""Matrix products in fp16 use the tensor cores' fast kernels only for sizes that are multiples of 8; 64 fills a tile."""
Attention = Literal["fused", "products"]
"""How a decoding step attends: torch's fused kernel, or two batched matrix products around a softmax."""


class Band(NamedTuple):
    """Rows from `first` to `last` (exclusive) that read the same length of their cache: what the longest of them needs.
    A few long rows should therefore not share a band with many short ones. `mask` is rows x 1 x T x length, and is added
    to the scores: 0 for what may be read, else -inf."""

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
        positions: Tensor,
        self_kv: list[tuple[Tensor, Tensor]],
        cross_kv: list[tuple[Tensor, Tensor]],
        bands: Sequence[Band],
        last: Tensor | None = None,
    ) -> Tensor:
        """R x T tokens at their `positions` → R x T x W, the logits after each token; those of the padding mean nothing.
        With `last` (R), R x 1 x W: only the logits after the token at that index of each row.

        `self_kv` and `cross_kv` hold each layer's keys and values, R x H x L x d and R x H x N x d. Those of the new
        tokens are written into `self_kv` at their positions before it is read. `bands` divide the rows, and say how
        much of the cache each may read. No NaN is ever written: even a masked one would spoil the row's next job.
        """
        torch = self._torch
        every = torch.arange(tokens.shape[0], device=self.device)
        hidden = self._embed(tokens) + self._positions[positions + _POSITION_OFFSET]
        hidden = self._first_norm(hidden)
        for layer, qkv, (keys, values), picture in zip(self._layers, self._qkv, self_kv, cross_kv, strict=True):
            joined = torch.nn.functional.linear(layer.self_attn_layer_norm(hidden), *qkv)
            query, key, value = joined.nan_to_num_().chunk(3, dim=-1)
            keys[every[:, None], :, positions] = self._heads_of(key)
            values[every[:, None], :, positions] = self._heads_of(value)
            query = self._split(query)
            seen = [
                self.attend(query[rows], keys[rows, :, :length], values[rows, :, :length], mask)
                for rows, length, mask in ((slice(b.first, b.last), b.mask.shape[-1], b.mask) for b in bands)
            ]
            hidden = hidden + layer.self_attn.out_proj(torch.cat(seen))
            query = layer.encoder_attn.q_proj(layer.encoder_attn_layer_norm(hidden))
            hidden = hidden + layer.encoder_attn.out_proj(self.attend(self._split(query), *picture, None))
            hidden = hidden + layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden))))
        wanted = hidden if last is None else hidden[every, last][:, None]
        return torch.nn.functional.linear(self._last_norm(wanted), self._head)

    def attend(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, way: Attention | None = None
    ) -> Tensor:
        """R x H x T x d queries → R x T x D. `way` is one of both, None: `attention`."""
        torch = self._torch
        if (way or self.attention) == "fused":
            seen = torch.nn.functional.scaled_dot_product_attention(query, keys, values, mask, scale=self._scale)
        else:
            scores = (query * self._scale) @ keys.transpose(-1, -2)
            seen = torch.softmax(scores if mask is None else scores + mask, dim=-1) @ values
        return seen.transpose(1, 2).flatten(2)

    def _heads_of(self, hidden: Tensor) -> Tensor:
        return hidden.view(*hidden.shape[:2], self.heads, -1)

    def _split(self, hidden: Tensor) -> Tensor:
        return self._heads_of(hidden).transpose(1, 2)

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

"""The forward passes of a Dolphin: its encoder over pictures, and its decoder over rows of a KV cache.

The weights are those of transformers' `VisionEncoderDecoderModel` (DonutSwin and mBART). The decoder's forward pass is
written here because every row is at its own position, which transformers' cache cannot express without left padding,
and left padding shifts mBART's learned positions. Shapes: R rows, T tokens per row, D the width, H heads of size d,
N tokens per picture, L positions of the cache, V the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pdfbatch.engines.dolphin.encoder import encode_with
from pdfbatch.engines.dolphin.fused import fused
from pdfbatch.engines.dolphin.windows import grids

if TYPE_CHECKING:
    from torch import Tensor

_POSITION_OFFSET = 2  # transformers, MBartLearnedPositionalEmbedding


class Band(NamedTuple):
    """Rows from `first` to `last` (exclusive) that read the same length of their cache: what the longest of them needs.
    A few long rows should therefore not share a band with many short ones. `mask` is rows x 1 x T x length."""

    first: int
    last: int
    mask: Tensor


class Network:
    """A loaded model on its device. Not thread-safe: one thread computes. `published_encoder`: the encoder's forward
    pass is transformers' own, which is slower."""

    def __init__(self, model: Any, published_encoder: bool = False) -> None:
        import torch

        self.device = model.device
        self.dtype = model.dtype
        self._project = getattr(model, "enc_to_dec_proj", None)
        decoder = model.decoder.model.decoder
        self._layers = list(decoder.layers)
        self._embed = decoder.embed_tokens
        self._positions = decoder.embed_positions.weight
        self._first_norm = decoder.layernorm_embedding
        self._last_norm = decoder.layer_norm
        self._head = model.decoder.get_output_embeddings()
        config = model.decoder.config
        self.heads = int(config.decoder_attention_heads)
        self.width = int(config.d_model)
        self.layers = len(self._layers)
        self.vocab_size = int(config.vocab_size)
        self.max_positions = int(config.max_position_embeddings)
        """Tokens of one row, its prompt included."""
        attentions = [layer.self_attn for layer in self._layers]
        self._qkv = [fused(one.q_proj, one.k_proj, one.v_proj) for one in attentions]
        size = model.config.encoder.image_size
        self.side = int(size if isinstance(size, int) else size[0])
        """Pixels along a side of the encoder's square input."""
        self._encode = encode_with(model.encoder, self.side, self.side, published_encoder)
        last = grids(model.config.encoder, self.side, self.side)[-1]
        self.picture_tokens = last.height * last.width
        self._scale = (self.width // self.heads) ** -0.5
        self._torch = torch

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
        last: Tensor,
    ) -> Tensor:
        """R x T tokens at their `positions` → R x V, the logits after the token at index `last` (R) of each row.

        `self_kv` and `cross_kv` hold each layer's keys and values, R x H x L x d and R x H x N x d. Those of the new
        tokens are written into `self_kv` at their positions before it is read. `bands` divide the rows, and say how
        much of the cache each may read.
        """
        torch = self._torch
        every = torch.arange(tokens.shape[0], device=self.device)
        hidden = self._embed(tokens) + self._positions[positions + _POSITION_OFFSET]
        hidden = self._first_norm(hidden)
        for layer, qkv, (keys, values), picture in zip(self._layers, self._qkv, self_kv, cross_kv, strict=True):
            query, key, value = torch.nn.functional.linear(layer.self_attn_layer_norm(hidden), *qkv).chunk(3, dim=-1)
            keys[every[:, None], :, positions] = self._heads_of(key)
            values[every[:, None], :, positions] = self._heads_of(value)
            query = self._split(query)
            seen = [
                self._attend(query[rows], keys[rows, :, :length], values[rows, :, :length], mask)
                for rows, length, mask in ((slice(b.first, b.last), b.mask.shape[-1], b.mask) for b in bands)
            ]
            hidden = hidden + layer.self_attn.out_proj(torch.cat(seen))
            query = layer.encoder_attn.q_proj(layer.encoder_attn_layer_norm(hidden))
            hidden = hidden + layer.encoder_attn.out_proj(self._attend(self._split(query), *picture, None))
            hidden = hidden + layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden))))
        return self._head(self._last_norm(hidden[every, last]))  # type: ignore[no-any-return]

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        seen = self._torch.nn.functional.scaled_dot_product_attention(query, keys, values, mask, scale=self._scale)
        return seen.transpose(1, 2).flatten(2)

    def _heads_of(self, hidden: Tensor) -> Tensor:
        return hidden.view(*hidden.shape[:2], self.heads, -1)

    def _split(self, hidden: Tensor) -> Tensor:
        return self._heads_of(hidden).transpose(1, 2)

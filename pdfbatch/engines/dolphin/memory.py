"""Plan batch sizes that fit into the device's memory: rows of the decoder, pictures per encoder batch. Pure."""

from __future__ import annotations

from typing import NamedTuple

FIRST_LENGTH = 256
MOST_ROWS = 64
"""With more, the cross-attention's keys (32 MB a row in fp16 for Dolphin 1.5) cost more than a larger batch saves."""
MOST_PICTURES = 16
ENCODER_COPIES = 17.5
"""The encoder's peak activations, in copies of its first stage's output (side/4 x side/4 x embed_dim). Counted: 17.4
for one picture, 17.0 each for 15, so 3 % too many for a whole batch."""
RESERVE = 0.08
"""Share of the free memory left to fragments of the allocator and to the libraries' workspaces."""


class Shape(NamedTuple):
    """Bytes: one row's cross-attention cache, one token of a row's self-attention cache, one picture in the encoder."""

    picture_row: int
    row_token: int
    encoding: int


class BatchPlan(NamedTuple):
    """`budget` is the bytes for all rows together; `pictures` is the encoder's batch size."""

    shape: Shape
    budget: int
    rows: int
    pictures: int

    def rows_at(self, length: int) -> int:
        """How many rows of `length` tokens fit; at least 1, which is always tried."""
        return max(1, min(self.rows, self.budget // (self.shape.picture_row + length * self.shape.row_token)))

    def halved(self) -> BatchPlan:
        """The next smaller plan, after the device ran out of memory. At one row the budget stays: the last row is tried
        whatever the budget, and a tiny budget would take many doublings to recover."""
        budget = self.budget // 2 if self.rows > 1 else self.budget
        return self._replace(rows=max(1, self.rows // 2), budget=budget, pictures=max(1, self.pictures // 2))

    def doubled(self, most: BatchPlan) -> BatchPlan:
        """The next larger plan, up to `most`."""
        return self._replace(
            rows=min(most.rows, self.rows * 2),
            budget=min(most.budget, max(1, self.budget) * 2),
            pictures=min(most.pictures, self.pictures * 2),
        )


def shape_of(layers: int, width: int, picture_tokens: int, side: int, embed_dim: int, item_bytes: int) -> Shape:
    """The memory use of a decoder of `layers` x `width` and an encoder of `side` pixels; `item_bytes`: 2 in fp16,
    4 in fp32."""
    row_token = 2 * layers * width * item_bytes
    encoding = int((side // 4) ** 2 * embed_dim * item_bytes * ENCODER_COPIES)
    return Shape(picture_tokens * row_token, row_token, encoding)


def plan(shape: Shape, free: int, most_rows: int = MOST_ROWS, most_pictures: int = MOST_PICTURES) -> BatchPlan:
    """Splits `free` bytes, less a reserve: the encoder's batch gets at most a quarter, the rows get the rest."""
    usable = int(free * (1 - RESERVE))
    pictures = max(1, min(most_pictures, usable // 4 // shape.encoding))
    budget = max(0, usable - pictures * shape.encoding)
    rows = max(1, min(most_rows, budget // (shape.picture_row + FIRST_LENGTH * shape.row_token)))
    return BatchPlan(shape, budget, rows, pictures)


def grown(length: int, wanted: int, most: int) -> int:
    """The cache's next length: doubled until it is at least `wanted`, up to `most`."""
    while length < wanted:
        length *= 2
    return min(length, most)

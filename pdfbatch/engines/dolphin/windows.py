"""Where the tokens of a Swin stage lie if ordered by the windows in which they attend. Pure index arithmetic.

A stage's tokens form a grid, padded at its bottom and right to whole windows of side x side. A position is
y * padded width + x. In every other block the grid is rolled by half a window towards its top left corner; the windows
at its bottom and right edge then hold tokens from opposite sides of the picture, which must not attend to one another.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int32]
Marks = npt.NDArray[np.bool_]


class Grid(NamedTuple):
    """`height` x `width` tokens in windows of `window` x `window`."""

    height: int
    width: int
    window: int

    @property
    def windows(self) -> tuple[int, int]:
        """How many lie below one another, and side by side, the padding included."""
        return -(-self.height // self.window), -(-self.width // self.window)

    @property
    def padded(self) -> tuple[int, int]:
        down, across = self.windows
        return down * self.window, across * self.window

    @property
    def merged(self) -> Grid:
        """The next stage's grid: four neighbours become one token."""
        return Grid((self.height + 1) // 2, (self.width + 1) // 2, self.window)


class Order(NamedTuple):
    """Tokens of a grid, window by window. `positions` is windows x tokens of a window. `counts`: how many windows lie
    inside, at the right edge, at the bottom edge and in the corner of the rolled grid, in which order they are sorted;
    without a roll all of them count as inside."""

    grid: Grid
    positions: Indices
    counts: tuple[int, int, int, int]

    @property
    def padding(self) -> Marks:
        """Which tokens are padding, shaped as `positions`."""
        y, x = np.divmod(self.positions, self.grid.padded[1])
        return (y >= self.grid.height) | (x >= self.grid.width)

    def moved_to(self, target: Order) -> Indices:
        """For each token of another order of the same grid, its index in this one."""
        return self._places[target.positions]

    def merged_to(self, target: Order) -> tuple[Indices, Marks]:
        """For each token of the next stage its four neighbours' indices in this order, in the order of transformers'
        patch merging, and which of them lie outside of the grid; both windows x (tokens x 4)."""
        y, x = np.divmod(target.positions[..., None], target.grid.padded[1])
        y, x = 2 * y + np.array([0, 1, 0, 1]), 2 * x + np.array([0, 0, 1, 1])
        outside = (y >= self.grid.height) | (x >= self.grid.width)
        positions = np.where(outside, 0, y * self.grid.padded[1] + x)
        shape = (len(target.positions), -1)
        return self._places[positions].reshape(shape), outside.reshape(shape)

    def in_reading_order(self) -> Indices:
        """The indices of all tokens but the padding, row by row; 1 x (height x width)."""
        positions = np.arange(np.prod(self.grid.padded)).reshape(self.grid.padded)
        return self._places[positions[: self.grid.height, : self.grid.width]].reshape(1, -1)

    @property
    def _places(self) -> Indices:
        """By position: its index in this order."""
        places = np.empty(self.positions.size, np.int32)
        places[self.positions.ravel()] = np.arange(self.positions.size, dtype=np.int32)
        return places


def order(grid: Grid, shift: int = 0) -> Order:
    """The windows of a grid that is rolled by `shift`."""
    (height, width), (down, across), side = grid.padded, grid.windows, grid.window
    rolled = np.arange(height * width, dtype=np.int32).reshape(height, width)
    rolled = np.roll(rolled, (-shift, -shift), (0, 1))
    positions = rolled.reshape(down, side, across, side).swapaxes(1, 2).reshape(down * across, side * side)
    if not shift:
        return Order(grid, positions, (len(positions), 0, 0, 0))
    kinds = (2 * (np.arange(down) == down - 1)[:, None] + (np.arange(across) == across - 1)).ravel()
    inside, right, bottom, corner = np.bincount(kinds, minlength=4).tolist()
    return Order(grid, positions[np.argsort(kinds, kind="stable")], (inside, right, bottom, corner))


def separated(window: int, shift: int) -> Marks:
    """Which pairs of tokens must not attend to one another: 4 kinds of windows as in `Order.counts` x n x n."""
    wrapped = np.arange(window) >= window - shift
    below, beside = np.meshgrid(wrapped, wrapped, indexing="ij")
    sides = np.stack([0 * below, beside, 2 * below, 2 * below + beside]).reshape(4, -1)
    return np.asarray(sides[:, :, None] != sides[:, None])


def grids(config: Any, height: int, width: int) -> list[Grid]:
    """The tokens of each stage of a Swin encoder, for a picture of `height` x `width` pixels."""
    patch = config.patch_size
    high, broad = (patch, patch) if isinstance(patch, int) else patch
    found = [Grid(-(-height // high), -(-width // broad), config.window_size)]
    while len(found) < len(config.depths):
        found.append(found[-1].merged)
    return found

"""Matrices made of one block, repeated: where the blocks stand, and how the one that they all are is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
from torch import Tensor

from scanwise._checks import per_axis
from scanwise.errors import ArgumentError
from scanwise.geometry import output_size

Sizes = tuple[int, ...]

LAYOUTS = ("channels_first", "channels_last")

_CHECK = "Check the window, kernels, strides, widths and layout; scan_mlp takes any matrix."


@dataclass(frozen=True)
class Grid:
    """How a layer's units, `channels` at each position of `space`, were flattened to a vector."""

    space: Sizes
    channels: int
    layout: str

    @property
    def size(self) -> int:
        """The vector's length."""
        return prod(self.space) * self.channels

    def unflatten(self, values: Tensor) -> Tensor:
        """Return `values` with the last axis, the vector's, split into ``(channels, *space)``."""
        batch = values.shape[:-1]
        if self.layout == "channels_first":
            return values.reshape(*batch, self.channels, *self.space)
        return values.reshape(*batch, *self.space, self.channels).movedim(-1, len(batch))

    def index(self, channel: int, position: Sequence[int]) -> int:
        """Return where in the vector the unit of one channel and position stands."""
        place = int(np.ravel_multi_index(tuple(position), self.space))
        if self.layout == "channels_first":
            return channel * prod(self.space) + place
        return place * self.channels + channel

    def __str__(self) -> str:
        return f"positions x channels = {' x '.join(map(str, (*self.space, self.channels)))}"


@dataclass(frozen=True)
class Blocks:
    """Where a matrix has its blocks; its rows are the units `above`, its columns those `below`.

    The block of position ``u`` above joins all channels of ``u`` to all channels of the positions
    ``[u * stride, u * stride + kernel)`` below.
    """

    below: Grid
    above: Grid
    kernel: Sizes
    stride: Sizes

    @property
    def of_biases(self) -> Blocks:
        """The same for biases, the weights that all units above give to one constant below."""
        ones = (1,) * len(self.kernel)
        return Blocks(Grid(ones, 1, self.below.layout), self.above, kernel=ones, stride=(0,) * len(ones))

    def read(self, name: str, matrix: Tensor) -> Tensor:
        """Return the block that `matrix` repeats, as the weights ``(outputs, inputs, *kernel)`` of a convolution.

        Raises
        ------
        ArgumentError
            If a weight outside the blocks is used, or one in a block is not finite or not the first block's.
        """
        grid = self.above.unflatten(self.below.unflatten(matrix).movedim(0, -1))
        first: Tensor | None = None
        for position in product(*map(range, self.above.space)):
            where: tuple[Any, ...] = (..., *position)
            reads = grid[where].movedim(-1, 0)  # (outputs, inputs, *below)
            start = tuple(u * s for u, s in zip(position, self.stride, strict=True))
            taps: tuple[Any, ...] = (..., *(slice(a, a + k) for a, k in zip(start, self.kernel, strict=True)))
            block, rest = reads[taps], reads.nan_to_num(nan=0.0)
            rest[taps] = 0
            first = block if first is None else first
            if unit := _first(rest != 0):
                found = f"{self._entry(matrix, position, unit)}, outside block {_text(position)}"
                raise ArgumentError(f"{name} must be zero or NaN outside its blocks; got {found}. {_CHECK}")
            if tap := _first(~block.isfinite()):
                found = self._tap(matrix, position, tap)
                raise ArgumentError(f"{name} must be finite; got {found}. Only what no block covers may be NaN.")
            if tap := _first(block != first):
                found = " and ".join(self._tap(matrix, u, tap) for u in (position, (0,) * len(position)))
                raise ArgumentError(f"{name} must repeat one block at all positions; got {found}. {_CHECK}")
        assert first is not None, "a grid has at least one position"
        return first

    def _tap(self, matrix: Tensor, position: Sizes, tap: Sizes) -> str:
        """Say what `matrix` has in the block of `position` at ``(output, input, *offset)``."""
        below = (u * s + offset for u, s, offset in zip(position, self.stride, tap[2:], strict=True))
        block = f" (block {_text(position)})" if prod(self.above.space) > 1 else ""
        return self._entry(matrix, position, (*tap[:2], *below)) + block

    def _entry(self, matrix: Tensor, position: Sizes, unit: Sizes) -> str:
        """Say what `matrix` has at ``(output, input, *below)`` of `position`, and where that is stored."""
        row, column = self.above.index(unit[0], position), self.below.index(unit[1], unit[2:])
        return f"{matrix[row, column].item()} at row {row}, column {column}"


def plan_blocks(below: Grid, kernels: Sequence[Any], strides: Sequence[Any], widths: Sequence[int]) -> list[Blocks]:
    """Return where the matrix of each layer has its blocks, from the window `below` the first one upwards."""
    plan: list[Blocks] = []
    for i, width in enumerate(widths):
        kernel = per_axis(f"kernels[{i}]", kernels[i], len(below.space))
        stride = per_axis(f"strides[{i}]", strides[i], len(below.space))
        if any(n < k or (n - k) % s for n, k, s in zip(below.space, kernel, stride, strict=True)):
            raise ArgumentError(
                f"kernels[{i}] must end with the last of {' x '.join(map(str, below.space))} positions, in steps of "
                f"strides[{i}]; got kernel {_text(kernel)} and stride {_text(stride)}. Change them, or the window."
            )
        above = Grid(tuple(map(output_size, below.space, kernel, stride)), width, below.layout)
        plan.append(Blocks(below, above, kernel, stride))
        below = above
    return plan


def _first(wrong: Tensor) -> Sizes | None:
    """Return the index of the first true entry, None if there is none."""
    return tuple(wrong.nonzero()[0].tolist()) if wrong.any() else None


def _text(position: Sizes) -> str:
    return str(position[0] if len(position) == 1 else position)

"""Where patches are cut and put back: some windows in the order that copying likes, and buffers for one piece."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from scanwise.nn._local_plan import Layout, Piece

_MOST_OUTSIDE = 8
"""The largest batch with the batch outermost. Innermost, it makes long runs, which are copied fast; but with few
columns, products of matrices are up to three times slower where the numbers of a row of the patches lie apart."""

_SHORT = 4
"""Up to this width of the kernel, copying tap by tap is faster than in runs along the kernel (batch outermost)."""


def seen(padded: Tensor, layout: Layout) -> Tensor:
    """Return what positions see of ``(channels, height, width, batch)``.

    A view ``(rows, columns, groups, channels / groups, *kernel, batch)``.
    """
    (down, right), (high, wide), (far, apart) = layout.stride, layout.kernel, layout.dilation
    cut = padded.unfold(1, (high - 1) * far + 1, down).unfold(2, (wide - 1) * apart + 1, right)[..., ::far, ::apart]
    return cut.view(layout.groups, layout.channels // layout.groups, *cut.shape[1:]).permute(2, 3, 0, 1, 5, 6, 4)


class Bench:
    """Some windows of the input, padded, and buffers that are used again for each piece of the positions."""

    def __init__(self, x: Tensor, layout: Layout, largest: Piece) -> None:
        self._layout, self._batch = layout, len(x)
        self._inside = len(x) > _MOST_OUTSIDE
        count = largest.extent[0] * largest.extent[1] * len(x)
        self._patches = x.new_empty(count * layout.groups * layout.inputs)
        self._outputs = x.new_empty(count * layout.outputs)
        self._input = self._zeros()
        self._real(self._input).copy_(x.permute(1, 2, 3, 0))
        self._seen = seen(self._input, layout)

    @cached_property
    def _spread(self) -> Tensor:
        return self._zeros()

    def _zeros(self) -> Tensor:
        """Return zeros for padded ``(channels, height, width, batch)``."""
        pairs = zip(self._layout.size, self._layout.padding, strict=True)
        shape = (self._layout.channels, *(n + 2 * p for n, p in pairs))
        if self._inside:
            return self._patches.new_zeros(*shape, self._batch)
        return self._patches.new_zeros(self._batch, *shape).permute(1, 2, 3, 0)

    def _real(self, padded: Tensor) -> Tensor:
        """Return the view without the padding."""
        (top, left), (height, width) = self._layout.padding, self._layout.size
        return padded[:, top : top + height, left : left + width]

    def _buffer(self, piece: Piece) -> tuple[Tensor, Tensor]:
        """Return a piece's buffer of patches, ordered as `seen` and as matrices ``(n, inputs, batch)``."""
        layout, (rows, columns) = self._layout, piece.extent
        count = rows * columns * layout.groups
        flat = self._patches[: count * layout.inputs * self._batch]
        channels = layout.channels // layout.groups
        if self._inside:
            shaped = flat.view(rows, columns, layout.groups, channels, *layout.kernel, self._batch)
            return shaped, flat.view(count, layout.inputs, self._batch)
        shaped = flat.view(rows, columns, layout.groups, self._batch, channels, *layout.kernel)
        return shaped.permute(0, 1, 2, 4, 5, 6, 3), flat.view(count, self._batch, layout.inputs).mT

    def matrices(self, weight: Tensor, piece: Piece) -> Tensor:
        """Return a piece of the weight as ``(n, outputs / groups, inputs)``."""
        layout = self._layout
        return weight[piece.rows, piece.columns].reshape(-1, layout.outputs // layout.groups, layout.inputs)

    def outputs(self, piece: Piece) -> tuple[Tensor, Tensor]:
        """Return a piece's outputs, as ``(batch, outputs, rows, columns)`` and as ``(n, outputs / groups, batch)``."""
        layout, (rows, columns) = self._layout, piece.extent
        flat = self._outputs[: rows * columns * layout.outputs * self._batch]
        shaped = flat.view(rows, columns, layout.outputs, self._batch).permute(3, 2, 0, 1)
        return shaped, flat.view(rows * columns * layout.groups, layout.outputs // layout.groups, self._batch)

    def read(self, piece: Piece) -> Tensor:
        """Copy a piece's patches and return them as matrices ``(n, inputs, batch)``; the next call takes them back."""
        shaped, matrices = self._buffer(piece)
        source = self._seen[piece.rows, piece.columns]
        if self._inside or self._layout.kernel[1] > _SHORT:
            shaped.copy_(source)
        else:
            for u in range(self._layout.kernel[0]):
                for v in range(self._layout.kernel[1]):
                    shaped[..., u, v, :].copy_(source[..., u, v, :])
        return matrices

    def spread(self, piece: Piece, weight: Tensor, grads: Tensor) -> None:
        """Add the gradients of a piece's patches to those of the input, tap by tap, always in the same order."""
        shaped, matrices = self._buffer(piece)
        if self._inside:
            torch.bmm(weight.mT, grads, out=matrices)
        else:
            torch.bmm(grads.mT, weight, out=matrices.mT)
        target = seen(self._spread, self._layout)[piece.rows, piece.columns]
        for u in range(self._layout.kernel[0]):
            for v in range(self._layout.kernel[1]):
                target[..., u, v, :].add_(shaped[..., u, v, :])

    def spread_so_far(self) -> Tensor:
        """Return what was spread, ``(batch, channels, height, width)``."""
        return self._real(self._spread).permute(3, 0, 1, 2)

"""The matrix of a layer, to look at."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from scanwise.errors import ArgumentError
from scanwise.tying._layers import EdgeLayer, Grid
from scanwise.tying._linear import on_grids
from scanwise.tying._tie_map import ONE, TieMap

__all__ = ["BlockMatrix", "block_matrix"]

_LETTERS = string.ascii_letters
_MOST_PRINTED = 120


@dataclass(frozen=True, eq=False)
class BlockMatrix:
    """A layer's weight matrix in blocks: one row of blocks per output position, one column per input position.

    ``print`` it for a drawing: a letter per shared parameter, ``.`` where there is no edge, ``#`` for a fixed weight.

    Attributes
    ----------
    matrix : scipy.sparse.csr_array
        ``(outputs, inputs)`` without the biases; units in the order of positions, then channels. Entries are 1 + the
        number of the parameter, below 0 for a constant; or the weights themselves.
    block : (int, int)
        ``(output channels, input channels)``.
    positions : (int, int)
        ``(output positions, input positions)``.
    """

    matrix: sparse.csr_array
    block: tuple[int, int]
    positions: tuple[int, int]

    @property
    def blocks(self) -> np.ndarray:
        """Numbers ``(output positions, input positions)``: equal for equal blocks, 0 for no edges at all.

        Raises
        ------
        ArgumentError
            If there are more than 10 million places to look at.
        """
        rows, cols = self.positions
        if math.prod(self.matrix.shape) > 10**7:
            raise ArgumentError(
                f"matrix must have at most 10 million places to look at; got {self.matrix.shape}. Take a smaller input."
            )
        height, width = self.block
        full = self.matrix.toarray().reshape(rows, height, cols, width).swapaxes(1, 2).reshape(rows * cols, -1)
        distinct, number = np.unique(full, axis=0, return_inverse=True)
        empty = ~distinct.any(1)
        first = np.full(len(distinct), rows * cols)
        np.minimum.at(first, number, np.arange(rows * cols))
        order = np.argsort(np.where(empty, -1, first))
        rank = np.empty(len(distinct), np.int64)
        rank[order] = np.arange(len(distinct)) + (not empty.any())
        return rank[number].reshape(rows, cols)

    def __str__(self) -> str:
        rows, cols = self.matrix.shape
        if cols > _MOST_PRINTED or rows > _MOST_PRINTED:
            return f"{rows:,} x {cols:,} with {self.matrix.nnz:,} edges; too large to draw"
        full = self.matrix.toarray()
        if not np.issubdtype(full.dtype, np.integer):
            return str(full)
        lines = []
        for row in range(rows):
            marks = [_mark(int(value)) for value in full[row]]
            width = self.block[1]
            lines.append(" ".join("".join(marks[i : i + width]) for i in range(0, cols, width)))
            if (row + 1) % self.block[0] == 0 and self.block[0] > 1 and row + 1 < rows:
                lines.append("")
        return "\n".join(lines)


def _mark(value: int) -> str:
    if value == 0:
        return "."
    return "#" if value < 0 else _LETTERS[(value - 1) % len(_LETTERS)]


def block_matrix(
    layer: TieMap | EdgeLayer,
    in_grid: Sequence[int] | None = None,
    out_grid: Sequence[int] | None = None,
    weights: Sequence[float] | np.ndarray | None = None,
) -> BlockMatrix:
    """Return the matrix of a layer of edges in blocks, to look at.

    A perceptron's is full, every block another. A scan's is sparse: the same blocks in every row, moved by the stride.

    Parameters
    ----------
    layer : TieMap or EdgeLayer
        The edges. A network's are its `edge_layers`, one by one.
    in_grid, out_grid : sequence of int, optional
        ``(channels, *space)``. By default the layer's own, or one channel along one axis.
    weights : sequence of float, optional
        A weight for each edge, in place of the number of its parameter.

    Returns
    -------
    BlockMatrix

    Raises
    ------
    ArgumentError
        If a grid or the weights do not fit the map.

    Examples
    --------
    >>> from torch import nn
    >>> print(block_matrix(TieMap.of(nn.Conv1d(1, 1, 3, stride=2, bias=False), (1, 7))))
    a b c . . . .
    . . a b c . .
    . . . . a b c
    """
    layer = on_grids("layer", layer, in_grid, out_grid)
    ties, grids = layer.ties, (layer.out_grid, layer.in_grid)
    values = np.where(ties.params < 0, ties.params, ties.params + 1) if weights is None else np.asarray(weights)
    if values.shape != (ties.edges,):
        raise ArgumentError(f"weights must be one per edge, {ties.edges}; got {values.shape}. See edge_weights.")
    kept = ties.cols != ONE
    rows, cols = (_by_position(grid)[unit] for grid, unit in zip(grids, (ties.rows, ties.cols), strict=True))
    matrix = sparse.coo_array((values[kept], (rows[kept], cols[kept])), shape=ties.shape).tocsr()
    channels = grids[0][0], grids[1][0]
    return BlockMatrix(matrix, channels, (ties.shape[0] // channels[0], ties.shape[1] // channels[1]))


def _by_position(grid: Grid) -> np.ndarray:
    """Return where each unit ``(channel, *position)`` stands when positions come first."""
    channels, places = grid[0], math.prod(grid[1:])
    return np.arange(channels * places).reshape(places, channels).T.ravel()

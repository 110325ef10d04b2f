"""Structure in a tie map: found by looking at a few rows, proven by comparing every edge."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scanwise.errors import ArgumentError
from scanwise.tying._arrays import chunks, frozen
from scanwise.tying._guess import stencils_like
from scanwise.tying._layers import Grid, grid_of
from scanwise.tying._stencil import Stencil
from scanwise.tying._tie_map import ONE, TieMap

__all__ = ["UNUSED", "Block", "Certificate", "checked_grid", "recognise"]

UNUSED = np.iinfo(np.int64).min
"""In `Certificate.index`, a filter element that meets nothing but padding."""


_NEAR = 4
"""A map is near a structure if at most one in so many edges keeps it from being that."""

_NO_EDGES = frozen(np.zeros((0, 2), np.int64))


@dataclass(frozen=True)
class Block:
    """One matrix, repeated: ``I (x) A``. Copy ``b`` joins inputs ``b*inputs...`` to outputs ``b*outputs...``.

    Its elements are numbered row by row, then the biases.
    """

    copies: int
    outputs: int
    inputs: int
    bias: bool

    @property
    def shape(self) -> tuple[int, int]:
        """``(outputs, inputs)`` of the whole layer."""
        return self.copies * self.outputs, self.copies * self.inputs

    @property
    def weights(self) -> int:
        """Matrix elements."""
        return self.outputs * self.inputs

    @property
    def elements(self) -> int:
        """Matrix elements and biases."""
        return self.weights + self.bias * self.outputs

    @property
    def count(self) -> int:
        """Edges."""
        return self.copies * self.elements

    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return ``indptr``, columns and elements of all edges, by row, then column."""
        width = self.inputs + self.bias
        cols = np.full((self.copies, self.outputs, width), ONE, np.int64)
        cols[..., self.bias :] = np.arange(self.copies * self.inputs).reshape(self.copies, 1, self.inputs)
        elements = np.empty((self.outputs, width), np.int64)
        elements[:, self.bias :] = np.arange(self.outputs * self.inputs).reshape(self.outputs, self.inputs)
        if self.bias:
            elements[:, 0] = self.outputs * self.inputs + np.arange(self.outputs)
        indptr = np.arange(self.copies * self.outputs + 1) * width
        return indptr, cols.ravel(), np.tile(elements.ravel(), self.copies)


@dataclass(frozen=True, eq=False)
class Certificate:
    """What a tie map was found to be, proven edge by edge.

    ``print`` it for a summary.

    Attributes
    ----------
    kind
        ``"dense"``: every input to every output, every weight its own. ``"unshared"``: every weight its own.
        ``"convolution"``: one filter bank everywhere. ``"tiled"``: filter banks that alternate with a period.
        ``"repeated block"``: ``I (x) A``, one matrix for each part of the input. ``"generic"``: none of these.
    in_grid, out_grid
        ``(channels, *space)``, the grids it was looked at on.
    structure
        The windows that move over the grid, or the repeated block; None if there is neither.
    index
        For each element of the structure's filters or matrix (its biases last), the parameter that it is: ``-1 - k``
        for constant ``k``, `UNUSED` if no edge uses it. Two elements of a convolution may be one parameter (a symmetric
        filter, say), if each has two edges or more on average.
    residual
        Edges ``(row, column)`` that keep a generic map from being `nearest`: missing, added, or with a parameter that
        is not the one that the other edges of their filter element have. Empty for every other kind.
    nearest
        For a generic map, the kind that it would be without its residual; None if there is none.
    """

    kind: str
    in_grid: Grid
    out_grid: Grid
    structure: Stencil | Block | None
    index: np.ndarray
    residual: np.ndarray
    nearest: str | None = None

    @property
    def stencil(self) -> Stencil | None:
        """The windows that move over the grid, if that is the structure."""
        return self.structure if isinstance(self.structure, Stencil) else None

    def __str__(self) -> str:
        lines = [f"{self.kind}: {_grid(self.in_grid)} to {_grid(self.out_grid)}"]
        if isinstance(self.structure, Block):
            block = self.structure
            lines.append(f"{block.copies} times a matrix of {block.outputs} x {block.inputs}")
        elif self.structure is not None and self.structure.axes:
            names = ("kernel", "stride", "dilation", "before", "after", "period", "circular")
            for name in names:
                values = [getattr(axis, name) for axis in self.structure.axes]
                label = {"before": "padding before", "after": "padding after"}.get(name, name)
                lines.append(
                    f"{label}: {' x '.join('yes' if v is True else 'no' if v is False else str(v) for v in values)}"
                )
            lines.append(f"groups: {self.structure.groups}")
        if self.structure is not None:
            lines.append(f"bias: {'yes' if self.structure.bias else 'no'}")
        if self.kind == "generic":
            edges = ", ".join(f"({row}, {col})" for row, col in self.residual[:5].tolist())
            more = ", ..." if len(self.residual) > 5 else ""
            lines.append(
                "nothing like it is known"
                if self.nearest is None
                else f"{self.nearest}, but for {len(self.residual):,} edges (row, column): {edges}{more}"
            )
        return "\n".join(lines)


def recognise(ties: TieMap, in_grid: Sequence[int] | None = None, out_grid: Sequence[int] | None = None) -> Certificate:
    """Find out what a tie map is.

    A few rows suggest what the layer might be; then all edges of that layer are listed and compared with those of the
    map, as integers. So there are no false positives: a certificate other than ``"generic"`` is a proof. How the
    parameters are numbered does not matter.

    Parameters
    ----------
    ties : TieMap
        The map.
    in_grid, out_grid : sequence of int, optional
        How the flat inputs and outputs are read, ``(channels, *space)``. By default one channel along one axis.

    Returns
    -------
    Certificate

    Raises
    ------
    ArgumentError
        If a grid does not have as many places as the map has inputs or outputs.

    Examples
    --------
    >>> from torch import nn
    >>> layer = nn.Conv1d(2, 3, kernel_size=5, stride=2, padding=1, bias=False)
    >>> print(recognise(TieMap.of(layer, (2, 20)), in_grid=(2, 20), out_grid=(3, 9)))
    convolution: 2 x 20 to 3 x 9
    kernel: 5
    stride: 2
    dilation: 1
    padding before: 1
    padding after: 0
    period: 1
    circular: no
    groups: 1
    bias: no
    """
    grids = checked_grid("in_grid", in_grid, ties.shape[1]), checked_grid("out_grid", out_grid, ties.shape[0])
    found: list[Certificate] = []
    failed: list[tuple[str, Stencil | Block, bool]] = []
    own = ties.parameters == ties.edges
    for kind, structure in _candidates(ties, *grids, own=own):
        explains = kind == "convolution" and 2 * structure.elements <= ties.edges  # else there is too little to share
        index = _proof(ties, structure, injective=not explains)
        if index is None:
            failed.append((kind, structure, not explains))
            continue
        certificate = Certificate(kind, *grids, structure, frozen(index), _NO_EDGES)
        learning = index[index >= 0]
        if kind == "dense" or (not own and (kind != "convolution" or len(np.unique(learning)) == len(learning))):
            return certificate
        found.append(certificate)  # another structure may say the same in fewer words, or without ties in its filters
    if found:
        return min(found, key=lambda certificate: certificate.index.size)
    nothing = np.zeros(0, np.int64)
    if own and ties.edges:
        return Certificate("unshared", *grids, None, nothing, _NO_EDGES)
    nearest, residual = _nearest(ties, failed)
    return Certificate("generic", *grids, None, nothing, frozen(residual), nearest)


def checked_grid(name: str, grid: Sequence[int] | None, places: int) -> Grid:
    """Return a grid with as many places as there are units; by default one channel along one axis."""
    if grid is None:
        return 1, places
    checked = grid_of(name, grid)
    if math.prod(checked) != places:
        raise ArgumentError(f"{name} must have {places} places, those of the map; got {checked}. See its shape.")
    return checked


def _candidates(ties: TieMap, in_grid: Grid, out_grid: Grid, *, own: bool) -> Iterator[tuple[str, Stencil | Block]]:
    """Yield what the map might be, the simplest first."""
    outputs, inputs = ties.shape
    weights = ties.edges - int((ties.cols == ONE).sum())
    if weights * 10 >= outputs * inputs * 9 and ties.parameters * 10 >= ties.edges * 9:
        yield "dense", Stencil(inputs, outputs, (), bias=weights < ties.edges)
    tiled = []
    for stencil in stencils_like(ties, in_grid, out_grid):
        if all(period == 1 for period in stencil.phases):
            yield "convolution", stencil
        elif all(axis.period == axis.outputs for axis in stencil.axes):
            yield "unshared", stencil
        else:
            tiled.append(stencil)
    if not own:
        yield from _blocks(ties)
    for stencil in tiled:
        yield "tiled", stencil


def _blocks(ties: TieMap) -> Iterator[tuple[str, Block]]:
    """Yield the repeated block that the most common row suggests."""
    outputs, inputs = ties.shape
    lengths = np.diff(ties.indptr)
    if not ties.edges:
        return
    bias = 2 * int((ties.cols == ONE).sum()) > outputs
    width = int(np.bincount(lengths).argmax()) - bias
    if width > 0 and inputs % width == 0 and outputs % (copies := inputs // width) == 0 and copies > 1:
        yield "repeated block", Block(copies, outputs // copies, width, bias)


def _proof(ties: TieMap, structure: Stencil | Block, *, injective: bool) -> np.ndarray | None:
    """Return the parameter of every element of a structure, if the map is it.

    The map is the structure if both have the same edges, and the parameter of an edge depends on its element alone.
    With `injective`, different elements must also have different parameters, unless they are constants.
    """
    if structure.count != ties.edges:
        return None
    indptr, cols, elements = structure.edges()
    if not (np.array_equal(indptr, ties.indptr) and np.array_equal(cols, ties.cols)):
        return None
    index = np.full(structure.elements, UNUSED, np.int64)
    for part in chunks(len(elements)):
        index[elements[part]] = ties.params[part]
    fits = all(np.array_equal(index[elements[part]], ties.params[part]) for part in chunks(len(elements)))
    learning = np.sort(index[index >= 0])
    return index if fits and not (injective and (learning[1:] == learning[:-1]).any()) else None


def _nearest(ties: TieMap, failed: list[tuple[str, Stencil | Block, bool]]) -> tuple[str | None, np.ndarray]:
    """Return the kind that a map nearly is, of the likeliest of those it is not, and the edges that do not fit it."""
    seen: set[str] = set()
    for kind, structure, injective in failed:
        if kind in seen or abs(structure.count - ties.edges) * _NEAR > ties.edges:
            continue
        seen.add(kind)
        residual = _misfits(ties, structure, injective=injective)
        if len(residual) * _NEAR <= ties.edges:
            return kind, residual
    return None, np.stack([ties.rows, ties.cols], 1)


def _misfits(ties: TieMap, structure: Stencil | Block, *, injective: bool) -> np.ndarray:
    """Return the edges that do not fit: only in one of both, or not with the parameter of most of their element."""
    indptr, cols, elements = structure.edges()
    width = ties.shape[1] - ONE
    wanted = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)) * width + cols - ONE
    given = ties.rows * np.int64(width) + ties.cols - ONE
    at = np.minimum(np.searchsorted(wanted, given), len(wanted) - 1)  # both ascend
    both = wanted[at] == given
    at_wanted = at[both]
    missing = np.ones(len(wanted), bool)
    missing[at_wanted] = False
    element, param = elements[at_wanted].astype(np.int64), ties.params[both].astype(np.int64)
    fits = _main_partner(element, param) == param
    if injective:
        fits &= (_main_partner(param, element) == element) | (param < 0)
    misfits = np.sort(np.concatenate([wanted[missing], given[~both], given[both][~fits]]))
    return np.stack([misfits // width, misfits % width + ONE], 1)


def _main_partner(of: np.ndarray, partner: np.ndarray) -> np.ndarray:
    """Return, for every entry, the partner that most entries with the same ``of`` have; the lowest in a draw."""
    if not len(of):
        return partner
    least, width = int(partner.min()), int(partner.max()) - int(partner.min()) + 1
    lowest = int(of.min())
    together = (of - lowest) * width + partner - least
    if int(together.max()) <= 4 * len(of):
        counts = np.bincount(together)
        pairs = np.flatnonzero(counts)
        counts = counts[pairs]
    else:
        pairs, counts = np.unique(together, return_counts=True)
    owner, partners = np.divmod(pairs, width)
    ranked = np.lexsort((-partners, counts))  # of several assignments the last one stays
    table = np.zeros(int(owner[-1]) + 1, np.int64)
    table[owner[ranked]] = partners[ranked] + least
    main: np.ndarray = table[of - lowest]
    return main


def _grid(grid: Grid) -> str:
    return " x ".join(map(str, grid))

"""Which kernel runs a tie map, and why: a rule on the map alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from scanwise._checks import choice
from scanwise.geometry import output_size
from scanwise.tying._edge_kernels import EdgeKernel, FullMatrix, GreatestEdge
from scanwise.tying._guess import stencils_like
from scanwise.tying._layers import EdgeLayer, edges_of
from scanwise.tying._recognise import Block, Certificate, recognise
from scanwise.tying._stencil import Stencil
from scanwise.tying._structured_kernels import Convolution, Local, Matrix, PoolKernel, Tiled
from scanwise.tying._tie_map import ONE

__all__ = ["KERNELS", "Lowered", "lower", "pool_like"]

KERNELS = ("auto", "sparse", "dense")
"""What ``kernel=`` accepts."""

DENSE_FROM = 0.25
"""Share of the full matrix from which it is used as such. `python -m benchmarks.tying rule` measures it."""

SMALL = 4096
"""Places of a matrix up to which it is used as such: then calls cost more than zeros."""


@dataclass(frozen=True)
class Lowered:
    """A kernel, what it rests on, and why it was taken."""

    kernel: nn.Module
    certificate: Certificate | None
    why: str


def lower(layer: EdgeLayer, kernel: str = "auto") -> Lowered:
    """Return the kernel for a layer of edges.

    Parameters
    ----------
    layer : EdgeLayer
        The edges and their grids.
    kernel : {"auto", "sparse", "dense"}
        ``"sparse"`` and ``"dense"`` ask for no structure: edge by edge, or the full matrix.

    Raises
    ------
    ArgumentError
        If the kernel is unknown.
    """
    ties = layer.ties
    choice("kernel", kernel, KERNELS)
    if kernel == "auto" and ties.parameters == 0 and (pool := pool_like(layer)) is not None:
        return Lowered(PoolKernel(pool, layer.in_grid), None, "the edges are those of a pooling layer")
    if layer.maximum:
        return Lowered(GreatestEdge(ties), None, "the greatest of each output's edges")
    if kernel == "sparse":
        return Lowered(EdgeKernel(ties), None, "asked for")
    if kernel == "dense":
        return Lowered(FullMatrix(ties), None, "asked for")
    certificate = recognise(ties, layer.in_grid, layer.out_grid)
    structure = certificate.structure
    if certificate.kind == "dense":
        assert isinstance(structure, Stencil)
        block = Block(1, *ties.shape, structure.bias)
        return Lowered(Matrix(ties, block, certificate), certificate, "every input reaches every output")
    if isinstance(structure, Block):
        return Lowered(Matrix(ties, structure, certificate), certificate, "one matrix for each part of the input")
    if structure is not None and len(structure.axes) <= 3:
        kind = {"convolution": Convolution, "tiled": Tiled, "unshared": Local}[certificate.kind]
        if kind is not Local or (1 <= len(structure.axes) <= 2 and not any(axis.circular for axis in structure.axes)):
            why = {
                "convolution": "one filter bank everywhere",
                "tiled": "filter banks that alternate with a period",
                "unshared": "a filter bank for each position",
            }[certificate.kind]
            return Lowered(kind(ties, structure, certificate), certificate, why)
    return _generic(layer, certificate)


def _generic(layer: EdgeLayer, certificate: Certificate) -> Lowered:
    """Return the sparse or the full matrix, by how much of it there is."""
    ties = layer.ties
    places = ties.shape[0] * ties.shape[1]
    share = (ties.edges - int((ties.cols == ONE).sum())) / places
    if places <= SMALL:
        return Lowered(FullMatrix(ties), certificate, f"no structure, and only {places:,} places (up to {SMALL:,})")
    if share >= DENSE_FROM:
        why = f"no structure, and {share:.0%} of the matrix are edges ({DENSE_FROM:.0%} or more)"
        return Lowered(FullMatrix(ties), certificate, why)
    why = f"no structure, and {share:.2%} of the matrix are edges (less than {DENSE_FROM:.0%})"
    return Lowered(EdgeKernel(ties), certificate, why)


def pool_like(layer: EdgeLayer) -> nn.Module | None:
    """Return the pooling layer of torch's that has exactly these edges, if one has."""
    grid = layer.in_grid
    axes = len(grid) - 1
    if axes not in (1, 2) or layer.out_grid[0] != grid[0]:
        return None
    for stencil in stencils_like(layer.ties, grid, layer.out_grid):
        if stencil.groups != grid[0] or stencil.bias or any(axis.circular for axis in stencil.axes):
            continue
        for pool in _pools(stencil, layer.ties.constants, maximum=layer.maximum):
            if edges_of(pool, grid) == layer:
                return pool
    return None


def _pools(stencil: Stencil, constants: Sequence[float], *, maximum: bool) -> list[nn.Module]:
    """Return the layers that a stencil's edges might be, as far as torch has them."""
    pools: list[nn.Module] = []
    for ceil_mode, with_padding in itertools.product((False, True), (True, False)):
        sizes = {
            "kernel_size": [axis.kernel for axis in stencil.axes],
            "stride": [axis.stride for axis in stencil.axes],
            "padding": [axis.before for axis in stencil.axes],
        }
        fits = all(
            2 * axis.before <= axis.kernel
            and axis.before >= 0
            and output_size(axis.size, axis.kernel, axis.stride, axis.dilation, axis.before, ceil_mode) == axis.outputs
            for axis in stencil.axes
        )
        if not fits:
            continue
        one = len(stencil.axes) == 1
        if maximum:
            dilation = [axis.dilation for axis in stencil.axes]
            kind = nn.MaxPool1d if one else nn.MaxPool2d
            pools.append(kind(**sizes, dilation=dilation, ceil_mode=ceil_mode))  # type: ignore[arg-type]
        elif all(axis.dilation == 1 for axis in stencil.axes):
            average = nn.AvgPool1d if one else nn.AvgPool2d
            pools.append(average(**sizes, ceil_mode=ceil_mode, count_include_pad=with_padding))  # type: ignore[arg-type]
            if not one and len(constants) == 1 and (divisor := round(1 / constants[0])) > 0:
                pools.append(nn.AvgPool2d(**sizes, ceil_mode=ceil_mode, divisor_override=divisor))  # type: ignore[arg-type]
    return pools

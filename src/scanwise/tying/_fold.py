"""From a sparse perceptron with tied sets back to a network of torch's layers."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scanwise.errors import ArgumentError
from scanwise.nn import LocallyConnected1d, LocallyConnected2d
from scanwise.tying._expand import expand
from scanwise.tying._layers import EdgeLayer, Grid, grid_of
from scanwise.tying._lower import pool_like
from scanwise.tying._mlp import TiedMLP
from scanwise.tying._recognise import UNUSED, Block, Certificate, recognise
from scanwise.tying._stencil import Axis, Stencil
from scanwise.tying._structured_kernels import pads_of, symmetric

__all__ = ["fold"]


def fold(mlp: TiedMLP, grids: Sequence[Sequence[int]] | None = None) -> nn.Sequential:
    """Return the network of torch's layers that a sparse perceptron with tied sets is.

    Every layer of edges must be certified, with no edge left over. The result is canonical: a convolution as wide as
    its input and a linear layer are the same edges, and come back as a linear layer.

    Parameters
    ----------
    mlp : TiedMLP
        The network.
    grids : sequence of sequence of int, optional
        How the input and each layer's outputs are read, ``(channels, *space)``: one more than there are layers of
        edges. By default as `mlp` knows it, which it does if it was expanded.

    Returns
    -------
    torch.nn.Sequential
        On inputs of the first grid, with parameters of its own. ``certificates`` has the `Certificate` of each layer
        of edges, None for pools. ``expand(fold(mlp), first grid)`` equals `mlp`.

    Raises
    ------
    ArgumentError
        If a layer is not certified (the message has residual edges), torch has no such layer (tiled ones, filters whose
        elements are tied among themselves), or layers share a part of their parameters.

    Examples
    --------
    >>> from scanwise.tying import expand
    >>> net = nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), nn.Tanh(), nn.MaxPool1d(2))
    >>> fold(expand(net, (1, 6)))
    Sequential(
      (0): Conv1d(1, 2, kernel_size=(3,), stride=(1,), padding=(1,))
      (1): Tanh()
      (2): MaxPool1d(kernel_size=[2], stride=[2], padding=[0], dilation=[1], ceil_mode=False)
    )
    """
    layers = iter(zip(_on(mlp.edge_layers, grids), mlp.places, strict=True))
    first, *_ = _on(mlp.edge_layers, grids)
    folded = _Folded(first.in_grid, mlp.theta.detach())
    for layer in mlp.layers:
        if isinstance(layer, EdgeLayer):
            folded.add_edges(*next(layers))
        else:
            folded.modules.append(copy.deepcopy(layer))
    sequential = nn.Sequential(*folded.modules)
    _prove(sequential, first.in_grid, mlp)
    sequential.certificates = tuple(folded.certificates)  # type: ignore[assignment]
    return sequential


def _prove(folded: nn.Sequential, grid: Grid, mlp: TiedMLP) -> None:
    """Refuse a network that does not expand to what it was folded from: then torch has none that does."""
    try:
        same = expand(folded, grid).equals(mlp)
    except ArgumentError:
        same = False
    if not same:
        raise ArgumentError(
            "mlp must be a chain of torch's layers; got edges that these pad otherwise. Run it as it is."
        )


def _on(layers: Sequence[EdgeLayer], grids: Sequence[Sequence[int]] | None) -> list[EdgeLayer]:
    """Return the layers on the grids that were given, if any."""
    if grids is None:
        return list(layers)
    if len(grids) != len(layers) + 1:
        raise ArgumentError(
            f"grids must be {len(layers) + 1}, one more than layers; got {len(grids)}. Begin with the input's."
        )
    checked = [grid_of(f"grids[{i}]", grid) for i, grid in enumerate(grids)]
    return [
        replace(layer, in_grid=below, out_grid=above)
        for layer, (below, above) in zip(layers, pairwise(checked), strict=True)
    ]


class _Folded:
    """The modules so far, and the grid of what comes out of them."""

    def __init__(self, grid: Grid, theta: Tensor) -> None:
        self.grid, self.theta = grid, theta
        self.modules: list[nn.Module] = []
        self.certificates: list[Certificate | None] = []
        self._owners: dict[int, bytes] = {}
        self._weights: dict[bytes, nn.Parameter] = {}

    def add_edges(self, layer: EdgeLayer, places: np.ndarray) -> None:
        """Append the module that a layer of edges is."""
        number = len(self.certificates)
        if layer.ties.parameters == 0 or layer.maximum:
            pool = pool_like(layer)
            if pool is None:
                raise ArgumentError(f"layer {number} must be a pool of torch's; got other edges. Run it as it is.")
            self._reshape(layer.in_grid)
            self._append([pool], layer.out_grid)
            self.certificates.append(None)
            return
        certificate = recognise(layer.ties, layer.in_grid, layer.out_grid)
        index, structure = certificate.index, certificate.structure
        if structure is None or certificate.kind == "tiled":
            raise ArgumentError(_refusal(number, certificate))
        used = index[index != UNUSED]
        if (used < 0).any() or len(np.unique(used)) != len(used):
            raise ArgumentError(
                f"layer {number} must have filters whose elements are free; got a {certificate.kind} with elements "
                "that are fixed or tied among themselves. Use TiedLinear."
            )
        weight, bias = (
            None if part is None else self._parameter(number, part, places) for part in _parts(structure, index)
        )
        assert weight is not None
        if isinstance(structure, Block):
            self._reshape((structure.copies, structure.inputs))
            self._append([_linear(weight, bias)], (structure.copies, structure.outputs))
        elif certificate.kind == "dense":
            self._reshape((layer.ties.shape[1],))
            self._append([_linear(weight, bias)], (layer.ties.shape[0],))
        elif len(structure.axes) in (1, 2):
            self._reshape(layer.in_grid)
            kind = _local if certificate.kind == "unshared" else _convolution
            self._append(kind(structure, weight, bias), layer.out_grid)
        else:
            raise ArgumentError(
                f"layer {number} must have one or two axes of space; got {len(structure.axes)}. Use TiedLinear."
            )
        self.certificates.append(certificate)

    def _append(self, modules: list[nn.Module], grid: Grid) -> None:
        self.modules += modules
        self.grid = grid

    def _reshape(self, grid: Grid) -> None:
        """Read what came out so far as another grid."""
        if grid == self.grid:
            return
        if len(self.grid) > 1:
            self.modules.append(nn.Flatten())
        if len(grid) > 1:
            self.modules.append(nn.Unflatten(1, grid))

    def _parameter(self, number: int, part: np.ndarray, places: np.ndarray) -> nn.Parameter:
        """Return the values of some elements; elements that another layer has too are the same parameter there."""
        where = np.where(part == UNUSED, -1, places[np.maximum(part, 0)])
        key = repr(part.shape).encode() + where.tobytes()
        if any(self._owners.setdefault(place, key) != key for place in where[where >= 0].tolist()):
            raise ArgumentError(
                f"layer {number} must share all of a weight with another layer or nothing; got a part. Run it as it is."
            )
        if key not in self._weights:
            values = torch.cat([self.theta, self.theta.new_zeros(1)])[torch.from_numpy(where)]
            self._weights[key] = nn.Parameter(values)
        return self._weights[key]


def _refusal(number: int, certificate: Certificate) -> str:
    if certificate.kind == "tiled":
        return f"layer {number} must be one of torch's; got a tiled one, which torch does not have. Use TiedLinear."
    edges = ", ".join(f"({row}, {col})" for row, col in certificate.residual[:3].tolist())
    what = (
        "no structure"
        if certificate.nearest is None
        else f"a {certificate.nearest} but for {len(certificate.residual)}"
    )
    listed = f" edges: {edges}" if certificate.nearest else ""
    return f"layer {number} must be certified without residual edges; got {what}{listed}. Use TiedLinear."


def _parts(structure: Stencil | Block, index: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the elements of the weight, in its shape without phases that do not differ, and of the bias."""
    if isinstance(structure, Block):
        shape: tuple[int, ...] = (structure.outputs, structure.inputs)
        bias_shape: tuple[int, ...] = (structure.outputs,)
    else:
        phases = structure.phases if len(structure.axes) and structure.weight_shape[0] > 1 else ()
        shape = (*phases, *structure.weight_shape[1:])
        bias_shape = (*phases, structure.out_channels)
    weights = math.prod(shape)
    return index[:weights].reshape(shape), index[weights:].reshape(bias_shape) if structure.bias else None


def _linear(weight: nn.Parameter, bias: nn.Parameter | None) -> nn.Module:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    return _filled(layer, weight, bias)


def _filled(layer: nn.Module, weight: nn.Parameter, bias: nn.Parameter | None) -> nn.Module:
    layer.weight, layer.bias = weight, bias  # type: ignore[assignment]
    return layer


def _convolution(stencil: Stencil, weight: nn.Parameter, bias: nn.Parameter | None) -> list[nn.Module]:
    axes = stencil.axes
    pads, padding, mode = _padding(axes)
    kind = nn.Conv1d if len(axes) == 1 else nn.Conv2d
    layer = kind(
        stencil.in_channels,
        stencil.out_channels,
        stencil.kernel,  # type: ignore[arg-type]
        stride=tuple(axis.stride for axis in axes),  # type: ignore[arg-type]
        padding=padding,  # type: ignore[arg-type]
        dilation=tuple(axis.dilation for axis in axes),  # type: ignore[arg-type]
        groups=stencil.groups,
        bias=bias is not None,
        padding_mode=mode,  # type: ignore[arg-type]
        device="meta",
    )
    return [*pads, _filled(layer, weight, bias)]


def _local(stencil: Stencil, weight: nn.Parameter, bias: nn.Parameter | None) -> list[nn.Module]:
    axes = stencil.axes
    pads, padding, _ = _padding(axes, layer_wraps=False)
    kind = LocallyConnected1d if len(axes) == 1 else LocallyConnected2d
    beyond = [pads_of(axis) if pads else (0, 0) for axis in axes]
    layer = kind(
        stencil.in_channels,
        stencil.out_channels,
        tuple(axis.size + sum(pad) for axis, pad in zip(axes, beyond, strict=True)),
        stencil.kernel,
        stride=tuple(axis.stride for axis in axes),
        padding=padding,
        dilation=tuple(axis.dilation for axis in axes),
        groups=stencil.groups,
        bias=bias is not None,
    )
    return [*pads, _filled(layer, weight, bias)]


def _padding(axes: tuple[Axis, ...], *, layer_wraps: bool = True) -> tuple[list[nn.Module], tuple[int, ...], str]:
    """Return padding layers, the padding that the layer itself can do, and its mode."""
    if all(not axis.circular and symmetric(axis) for axis in axes):
        return [], tuple(axis.before for axis in axes), "zeros"
    if layer_wraps and all(symmetric(axis) and (axis.circular or not axis.before) for axis in axes):
        return [], tuple(axis.before for axis in axes), "circular"
    pads = [pads_of(axis) for axis in axes]
    rings = [(max(a, 0), max(b, 0)) if axis.circular else (0, 0) for axis, (a, b) in zip(axes, pads, strict=True)]
    zeros = [(min(a, 0), min(b, 0)) if axis.circular else (a, b) for axis, (a, b) in zip(axes, pads, strict=True)]
    one = len(axes) == 1
    kinds: tuple[Callable[[Any], nn.Module], ...] = (
        (nn.CircularPad1d, nn.ZeroPad1d) if one else (nn.CircularPad2d, nn.ZeroPad2d)
    )
    layers = [
        kind(tuple(side for pad in reversed(sides) for side in pad))
        for kind, sides in zip(kinds, (rings, zeros), strict=True)
        if any(map(any, sides))
    ]
    return layers, (0,) * len(axes), "zeros"

"""From torch's layers to edges: one rule per kind of layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from torch import nn

from scanwise._checks import wholes
from scanwise.errors import ArgumentError
from scanwise.geometry import output_size, same_padding
from scanwise.nn import LocallyConnected1d, LocallyConnected2d
from scanwise.tying._arrays import narrow
from scanwise.tying._stencil import Axis, Stencil
from scanwise.tying._tie_map import ONE, TieMap
from scanwise.tying._trusted import trusted

__all__ = ["EdgeLayer", "Grid", "edges_of", "grid_of", "has_rule", "padded_convolution"]

Grid = tuple[int, ...]


@dataclass(frozen=True)
class EdgeLayer:
    """A layer as edges, between two grids.

    Attributes
    ----------
    ties
        The edges.
    in_grid, out_grid
        ``(channels, *space)``, or ``(features,)``: how the flat inputs and outputs are read.
    maximum
        Whether an output is the greatest of its weighted inputs, not their sum.
    """

    ties: TieMap
    in_grid: Grid
    out_grid: Grid
    maximum: bool = False


def edges_of(layer: nn.Module, input_shape: Sequence[int]) -> EdgeLayer:
    """Return the edges of a torch layer on inputs of one shape."""
    grid = grid_of("input_shape", input_shape)
    for kinds, rule in _RULES:
        if trusted(layer, kinds):
            return rule(layer, grid)
    known = ", ".join(kind.__name__ for kinds, _ in _RULES for kind in kinds)
    raise ArgumentError(f"layer must be one of {known}; got {type(layer).__name__}. Give its edges to TieMap.")


def has_rule(layer: nn.Module) -> bool:
    """Whether `edges_of` knows the kind of layer."""
    return any(trusted(layer, kinds) for kinds, _ in _RULES)


def grid_of(name: str, value: Any) -> Grid:
    """Return a grid ``(channels, *space)`` as a tuple, if it has an axis."""
    grid = wholes(name, list(value) if isinstance(value, tuple) else value)
    if not grid:
        raise ArgumentError(f"{name} must be (channels, *space) or (features,); got none. Leave out the batch.")
    return grid


def _linear(layer: nn.Linear, grid: Grid) -> EdgeLayer:
    """One matrix, for every vector along the last axis: ``I (x) A``."""
    *lead, features = grid
    if features != layer.in_features:
        raise ArgumentError(
            f"input_shape must end with {layer.in_features} features; got {grid}. Flatten first, or change the layer."
        )
    outputs, inputs, copies = layer.out_features, layer.in_features, math.prod(lead)
    bias = layer.bias is not None
    shape = copies * outputs, copies * inputs
    cols = np.empty((copies, outputs, inputs + bias), narrow(shape[1]))
    raw = np.empty((outputs, inputs + bias), narrow((inputs + 1) * outputs))
    cols[..., bias:] = np.arange(copies)[:, None, None] * inputs + np.arange(inputs)
    raw[:, bias:] = np.arange(outputs * inputs).reshape(outputs, inputs)
    if bias:
        cols[..., 0] = ONE
        raw[:, 0] = outputs * inputs + np.arange(outputs)
    indptr = np.arange(shape[0] + 1) * (inputs + bias)
    params = raw.ravel() if copies == 1 else np.tile(raw.ravel(), copies)
    return EdgeLayer(TieMap._ordered(indptr, cols.ravel(), params, shape), grid, (*lead, outputs))


def _convolution(layer: nn.Conv1d | nn.Conv2d, grid: Grid) -> EdgeLayer:
    return padded_convolution(layer, grid, ((0, 0),) * len(layer.kernel_size))


def padded_convolution(layer: nn.Conv1d | nn.Conv2d, grid: Grid, zeros: Sequence[tuple[int, int]]) -> EdgeLayer:
    """Return the edges of a convolution that reads zeros before and behind the grid, beside those it pads itself."""
    space = _space(layer, grid, layer.in_channels, len(layer.kernel_size))
    if layer.padding_mode not in ("zeros", "circular"):
        raise ArgumentError(
            f"padding_mode must be zeros or circular; got {layer.padding_mode!r}, with which several filter elements "
            "meet on one edge. Pad with zeros."
        )
    pads = _pads(layer.padding, layer.kernel_size, layer.dilation)
    circular = layer.padding_mode == "circular"
    if circular and any(pad > n for n, both in zip(space, pads, strict=True) for pad in both):
        raise ArgumentError(
            f"padding must go around the input once at most; got {layer.padding} for {space}. Pad less."
        )
    axes = []
    for n, k, s, d, own, more in zip(space, layer.kernel_size, layer.stride, layer.dilation, pads, zeros, strict=True):
        pad = own[0] + more[0], own[1] + more[1]
        axes.append(Axis(n, output_size(n, k, s, d, pad), k, s, d, pad[0], circular=circular and pad != (0, 0)))
    return _moving(Stencil(layer.in_channels, layer.out_channels, tuple(axes), layer.groups, layer.bias is not None))


def _pads(padding: str | Sequence[int], kernel: Sequence[int], dilation: Sequence[int]) -> tuple[tuple[int, int], ...]:
    if padding == "same":
        return tuple(map(same_padding, kernel, dilation))
    return tuple((p, p) for p in ((0,) * len(kernel) if isinstance(padding, str) else padding))


def _local(layer: LocallyConnected1d | LocallyConnected2d, grid: Grid) -> EdgeLayer:
    space = _space(layer, grid, layer.in_channels, len(layer.kernel_size))
    if space != tuple(layer.input_size):
        raise ArgumentError(f"input_shape must be what the layer was made for; got {grid}. Its input_size differs.")
    numbers = zip(space, layer.output_size, layer.kernel_size, layer.stride, layer.dilation, layer.padding, strict=True)
    axes = tuple(Axis(n, o, k, s, d, p, period=o) for n, o, k, s, d, p in numbers)
    return _moving(Stencil(layer.in_channels, layer.out_channels, axes, layer.groups, layer.bias is not None))


def _moving(stencil: Stencil) -> EdgeLayer:
    sizes = tuple(axis.size for axis in stencil.axes)
    if stencil.positions == 0:
        raise ArgumentError(
            f"input_shape must hold the layer's window of {stencil.kernel}; got {sizes}. Give a larger input."
        )
    outputs = tuple(axis.outputs for axis in stencil.axes)
    ties = TieMap._ordered(*stencil.edges(), stencil.shape)
    return EdgeLayer(ties, (stencil.in_channels, *sizes), (stencil.out_channels, *outputs))


def _average(layer: nn.AvgPool1d | nn.AvgPool2d, grid: Grid) -> EdgeLayer:
    axes = _pool_axes(layer, grid)
    pads = _each(layer.padding, len(axes))
    counts = [_counted(axis, pad, layer.count_include_pad) for axis, pad in zip(axes, pads, strict=True)]
    divisors = reduce(np.multiply.outer, counts).ravel()
    override = getattr(layer, "divisor_override", None)
    return _pooling(grid[0], axes, np.full_like(divisors, override) if override else divisors, maximum=False)


def _maximum(layer: nn.MaxPool1d | nn.MaxPool2d, grid: Grid) -> EdgeLayer:
    if layer.return_indices:
        raise ArgumentError("layer must return values only; got a pool with return_indices. Turn it off.")
    axes = _pool_axes(layer, grid)
    return _pooling(grid[0], axes, np.ones(math.prod(axis.outputs for axis in axes), np.int64), maximum=True)


def _pooling(channels: int, axes: tuple[Axis, ...], divisors: np.ndarray, *, maximum: bool) -> EdgeLayer:
    """Return edges from each window of every channel, with the weight ``1 / divisors[position]``."""
    windows = _moving(Stencil(channels, channels, axes, groups=channels, bias=False))
    indptr, cols = windows.ties.indptr, windows.ties.cols
    distinct, number = np.unique(divisors, return_inverse=True)
    raw = -1 - np.repeat(np.tile(number, channels), np.diff(indptr))
    ties = TieMap._ordered(indptr, cols, raw, windows.ties.shape, (1 / distinct).tolist())
    return EdgeLayer(ties, windows.in_grid, windows.out_grid, maximum)


def _pool_axes(layer: Any, grid: Grid) -> tuple[Axis, ...]:
    two = isinstance(layer, nn.AvgPool2d | nn.MaxPool2d)
    space = _space(layer, grid, None, 1 + two)
    kernel, stride, dilation = (
        _each(value, len(space)) for value in (layer.kernel_size, layer.stride, getattr(layer, "dilation", 1))
    )
    return tuple(
        Axis(n, output_size(n, k, s, d, p, layer.ceil_mode), k, s, d, p)
        for n, k, s, d, p in zip(space, kernel, stride, dilation, _each(layer.padding, len(space)), strict=True)
    )


def _each(value: Any, axes: int) -> tuple[int, ...]:
    return (int(value),) * axes if isinstance(value, int) else tuple(value) * (axes if len(value) == 1 else 1)


def _counted(axis: Axis, padding: int, with_padding: bool) -> np.ndarray:
    """Return how many samples each output's window counts: those of the input, or of the padding at both ends too."""
    start = np.arange(axis.outputs) * axis.stride - axis.before
    stop = start + axis.kernel
    if with_padding:
        return np.minimum(stop, axis.size + padding) - start
    return np.minimum(stop, axis.size) - np.maximum(start, 0)


def _space(layer: nn.Module, grid: Grid, channels: int | None, axes: int) -> Grid:
    if len(grid) != 1 + axes or (channels is not None and grid[0] != channels):
        wanted = "channels" if channels is None else str(channels)
        raise ArgumentError(
            f"input_shape must be ({wanted}, *space) with {axes} axes of space for {type(layer).__name__}; got {grid}. "
            "Leave out the batch."
        )
    return grid[1:]


_RULES: tuple[tuple[tuple[type[nn.Module], ...], Callable[[Any, Grid], EdgeLayer]], ...] = (
    ((nn.Linear,), _linear),
    ((nn.Conv1d, nn.Conv2d), _convolution),
    ((LocallyConnected1d, LocallyConnected2d), _local),
    ((nn.AvgPool1d, nn.AvgPool2d), _average),
    ((nn.MaxPool1d, nn.MaxPool2d), _maximum),
)

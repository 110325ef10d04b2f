"""Kernels for maps whose structure is certified: torch's own, on views of the input."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from scanwise.nn import locally_connected
from scanwise.tying._layers import Grid
from scanwise.tying._recognise import Block, Certificate
from scanwise.tying._stencil import Axis, Stencil
from scanwise.tying._sums import SharedValues
from scanwise.tying._tie_map import TieMap

__all__ = ["Convolution", "Local", "Matrix", "PoolKernel", "Tiled", "pads_of", "symmetric"]


class _Structured(nn.Module):
    """A kernel with the weights and biases of a certified structure, gathered apart: to divide them costs more."""

    def __init__(self, ties: TieMap, structure: Stencil | Block, certificate: Certificate) -> None:
        super().__init__()
        weights, biases = np.split(certificate.index, [structure.weights])
        self.weight = SharedValues(weights, ties.parameters, ties.constants)
        self.bias = SharedValues(biases, ties.parameters, ties.constants) if structure.bias else None

    def shared(self, theta: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return weights and biases, flat; without what calling a module costs, which is a lot beside a small layer."""
        bias = self.bias
        return self.weight.forward(theta), None if bias is None else bias.forward(theta)


class Matrix(_Structured):
    """One matrix for each part of the input: for all of it (dense), or for one part after the other."""

    name = "view + matmul"

    def __init__(self, ties: TieMap, block: Block, certificate: Certificate) -> None:
        super().__init__(ties, block, certificate)
        self.block = block

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """Return ``(batch, outputs)`` of inputs ``(batch, inputs)`` and theta ``(parameters,)``."""
        block = self.block
        weight, bias = self.shared(theta)
        matrix = weight.view(block.outputs, block.inputs)
        return functional.linear(x.reshape(x.shape[0], block.copies, block.inputs), matrix, bias).flatten(1)


class _OnGrid(_Structured):
    """A kernel that reads the flat input as a grid and uses the filters of a certified stencil."""

    def __init__(self, ties: TieMap, stencil: Stencil, certificate: Certificate) -> None:
        super().__init__(ties, stencil, certificate)
        self.stencil = stencil
        self.grid: Grid = (stencil.in_channels, *(axis.size for axis in stencil.axes))
        self.bank: Grid = stencil.weight_shape[1:]

    def filters(self, theta: Tensor, phases: Grid) -> tuple[Tensor, Tensor | None]:
        """Return filters ``(*phases, out, in / groups, *kernel)`` and biases ``(*phases, out)``."""
        weight, bias = self.shared(theta)
        if bias is not None and phases:
            bias = bias.view(phases + self.bank[:1])
        return weight.view(phases + self.bank), bias


class Convolution(_OnGrid):
    """One filter bank everywhere."""

    name = "convolution"

    def __init__(self, ties: TieMap, stencil: Stencil, certificate: Certificate) -> None:
        super().__init__(ties, stencil, certificate)
        self.moves = _Moves(stencil.axes, stencil.groups)

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """Return ``(batch, outputs)`` of inputs ``(batch, inputs)`` and theta ``(parameters,)``."""
        weight, bias = self.filters(theta, ())
        return self.moves(x.reshape(x.shape[0], *self.grid), weight, bias).flatten(1)


class Tiled(_OnGrid):
    """Filter banks that alternate with a period: a strided convolution for each."""

    name = "strided convolutions, one per phase"

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """Return ``(batch, outputs)`` of inputs ``(batch, inputs)`` and theta ``(parameters,)``."""
        stencil = self.stencil
        weight, bias = self.filters(theta, stencil.weight_shape[:1])
        grid = x.reshape(x.shape[0], *self.grid)
        out: Tensor | None = None
        for number, phases in enumerate(product(*map(range, stencil.phases))):
            axes = tuple(map(_phase_of, stencil.axes, phases))
            where = tuple(slice(phase, None, axis.period) for axis, phase in zip(stencil.axes, phases, strict=True))
            own = None if bias is None else bias[number]
            part = _Moves(axes, stencil.groups)(grid, weight[number], own)
            if out is None:  # of the parts' type, which need not be the input's
                out = part.new_empty(*part.shape[:2], *(axis.outputs for axis in stencil.axes))
            out[(slice(None), slice(None), *where)] = part
        assert out is not None
        return out.flatten(1)


class Local(_OnGrid):
    """A filter bank for each position."""

    name = "locally connected"

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """Return ``(batch, outputs)`` of inputs ``(batch, inputs)`` and theta ``(parameters,)``."""
        stencil, axes = self.stencil, self.stencil.axes
        weight, bias = self.filters(theta, tuple(axis.outputs for axis in axes))
        moves = _Moves(axes, stencil.groups)
        grid = moves.padded(x.reshape(x.shape[0], *self.grid))
        out = locally_connected(
            grid,
            weight,
            bias,
            stride=moves.stride,
            padding=moves.padding,
            dilation=moves.dilation,
            groups=moves.groups,
        )
        return out.flatten(1)


class PoolKernel(nn.Module):
    """A pooling layer of torch's."""

    def __init__(self, pool: nn.Module, grid: Grid) -> None:
        super().__init__()
        self.pool, self.grid = pool, grid
        self.name = type(pool).__name__

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        """Return ``(batch, outputs)`` of inputs ``(batch, inputs)``; nothing is learnt."""
        out: Tensor = self.pool(x.reshape(x.shape[0], *self.grid))
        return out.flatten(1)


def symmetric(axis: Axis) -> bool:
    """Whether as many zeros on both sides as before give these outputs: all that torch's layers can say."""
    beyond = axis.size + 2 * axis.before - (axis.kernel - 1) * axis.dilation - 1
    return axis.before >= 0 and beyond // axis.stride + 1 == axis.outputs


def pads_of(axis: Axis) -> tuple[int, int]:
    """Return samples to add before and behind the input (below 0: to drop) for exactly the axis' outputs."""
    makes_none = -axis.stride < axis.after < 0  # too few unread samples for another output
    return axis.before, 0 if makes_none else axis.after


def _phase_of(axis: Axis, phase: int) -> Axis:
    """Return how every `period`-th window moves, from number `phase` on."""
    return replace(
        axis,
        outputs=len(range(phase, axis.outputs, axis.period)),
        stride=axis.stride * axis.period,
        before=axis.before - phase * axis.stride,
        period=1,
    )


class _Moves:
    """How torch's convolutions move over any of one to three axes; none at all counts as one of a single position."""

    def __init__(self, axes: tuple[Axis, ...], groups: int) -> None:
        self.groups = groups
        self.stride = tuple(axis.stride for axis in axes) or (1,)
        self.dilation = tuple(axis.dilation for axis in axes) or (1,)
        # What torch cannot pad itself is padded, cut or wrapped before.
        itself = [not axis.circular and symmetric(axis) for axis in axes]
        self.padding = tuple(axis.before if own else 0 for axis, own in zip(axes, itself, strict=True)) or (0,)
        self.before = [
            (_wrapped if axis.circular else _cut, 2 + number, -axis.before, axis.size + pads_of(axis)[1])
            for number, (axis, own) in enumerate(zip(axes, itself, strict=True))
            if not own
        ]
        self.point = not axes
        self.convolve = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[len(axes) or 1]

    def padded(self, x: Tensor) -> Tensor:
        """Return the input with what torch does not pad itself."""
        for read, dim, start, stop in self.before:
            x = read(x, dim, start, stop)
        return x

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the convolution of ``(batch, channels, *space)``."""
        if self.point:
            x, weight = x[..., None], weight[..., None]
        out: Tensor = self.convolve(self.padded(x), weight, bias, self.stride, self.padding, self.dilation, self.groups)
        return out


def _cut(x: Tensor, dim: int, start: int, stop: int) -> Tensor:
    """Return ``x[start:stop]`` along `dim`, with zeros wherever that is outside."""
    size = x.shape[dim]
    first = min(max(start, 0), size)
    inside = x.narrow(dim, first, max(min(stop, size) - first, 0))
    zeros = stop - start - inside.shape[dim]
    before = min(max(-start, 0), zeros)
    later = [0, 0] * (x.dim() - 1 - dim)
    return functional.pad(inside, [*later, before, zeros - before]) if zeros else inside


def _wrapped(x: Tensor, dim: int, start: int, stop: int) -> Tensor:
    """Return ``x[start:stop]`` along `dim`, positions taken modulo the size."""
    size = x.shape[dim]
    pieces = []
    while start < stop:
        within = start % size
        length = min(size - within, stop - start)
        pieces.append(x.narrow(dim, within, length))
        start += length
    return torch.cat(pieces, dim) if len(pieces) > 1 else pieces[0]

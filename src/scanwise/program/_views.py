"""Tensors of the window network as strided views of dense maps: bookkeeping on integers, no tensor in sight.

Inside one window every tensor of a scannable network is a regular sample of a *dense map*, the layer's output at every
position of the input. A `View` says which sample: each of its dimensions is a list of factors, outermost first, and a
factor walks over the batch, over the map's channels or along one input axis. Reshaping, permuting and slicing then
change the view and compute nothing, and sliding a kernel adds a factor for its taps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

BATCH = -2
CHANNEL = -1


class Unviewable(Exception):
    """The result is not a strided view; the caller computes it another way."""


@dataclass(frozen=True)
class Factor:
    """``count`` steps of ``step`` along ``axis``: an input axis (0, 1, ..), `CHANNEL` or `BATCH`.

    Steps are input samples along an input axis and channels of the dense map along `CHANNEL`. A step of 0 repeats the
    same value, as ``expand`` does.
    """

    axis: int
    count: int
    step: int

    @property
    def is_position(self) -> bool:
        return self.axis >= 0


Dim = tuple[Factor, ...]


@dataclass(frozen=True)
class View:
    """A tensor of the window network, as a sample of the dense map of program node ``node``.

    The element with factor indices ``i`` in the window that starts at input position ``w`` is the map's value at
    channel ``channel + sum(i * step)`` and position ``w + offset + sum(i * step)``.

    Attributes
    ----------
    node
        Index of the program node that computes the dense map.
    dims
        One tuple of factors per tensor dimension; an empty tuple is a dimension of size 1.
    channel
        First channel.
    offset
        First position relative to the window's start, per input axis, in input samples.
    jump
        Distance of neighbouring units, per input axis, in input samples; kept when a dimension is contracted away.
    """

    node: int
    dims: tuple[Dim, ...]
    channel: int
    offset: tuple[int, ...]
    jump: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(size_of(dim) for dim in self.dims)

    @property
    def factors(self) -> Dim:
        return tuple(factor for dim in self.dims for factor in dim)

    def channel_index(self) -> list[int]:
        """Return the map's channels this view uses, in the row-major order of its channel factors."""
        return channel_index(self.factors, self.channel)

    def reach(self, axis: int) -> list[int]:
        """Return the positions used along ``axis``, relative to the window's start."""
        ranges = [range(0, f.count * f.step, f.step) for f in self.factors if f.axis == axis and f.step]
        return sorted({self.offset[axis] + sum(steps) for steps in product(*ranges)})

    def with_dims(self, dims: Iterable[Dim]) -> View:
        return replace(self, dims=tuple(tidy(dim) for dim in dims))

    def permuted(self, order: Sequence[int]) -> View:
        return replace(self, dims=tuple(self.dims[i] for i in order))

    def reshaped(self, shape: Sequence[int]) -> View:
        """Return the view with dimensions regrouped to ``shape``; raise `Unviewable` when a factor cannot be split."""
        return self.with_dims(regroup(self.factors, shape))

    def sliced(self, dim: int, start: int, stop: int, step: int) -> View:
        """Return elements ``start, start + step, ..`` below ``stop`` of dimension ``dim``."""
        count = max(0, -(-(stop - start) // step))
        factors = self.dims[dim]
        if count == size_of(factors):
            return self
        if count == 1:
            return self._selected(dim, start)
        if len(factors) != 1 or factors[0].axis == BATCH or count == 0:
            raise Unviewable("a slice across merged dimensions")
        factor = factors[0]
        moved = self.moved(factor, start)
        kept = Factor(factor.axis, count, factor.step * step)
        jump = list(moved.jump)
        if factor.is_position and step > 1:
            jump[factor.axis] = abs(kept.step)
        dims = (*self.dims[:dim], (kept,), *self.dims[dim + 1 :])
        return replace(moved, dims=dims, jump=tuple(jump))

    def _selected(self, dim: int, index: int) -> View:
        view = self
        for factor in reversed(self.dims[dim]):
            if factor.axis == BATCH:
                raise Unviewable("a selection from the batch")
            view = view.moved(factor, index % factor.count)
            index //= factor.count
        return replace(view, dims=(*view.dims[:dim], (), *view.dims[dim + 1 :]))

    def flipped(self, dim: int) -> View:
        """Return the view with dimension ``dim`` reversed."""
        view, dims = self, []
        for factor in self.dims[dim]:
            if factor.axis == BATCH:
                raise Unviewable("a reversed batch")
            view = view.moved(factor, factor.count - 1)
            dims.append(Factor(factor.axis, factor.count, -factor.step))
        return replace(view, dims=(*view.dims[:dim], tuple(dims), *view.dims[dim + 1 :]))

    def moved(self, factor: Factor, index: int) -> View:
        """Return the view with its origin moved by ``index`` steps of ``factor``."""
        if not factor.is_position:
            return replace(self, channel=self.channel + index * factor.step)
        offset = list(self.offset)
        offset[factor.axis] += index * factor.step
        return replace(self, offset=tuple(offset))

    def forward_steps(self, dims: Iterable[int]) -> View:
        """Return the same elements with no backward step in ``dims``, for reductions, where order is free."""
        view = self
        for dim in dims:
            for place, factor in enumerate(self.dims[dim]):
                if factor.step < 0:
                    turned = (
                        *view.dims[dim][:place],
                        replace(factor, step=-factor.step),
                        *view.dims[dim][place + 1 :],
                    )
                    view = view.moved(factor, factor.count - 1)
                    view = replace(view, dims=(*view.dims[:dim], turned, *view.dims[dim + 1 :]))
        return view


def size_of(dim: Iterable[Factor]) -> int:
    return prod(factor.count for factor in dim)


def channel_index(factors: Iterable[Factor], start: int) -> list[int]:
    index = [start]
    for factor in factors:
        if factor.axis == CHANNEL:
            index = [base + i * factor.step for base in index for i in range(factor.count)]
    return index


def tidy(factors: Iterable[Factor]) -> Dim:
    """Drop factors of one element, merge neighbours that continue each other, and make every repeat a channel's."""
    merged: list[Factor] = []
    for factor in factors:
        if factor.count == 1:
            continue
        if factor.is_position and factor.step == 0:
            factor = Factor(CHANNEL, factor.count, 0)
        last = merged[-1] if merged else None
        if last and last.axis == factor.axis != BATCH and last.step == factor.step * factor.count:
            merged[-1] = Factor(factor.axis, last.count * factor.count, factor.step)
        else:
            merged.append(factor)
    return tuple(merged)


def contiguous(counts: Sequence[int], start_step: int = 1) -> Dim:
    """Return channel factors that walk row-major over ``counts``."""
    factors: list[Factor] = []
    step = start_step
    for count in reversed(counts):
        factors.append(Factor(CHANNEL, count, step))
        step *= count
    return tuple(reversed(factors))


def regroup(factors: Iterable[Factor], shape: Sequence[int]) -> list[Dim]:
    """Cut a row-major run of factors into dimensions of the given sizes."""
    left = list(tidy(factors))
    dims: list[Dim] = []
    for size in shape:
        dim: list[Factor] = []
        while size > 1:
            if not left:
                raise Unviewable("a reshape to another number of elements")
            factor = left.pop(0)
            if size % factor.count == 0:
                dim.append(factor)
                size //= factor.count
            elif factor.count % size == 0 and factor.axis != BATCH:
                inner = factor.count // size
                dim.append(Factor(factor.axis, size, factor.step * inner))
                left.insert(0, Factor(factor.axis, inner, factor.step))
                size = 1
            else:
                raise Unviewable("a reshape that splits a dimension unevenly")
        dims.append(tuple(dim))
    if left:
        raise Unviewable("a reshape to another number of elements")
    return dims


def refine(first: Sequence[Factor], second: Sequence[Factor]) -> tuple[list[Factor], list[Factor]]:
    """Split two runs of factors of equal size until their counts agree one by one."""
    a, b = list(first), list(second)
    out: tuple[list[Factor], list[Factor]] = ([], [])
    while a and b:
        count = min(a[-1].count, b[-1].count)
        for side, run in zip(out, (a, b), strict=True):
            factor = run.pop()
            if factor.count % count or (factor.axis == BATCH and factor.count != count):
                raise Unviewable("two tensors whose dimensions are merged in different ways")
            side.insert(0, Factor(factor.axis, count, factor.step))
            if factor.count > count:
                run.append(Factor(factor.axis, factor.count // count, factor.step * count))
    return out


def unfold(dim: Dim, kernel: int, stride: int, dilation: int) -> tuple[Dim, Dim]:
    """Slide a kernel along one dimension: return the factors of the output positions and of the taps."""
    size = size_of(dim)
    count = (size - (kernel - 1) * dilation - 1) // stride + 1
    if not dim or (count == 1 and kernel == size):
        return (), dim
    if len(dim) != 1 or dim[0].axis == BATCH:
        raise Unviewable("a kernel that slides over merged dimensions")
    factor = dim[0]
    outputs = Factor(factor.axis, count, factor.step * stride)
    taps = Factor(factor.axis, kernel, factor.step * dilation)
    return tidy((outputs,)), tidy((taps,))
